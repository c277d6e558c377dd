#!/usr/bin/env python3
"""What a Python program sees of Manta's speed, start and memory, each beside its target and its yardstick of the same run.

    python_bench.py [--rows REGEX] [--quick] [--json FILE] [--list]

The interpreter that runs it has the package `manta`. Rates of Ray's own microbenchmark, beside Ray: ./dev bench --vs-ray --python.
"""

import argparse
import contextlib
import dataclasses
import json
import mmap
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time

MIB = 1 << 20


@dataclasses.dataclass
class Figure:
    """One per round, in `unit`; the target is for the median. `beside`: what the figure is to be read with."""

    name: str
    rounds: list
    unit: str
    at_most: float | None = None
    at_least: float | None = None
    beside: str = ""

    @property
    def median(self):
        return statistics.median(self.rounds)

    @property
    def met(self):
        if self.at_most is not None:
            return self.median <= self.at_most
        return None if self.at_least is None else self.median >= self.at_least

    def line(self):
        target = f"<= {self.at_most:,g}" if self.at_most is not None else f">= {self.at_least:,g}" if self.at_least is not None else ""
        state = {None: "", True: "met     ", False: "MISSED  "}[self.met]
        columns = "".join(f"{value:>14,.4g}" for value in (min(self.rounds), self.median, max(self.rounds)))
        return f"  {self.name:34}{columns} {self.unit:6} {state}{target}{'; ' + self.beside if self.beside else ''}"


ROWS = {}


def row(function):
    """Makes a row of a function that gives figures; `rounds` is how often to measure."""
    ROWS[function.__name__.replace("_", "-")] = function
    return function


@contextlib.contextmanager
def cluster(**arguments):
    """A cluster of this row's own; gives the package."""
    import manta

    manta.init(address="local", **arguments)
    try:
        yield manta
    finally:
        manta.shutdown()


def timed(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


# ---- Calls


@row
def batches_of_tasks(rounds):
    """1,000 empty tasks with arguments of their own, then get of all; again and again for a second. The results are checked."""
    with cluster() as ray:
        @ray.remote
        def same(x):
            return x

        def rate():
            done, start = 0, time.perf_counter()
            while time.perf_counter() < start + 1:
                if ray.get([same.remote(i) for i in range(1000)]) != list(range(1000)):
                    raise RuntimeError("a task gave a wrong result")
                done += 1000
            return done / (time.perf_counter() - start)

        rate()
        yield Figure("rate", [rate() for _ in range(rounds)], "/s", at_least=500_000, beside="stretch: 1,000,000")


def one_at_a_time(call, rounds):
    """Percentiles of 5,000 calls in a round."""
    for _ in range(2000):
        call()
    latencies = [[timed(call) * 1e6 for _ in range(5000)] for _ in range(rounds)]
    yield Figure("p50", [percentile(one, 0.5) for one in latencies], "us", at_most=8)
    yield Figure("p99", [percentile(one, 0.99) for one in latencies], "us")


@row
def task_round_trip(rounds):
    """get(f.remote()) one at a time, back to back."""
    with cluster() as ray:
        @ray.remote
        def nothing():
            pass

        yield from one_at_a_time(lambda: ray.get(nothing.remote()), rounds)


@row
def actor_round_trip(rounds):
    """get(actor.f.remote()) one at a time, back to back."""
    with cluster() as ray:
        actor = actor_class(ray).remote()
        yield from one_at_a_time(lambda: ray.get(actor.nothing.remote()), rounds)


def actor_class(ray):
    @ray.remote(num_cpus=0)
    class Actor:
        def nothing(self):
            pass

    return Actor


@row
def asyncio_actor(rounds):
    """1,000 calls of a coroutine of one actor, then get of all; and one call at a time."""
    with cluster() as ray:
        @ray.remote
        class Coroutines:
            async def nothing(self):
                pass

        actor = Coroutines.remote()

        def batch():
            ray.get([actor.nothing.remote() for _ in range(1000)])

        for _ in range(20):
            batch()
        yield Figure("pipelined", [50_000 / timed(lambda: [batch() for _ in range(50)]) for _ in range(rounds)], "/s", at_least=200_000)
        one = [percentile([timed(lambda: ray.get(actor.nothing.remote())) * 1e6 for _ in range(1000)], 0.5) for _ in range(rounds)]
        yield Figure("one at a time p50", one, "us")


# ---- Start


def program(text):
    """Seconds that a new interpreter takes for a program."""
    return timed(lambda: subprocess.run([sys.executable, "-c", text], check=True, stdout=subprocess.DEVNULL))


def more_than_nothing(text, rounds):
    """Milliseconds that the program takes more than an empty one, which runs in turn with it."""
    return [(program(text) - program("pass")) * 1e3 for _ in range(rounds)]


@row
def start(rounds):
    """A new interpreter: import; import, init, one task and its result; each less what an empty program takes in turn with it."""
    first = "import manta\nmanta.init(address='local')\nf = manta.remote(lambda: 1)\nassert manta.get(f.remote()) == 1\nimport os; os._exit(0)"
    program(first)
    yield Figure("import manta", more_than_nothing("import manta", 4 * rounds), "ms", at_most=60)
    yield Figure("import, init, first result", more_than_nothing(first, 2 * rounds), "ms", at_most=250)


@row
def new_worker(rounds):
    """An actor in a process of its own: from its creation to its first answer, one after the other, twenty in a round."""
    with cluster() as ray:
        kind, kept = actor_class(ray), []

        def create():
            kept.append(kind.remote())
            ray.get(kept[-1].nothing.remote())

        yield Figure("first answer p50", [percentile([timed(create) * 1e3 for _ in range(20)], 0.5) for _ in range(rounds)], "ms", at_most=20)


@row
def thousand_actors(rounds):
    """1,000 actors created, each called once, in processes of their own."""
    def once():
        with cluster() as ray:
            kind = actor_class(ray)

            def create():
                actors = [kind.remote() for _ in range(1000)]
                ray.get([actor.nothing.remote() for actor in actors])

            return timed(create)

    yield Figure("created and called", [once() for _ in range(max(1, rounds // 2))], "s", at_most=10)


# ---- Memory


def of_process(pid, *fields):
    """MiB of a process in sum of the fields of its smaps_rollup."""
    total = 0
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.split(":")[0] in fields:
            total += int(line.split()[1]) / 1024
    return total


def below(pid):
    """The process and all that it has forked, with their names."""
    found = [(pathlib.Path(f"/proc/{pid}/comm").read_text().strip(), pid)]
    for thread in pathlib.Path(f"/proc/{pid}/task").iterdir():
        for child in (thread / "children").read_text().split():
            found += below(child)
    return found


def processes_of_cluster():
    """(name, pid) of the daemon and of all processes below it: zygotes and workers."""
    from manta.util.state import list_nodes

    return below(list_nodes()[0].pid)


def cpu_seconds(pid):
    """Of all threads, to the nanosecond."""
    total = 0
    for thread in pathlib.Path(f"/proc/{pid}/task").iterdir():
        total += int((thread / "schedstat").read_text().split()[0])
    return total / 1e9


@row
def idle(rounds):
    """A cluster whose workers have each run a task, half a second after the last: its memory, and its CPU in the next three seconds."""
    with cluster(num_cpus=2) as ray:
        @ray.remote
        def nap():
            time.sleep(0.2)
            return os.getpid()

        workers = ray.get([nap.remote() for _ in range(2)])
        time.sleep(0.5)
        processes = processes_of_cluster()
        yield Figure("a worker's private memory", [of_process(pid, "Private_Clean", "Private_Dirty") for pid in workers], "MiB", at_most=15)
        yield Figure("memory of all (PSS), no driver", [sum(of_process(pid, "Pss") for _, pid in processes)], "MiB", at_most=100,
                     beside=", ".join(name for name, _ in processes))

        def cpu():
            pids = [os.getpid()] + [pid for _, pid in processes]
            before = sum(map(cpu_seconds, pids))
            time.sleep(3)
            return (sum(map(cpu_seconds, pids)) - before) / 3 * 100

        yield Figure("CPU of one core, driver included", [cpu() for _ in range(max(1, rounds // 2))], "%", at_most=0.5)


@row
def ten_million_tasks(rounds):
    """A driver submits 10,000,000 tasks in batches of 1,000: memory of all processes, after the first million and in the end."""
    with cluster() as ray:
        @ray.remote
        def same(x):
            return x

        def tasks(count):
            for _ in range(count // 1000):
                ray.get([same.remote(i) for i in range(1000)])

        def memory():
            return sum(of_process(pid, "Pss") for pid in [os.getpid()] + [pid for _, pid in processes_of_cluster()])

        tasks(1_000_000)
        before = memory()
        tasks(9_000_000)
        yield Figure("growth in 9,000,000 tasks", [memory() - before], "MiB", at_most=1, beside=f"of {before:.1f} MiB")


# ---- Bandwidth


@row
def put_800_mib(rounds):
    """put of 800 MiB: the first of a cluster beside a copy into fresh shared pages; the next, into warm ones, beside a copy into such."""
    import numpy

    data = numpy.ones(100 * MIB, dtype=numpy.int64)

    def shared():
        return numpy.frombuffer(mmap.mmap(-1, data.nbytes), dtype=numpy.int64)

    def rate(function):
        return data.nbytes / timed(function) / 1e9

    first, fresh, warm, copies = [], [], [], []
    for _ in range(max(1, rounds // 2)):
        pages = shared()
        fresh.append(rate(lambda pages=pages: numpy.copyto(pages, data)))
        del pages
        with cluster(object_store_memory=2 << 30) as ray:
            first.append(rate(lambda: ray.put(data)))
    warm_pages = shared()
    numpy.copyto(warm_pages, data)
    with cluster(object_store_memory=2 << 30) as ray:
        for _ in range(2):
            ray.put(data)
        for _ in range(2 * rounds):
            copies.append(rate(lambda: numpy.copyto(warm_pages, data)))
            warm.append(rate(lambda: ray.put(data)))
    yield Figure("first put / copy, fresh pages", [a / b for a, b in zip(first, fresh)], "", beside=f"copy {statistics.median(fresh):.2f} GB/s")
    yield Figure("put / copy, warm pages", [a / b for a, b in zip(warm, copies)], "", at_least=0.9,
                 beside=f"copy {statistics.median(copies):.2f} GB/s")


def main():
    parser = argparse.ArgumentParser(prog="python_bench", description=__doc__.split("\n")[0])
    parser.add_argument("--rows", default="", help="only rows whose name matches")
    parser.add_argument("--quick", action="store_true", help="one round of each row instead of five")
    parser.add_argument("--json", type=pathlib.Path, help="write all figures there")
    parser.add_argument("--list", action="store_true", help="print the rows and what they measure")
    options = parser.parse_args()
    # An installed package has its bytecode: the first start writes it, the others find it.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    chosen = {name: function for name, function in ROWS.items() if re.search(options.rows, name)}
    if not chosen:
        parser.error(f"no row matches {options.rows!r}; there are: {', '.join(ROWS)}")
    if options.list:
        for name, function in chosen.items():
            print(f"{name}: {function.__doc__}")
        return 0
    print(f"{'':36}{'min':>14}{'median':>14}{'max':>14}        target")
    figures = {}
    for name, function in chosen.items():
        print(f"\n{name}: {function.__doc__}", flush=True)
        for figure in function(1 if options.quick else 5):
            print(figure.line(), flush=True)
            figures[f"{name}/{figure.name}"] = {**dataclasses.asdict(figure), "median": figure.median, "met": figure.met}
    missed = [name for name, figure in figures.items() if figure["met"] is False]
    print(f"\ntargets met: {sum(figure['met'] is True for figure in figures.values())}")
    print(f"targets missed: {len(missed)}{': ' + ', '.join(missed) if missed else ''}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
