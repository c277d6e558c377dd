"""Memory of the processes of a program that does the same again and again: flat."""

import asyncio
import gc
import os
import pathlib

import numpy as np
import pytest

import manta as ray
from waiting import processes_of

MIB = 2**20


def anonymous(pid):
    """Bytes of a process's own: heap and stacks. None: it has ended."""
    try:
        text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return None
    return next(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Anonymous:"))


@ray.remote
def add(a, b=1):
    return a + b


@ray.remote
def fail(text):
    raise ValueError(text)


@ray.remote
def nest(depth):
    return depth if depth == 0 else ray.get(nest.remote(depth - 1))


@ray.remote(num_returns="streaming")
def count(n):
    yield from range(n)


@ray.remote(num_cpus=0)
class Keeper:
    def __init__(self):
        self.kept = None

    def keep(self, value):
        self.kept = value
        return value

    async def sleep(self):
        await asyncio.sleep(0)


def test_names_of_calls_are_forgotten(cluster):
    def name_many(first):
        for i in range(first, first + 50_000):
            add.options(name=f"{i}" + 200 * "n")

    name_many(0)
    before = anonymous(os.getpid())
    name_many(50_000)
    assert anonymous(os.getpid()) - before < 4 * MIB  # of 10 MiB of names


def tasks():
    assert sum(ray.get([add.remote(i) for i in range(1_000)])) == 500_500


def chains_of_tasks():
    ref = add.remote(0)
    for _ in range(300):
        ref = add.remote(ref)
    assert ray.get(ref) == 301


def nested_tasks():
    assert ray.get([nest.remote(3) for _ in range(20)]) == [0] * 20


def failures():
    for ref in [fail.remote("x" * 1_000) for _ in range(100)]:
        with pytest.raises(ValueError):
            ray.get(ref)


def arrays():
    refs = [ray.put(np.zeros(50_000)) for _ in range(20)]
    assert sum(ray.get([add.remote(ref) for ref in refs])).sum() == 20 * 50_000


def references_in_values():
    refs = [ray.put([ray.put(i)]) for i in range(200)]
    assert [ray.get(inner) for [inner] in ray.get(refs)] == list(range(200))


def streams():
    assert sum(ray.get(ref) for _ in range(5) for ref in count.remote(100)) == 5 * 4950


def actors():
    keepers = [Keeper.remote() for _ in range(3)]
    for i in range(100):
        ray.get([keeper.keep.remote([i]) for keeper in keepers])
    ray.get([keeper.sleep.remote() for keeper in keepers])


def waits_and_cancellations():
    refs = [add.remote(i) for i in range(200)]
    while refs:
        ready, refs = ray.wait(refs, num_returns=min(20, len(refs)))
        if refs:
            ray.cancel(refs.pop())


def coroutines():
    async def gather():
        return await asyncio.gather(*[add.remote(i) for i in range(200)])

    assert len(asyncio.run(gather())) == 200


@pytest.mark.parametrize("program", [tasks, chains_of_tasks, nested_tasks, failures, arrays, references_in_values, streams, actors,
                                     waits_and_cancellations, coroutines])
def test_the_same_again_takes_no_more(cluster, sessions, program):
    def used():
        gc.collect()
        found = {pid: anonymous(pid) for pid in [os.getpid(), *processes_of(sessions)]}
        return {pid: used for pid, used in found.items() if used is not None}

    for _ in range(10):
        program()
    before = used()
    for _ in range(20):
        program()
    after = used()
    grown = {pid: (after[pid] - before[pid]) / MIB for pid in before.keys() & after.keys()}
    assert len(grown) >= 3, "this process, the daemon and a zygote"
    assert max(grown.values()) < 2, grown
