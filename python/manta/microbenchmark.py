"""The rows of `ray microbenchmark`, under its names and by its definitions, for Manta or for Ray.

    python -m manta.microbenchmark [--module ray] [--rows REGEX] [--seconds S] [--json FILE]

Each row calls its function for S seconds to warm up, then in 4 rounds of at least 2 * S seconds (default S: 1); the figure is the mean of the
rounds, beside its standard deviation.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import statistics
import sys
import time


def measure(function, multiplier, seconds):
    """(mean, standard deviation) of multiplier x calls a second."""
    deadline = time.perf_counter() + seconds
    calls = 0
    while time.perf_counter() < deadline:
        function()
        calls += 1
    batch = calls // 10 + 1
    rounds = []
    for _ in range(4):
        start = time.perf_counter()
        done = 0
        while time.perf_counter() - start < 2 * seconds:
            for _ in range(batch):
                function()
            done += batch
        rounds.append(multiplier * done / (time.perf_counter() - start))
    return statistics.mean(rounds), statistics.pstdev(rounds)


def rows(ray, cores):
    """(name, function, multiplier) of each row; what it needs is made when it is reached."""
    import numpy as np

    @ray.remote
    def small_value():
        return b"ok"

    @ray.remote
    def do_puts():
        for _ in range(100):
            ray.put(0)

    @ray.remote
    def put_large():
        for _ in range(10):
            ray.put(np.zeros(10 * 1024 * 1024, dtype=np.int64))

    @ray.remote
    def references():
        return [ray.put(1) for _ in range(10_000)]

    @ray.remote
    def call_all(actors, count):
        ray.get([actors[i % len(actors)].small_value.remote() for i in range(count)])

    @ray.remote(num_cpus=0)
    class Actor:
        def small_value(self):
            return b"ok"

        def small_value_arg(self, x):
            return b"ok"

        def batch(self, count):
            ray.get([small_value.remote() for _ in range(count)])

    @ray.remote(num_cpus=0)
    class AsyncActor:
        async def small_value(self):
            return b"ok"

        async def small_value_with_arg(self, x):
            return b"ok"

    @ray.remote(num_cpus=0)
    class Client:
        def __init__(self, servers):
            self.servers = servers if isinstance(servers, list) else [servers]

        def batch(self, count):
            ray.get([server.small_value.remote() for server in self.servers for _ in range(count)])

        def batch_arg(self, count):
            x = ray.put(0)
            ray.get([server.small_value_arg.remote(x) for server in self.servers for _ in range(count)])

    value = ray.put(0)
    yield "single client get calls (Plasma Store)", lambda: ray.get(value), 1
    yield "single client put calls (Plasma Store)", lambda: ray.put(0), 1
    yield "multi client put calls (Plasma Store)", lambda: ray.get([do_puts.remote() for _ in range(10)]), 1000
    large = np.zeros(100 * 1024 * 1024, dtype=np.int64)
    yield "single client put gigabytes", lambda: ray.put(large), 8 * 0.1
    yield "multi client put gigabytes", lambda: ray.get([put_large.remote() for _ in range(10)]), 10 * 8 * 0.1
    yield "single client tasks and get batch", lambda: ray.get([small_value.remote() for _ in range(1000)]), 1
    containing = references.remote()
    yield "single client get object containing 10k refs", lambda: ray.get(containing), 1

    def wait_for_all():
        pending = [small_value.remote() for _ in range(1000)]
        while pending:
            _, pending = ray.wait(pending)

    yield "single client wait 1k refs", wait_for_all, 1
    yield "single client tasks sync", lambda: ray.get(small_value.remote()), 1
    yield "single client tasks async", lambda: ray.get([small_value.remote() for _ in range(1000)]), 1000
    submitters = [Actor.remote() for _ in range(4)]
    yield "multi client tasks async", lambda: ray.get([s.batch.remote(10_000) for s in submitters]), 40_000
    actor = Actor.remote()
    yield "1:1 actor calls sync", lambda: ray.get(actor.small_value.remote()), 1
    yield "1:1 actor calls async", lambda: ray.get([actor.small_value.remote() for _ in range(1000)]), 1000
    threaded = Actor.options(max_concurrency=16).remote()
    yield "1:1 actor calls concurrent", lambda: ray.get([threaded.small_value.remote() for _ in range(1000)]), 1000
    half = max(1, cores // 2)
    servers = [Actor.remote() for _ in range(half)]
    client = Client.remote(servers)
    yield "1:n actor calls async", lambda: ray.get(client.batch.remote(5000)), 5000 * half
    yield "n:n actor calls async", lambda: ray.get([call_all.remote(servers, 5000) for _ in range(4)]), 4 * 5000
    pairs = [Client.remote(server) for server in servers]
    yield "n:n actor calls with arg async", lambda: ray.get([pair.batch_arg.remote(1000) for pair in pairs]), 1000 * half
    coroutines = AsyncActor.remote()
    yield "1:1 async-actor calls sync", lambda: ray.get(coroutines.small_value.remote()), 1
    yield "1:1 async-actor calls async", lambda: ray.get([coroutines.small_value.remote() for _ in range(1000)]), 1000
    yield "1:1 async-actor calls with args async", lambda: ray.get([coroutines.small_value_with_arg.remote(i) for i in range(1000)]), 1000
    async_servers = [AsyncActor.remote() for _ in range(half)]
    async_client = Client.remote(async_servers)
    yield "1:n async-actor calls async", lambda: ray.get(async_client.batch.remote(5000)), 5000 * half
    yield "n:n async-actor calls async", lambda: ray.get([call_all.remote(async_servers, 5000) for _ in range(4)]), 4 * 5000
    yield "placement group create/removal", lambda: make_and_remove_groups(ray, 100), 100


def make_and_remove_groups(ray, count):
    groups = [ray.util.placement_group([{"custom": 0.001}]) for _ in range(count)]
    for group in groups:
        group.wait(timeout_seconds=30)
    for group in groups:
        ray.util.remove_placement_group(group)


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="manta.microbenchmark", description=__doc__.split("\n")[0])
    parser.add_argument("--module", default="manta", help="what to measure: manta or ray")
    parser.add_argument("--rows", default="", help="only rows whose name matches")
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--json", help="write the figures into this file")
    options = parser.parse_args(arguments)
    if options.seconds <= 0:
        parser.error("--seconds has to be more than 0")
    if importlib.util.find_spec("numpy") is None:
        parser.exit(1, "The microbenchmark measures arrays of numpy, which is not installed: pip install numpy\n")
    ray = importlib.import_module(options.module)
    importlib.import_module(options.module + ".util")
    ray.init(address="local", resources={"custom": 100})
    cores = os.cpu_count() or 1
    figures = {}
    for name, function, multiplier in rows(ray, cores):
        if not re.search(options.rows, name):
            continue
        mean, deviation = measure(function, multiplier, options.seconds)
        figures[name] = {"per_second": mean, "deviation": deviation}
        print(f"{name} per second {mean:.2f} +- {deviation:.2f}", flush=True)
    ray.shutdown()
    if options.json:
        with open(options.json, "w") as file:
            json.dump(figures, file, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
