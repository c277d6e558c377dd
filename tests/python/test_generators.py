"""Tasks and methods that give their results one by one."""

import asyncio
import json
import os
import pickle
import signal
import subprocess
import sys
import time

import pytest

import manta as ray
from manta import _command


@ray.remote
def count(n):
    for i in range(n):
        yield i


@ray.remote
def sizes(*sizes):
    for size in sizes:
        yield bytes(size)


class Stop(Exception):
    pass


@ray.remote
def count_and_fail(n):
    yield from range(n)
    raise Stop(f"after {n}")


def values(generator):
    return [ray.get(ref) for ref in generator]


def test_a_generator_gives_references_in_order(cluster):
    generator = count.remote(5)
    assert isinstance(generator, ray.ObjectRefGenerator)
    assert iter(generator) is generator
    first = next(generator)
    assert isinstance(first, ray.ObjectRef)
    assert ray.get(first) == 0
    assert values(generator) == [1, 2, 3, 4]
    with pytest.raises(StopIteration):
        next(generator)
    with pytest.raises(StopIteration):
        next(generator)


def test_items_come_while_the_task_runs(cluster, tmp_path):
    @ray.remote
    def two(path):
        yield "first"
        while not os.path.exists(path):
            time.sleep(0.001)
        yield "second"

    gate = str(tmp_path / "gate")
    generator = two.remote(gate)
    assert ray.get(next(generator)) == "first"
    assert not generator.next_ready()
    ready, unready = ray.wait([generator.completed()], timeout=0)
    assert not ready
    open(gate, "w").close()
    assert ray.get(next(generator)) == "second"
    assert ray.get(generator.completed()) is None
    assert list(generator) == []
    assert generator.is_finished()


def test_many_items_and_large_ones(cluster):
    assert values(count.remote(5000)) == list(range(5000))
    wanted = [0, 31, 32, 33, 1000, 70_000, 3_000_000, 5]
    assert [len(value) for value in values(sizes.remote(*wanted))] == wanted


def test_an_item_may_hold_references(cluster):
    @ray.remote
    def holders():
        for i in range(3):
            yield [ray.put(i), "beside"]

    held = values(holders.remote())
    assert [ray.get(ref) for ref, _ in held] == [0, 1, 2]


def test_an_exception_is_the_last_item(cluster):
    generator = count_and_fail.remote(2)
    assert [ray.get(next(generator)), ray.get(next(generator))] == [0, 1]
    failed = next(generator)
    with pytest.raises(Stop, match="after 2"):
        ray.get(failed)
    assert list(generator) == []
    with pytest.raises(Stop):
        ray.get(generator.completed())


def test_a_task_that_is_tried_again_gives_no_item_twice(cluster, tmp_path):
    @ray.remote(retry_exceptions=[Stop], max_retries=2)
    def flaky(path):
        for i in range(4):
            if i == 2 and not os.path.exists(path):
                open(path, "w").close()
                raise Stop
            yield i, os.getpid()

    got = values(flaky.remote(str(tmp_path / "once")))
    assert [i for i, _ in got] == [0, 1, 2, 3]


def test_a_worker_that_dies_is_replaced(cluster, tmp_path):
    @ray.remote(max_retries=1)
    def dies_once(path):
        for i in range(4):
            if i == 2 and not os.path.exists(path):
                open(path, "w").close()
                os.kill(os.getpid(), signal.SIGKILL)
            yield i

    assert values(dies_once.remote(str(tmp_path / "once"))) == [0, 1, 2, 3]

    @ray.remote(max_retries=0)
    def dies():
        yield "before"
        os.kill(os.getpid(), signal.SIGKILL)

    generator = dies.remote()
    refs = list(generator)
    assert ray.get(refs[0]) == "before"
    with pytest.raises(ray.exceptions.WorkerCrashedError):
        ray.get(refs[-1])
    assert len(refs) == 2


def test_back_pressure_lets_the_task_run_no_further(cluster, tmp_path):
    @ray.remote(_generator_backpressure_num_objects=2)
    def notes(path):
        for i in range(6):
            with open(path, "a") as file:
                file.write(f"{i}\n")
            yield i

    def noted():
        try:
            return len(open(path).readlines())
        except FileNotFoundError:
            return 0

    def settles_at(n):
        deadline = time.monotonic() + 10
        while noted() < n and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(0.05)
        return noted() == n

    path = str(tmp_path / "notes")
    generator = notes.remote(path)
    assert settles_at(2), noted()
    assert ray.get(next(generator)) == 0
    assert settles_at(3), noted()
    ray.wait([generator], timeout=1)  # looks, and takes nothing
    assert settles_at(3), noted()
    assert values(generator) == [1, 2, 3, 4, 5]
    assert noted() == 6


def test_a_task_that_pauses_lends_its_cpu(cluster):
    @ray.remote(num_cpus=2, _generator_backpressure_num_objects=1)
    def pairs():
        for i in range(3):
            yield i

    @ray.remote(num_cpus=2)
    def double(x):
        return 2 * x

    assert [ray.get(double.remote(ref)) for ref in pairs.remote()] == [0, 2, 4]


def test_nobody_takes_the_rest(cluster, tmp_path):
    @ray.remote(_generator_backpressure_num_objects=1)
    def goes_on(path):
        for i in range(5):
            yield bytes(200_000)
        open(path, "w").close()

    path = str(tmp_path / "done")
    generator = goes_on.remote(path)
    completed = generator.completed()
    next(generator)
    del generator
    ray.get(completed, timeout=10)
    assert os.path.exists(path)


def test_wait_takes_generators_and_references(cluster):
    generator, slow = count.remote(1), ray.put(3)
    ready, unready = ray.wait([generator, slow], num_returns=2, timeout=10)
    assert ready == [generator, slow] and unready == []
    assert ray.get(next(generator)) == 0
    assert ray.wait([generator], timeout=10) == ([generator], [])  # the end
    assert list(generator) == []


def test_cancel_ends_a_generator(cluster):
    @ray.remote
    def endless():
        i = 0
        while True:
            yield i
            i += 1
            time.sleep(0.001)

    generator = endless.remote()
    assert ray.get(next(generator)) == 0
    ray.cancel(generator)
    with pytest.raises(ray.exceptions.TaskCancelledError):
        for ref in generator:
            ray.get(ref)
    assert list(generator) == []

    @ray.remote(_generator_backpressure_num_objects=1)
    def paused():
        yield 1
        yield 2

    generator = paused.remote()
    ray.wait([generator], timeout=10)
    time.sleep(0.02)
    ray.cancel(generator)
    refs = list(generator)
    assert ray.get(refs[0]) == 1
    with pytest.raises(ray.exceptions.TaskCancelledError):
        ray.get(refs[-1])


def test_methods_of_actors_are_generators_too(cluster):
    @ray.remote
    class Counter:
        def __init__(self):
            self.calls = 0

        def up_to(self, n):
            self.calls += 1
            yield from range(n)

        @ray.method(num_returns=3)
        def three(self):
            yield from "abc"

        def called(self):
            return self.calls

    counter = Counter.remote()
    first, second = counter.up_to.remote(3), counter.up_to.remote(2)
    assert values(first) == [0, 1, 2] and values(second) == [0, 1]
    assert ray.get(counter.three.remote()) == ["a", "b", "c"]
    assert ray.get(counter.called.remote()) == 2
    backed = counter.up_to.options(_generator_backpressure_num_objects=1).remote(4)
    assert values(backed) == [0, 1, 2, 3]


def test_threaded_actors_stream_side_by_side(cluster):
    @ray.remote(max_concurrency=4)
    class Threads:
        def count(self, n):
            yield from range(n)

    actor = Threads.remote()
    generators = [actor.count.remote(300) for _ in range(8)]
    assert [values(generator) for generator in generators] == [list(range(300))] * 8


def test_asynchronous_generators(cluster):
    @ray.remote
    class Async:
        async def count(self, n):
            for i in range(n):
                await asyncio.sleep(0)
                yield i

        def plain(self, n):
            yield from range(n)

        async def fails(self):
            yield 1
            raise Stop("here")

        async def other(self):
            return "other"

    actor = Async.remote()
    assert values(actor.count.remote(500)) == list(range(500))
    assert values(actor.plain.remote(3)) == [0, 1, 2]
    generator = actor.fails.remote()
    assert ray.get(next(generator)) == 1
    with pytest.raises(Stop, match="here"):
        ray.get(next(generator))
    paused = actor.count.options(_generator_backpressure_num_objects=1).remote(4)
    assert ray.get(actor.other.remote()) == "other"  # while the generator waits
    assert values(paused) == [0, 1, 2, 3]


def test_async_for_in_the_driver(cluster):
    async def collect():
        return [await ref async for ref in count.remote(50)]

    assert asyncio.run(collect()) == list(range(50))


def test_a_task_consumes_a_generator(cluster):
    @ray.remote
    def total(n):
        return sum(ray.get(ref) for ref in count.remote(n))

    assert ray.get(total.remote(10)) == 45


def test_dynamic_gives_one_reference_to_all(cluster):
    @ray.remote(num_returns="dynamic")
    def split(n):
        yield from range(n)

    ref = split.remote(3)
    assert isinstance(ref, ray.ObjectRef)
    made = ray.get(ref)
    assert isinstance(made, ray.DynamicObjectRefGenerator) and len(made) == 3
    assert [ray.get(item) for item in made] == [0, 1, 2]


def test_several_results_from_a_generator(cluster):
    @ray.remote(num_returns=2)
    def pair():
        yield 1
        yield 2

    one, two = pair.remote()
    assert ray.get([one, two]) == [1, 2]

    @ray.remote(num_returns=3)
    def endless():
        while True:
            yield 7

    assert ray.get(endless.remote()) == [7, 7, 7]
    with pytest.raises(ValueError, match="2 values, and num_returns is 3"):
        ray.get(pair.options(num_returns=3).remote())


def test_what_generators_are_not_for(cluster):
    generator = count.remote(1)
    with pytest.raises(ValueError, match="ObjectRefGenerator"):
        ray.get(generator)
    with pytest.raises(TypeError, match="stays where it was made"):
        pickle.dumps(generator)
    with pytest.raises(TypeError, match="stays where it was made"):
        count.remote(generator)
    with pytest.raises(ValueError, match="no yield"):
        ray.remote(num_returns="streaming")(lambda: 1)
    with pytest.raises(ValueError, match="not 0"):
        ray.remote(_generator_backpressure_num_objects=0)(count._function)
    with pytest.raises(ValueError, match="for generators"):
        ray.remote(_generator_backpressure_num_objects=1)(lambda: 1)


def test_a_generator_outlives_its_session():
    ray.shutdown()  # the module's
    ray.init(num_cpus=1)

    @ray.remote
    def waits():
        yield 1
        time.sleep(100)

    generator = waits.remote()
    assert ray.get(next(generator)) == 1
    ray.shutdown()
    del generator


CALLER = """
import os, signal, sys
import manta as ray

ray.init(address=sys.argv[1])


class Streams:
    def plain(self):
        yield from range(10)

    async def asynchronous(self):
        for i in range(10):
            yield i


class Threads:
    def plain(self):
        yield from range(10)


kind, method = (Streams, "asynchronous") if sys.argv[2] == "async" else (Threads, "plain")
actor = ray.remote(kind).options(name=sys.argv[2], lifetime="detached", max_concurrency=2, namespace="streams").remote()
generators = [getattr(actor, method).options(_generator_backpressure_num_objects=1, num_returns="streaming").remote() for _ in range(2)]
for generator in generators:
    ray.get(next(generator))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("kind", ["async", "threads"])
def test_an_actor_survives_callers_that_die_while_it_pauses(kind, tmp_path):
    ray.shutdown()
    command = _command.executable()
    started = json.loads(subprocess.run([command, "start", "--head", "--num-cpus=2", "--json"], capture_output=True, text=True, check=True).stdout)
    try:
        program = tmp_path / "caller.py"
        program.write_text(CALLER)
        for _ in range(3):
            done = subprocess.run([sys.executable, str(program), started["address"], kind], timeout=60, capture_output=True, text=True)
            assert done.returncode == -signal.SIGKILL, done.stderr
            ray.init(address=started["address"], namespace="streams")
            actor = ray.get_actor(kind)
            # As many calls at once as it may have: none of them is held by those whose caller is gone.
            method = actor.asynchronous if kind == "async" else actor.plain
            generators = [method.options(num_returns="streaming").remote() for _ in range(2)]
            assert [values(generator) for generator in generators] == [list(range(10))] * 2
            ray.kill(actor)
            ray.shutdown()
    finally:
        ray.shutdown()
        subprocess.run([command, "stop", "--session", started["session"]], check=True, capture_output=True)


def test_many_generators_beside_many_calls_of_an_actor_with_threads():
    """More results than the way to their owner holds at once, which none of its threads may keep from the others."""

    @ray.remote(max_concurrency=12)
    class Writer:
        def items(self, count, size):
            for _ in range(count):
                yield bytes(size)

        def one(self, size):
            return bytes(size)

    writer = Writer.remote()
    for _ in range(10):
        generators = [writer.items.options(num_returns="streaming").remote(300, 30_000) for _ in range(4)]
        refs = [writer.one.remote(60_000) for _ in range(400)]
        for generator in generators:
            assert sum(1 for _ in generator) == 300
        assert all(len(value) == 60_000 for value in ray.get(refs, timeout=60))
