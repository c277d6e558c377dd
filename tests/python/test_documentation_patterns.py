"""The patterns of Ray's guide, and what its anti-patterns still give, in programs of our own."""

import asyncio
import multiprocessing
import os
import random
import time
import warnings

import numpy as np
import pytest

import manta as ray

OBJECTS_OF_EXPORTED_FUNCTIONS = 1


@pytest.fixture(autouse=True)
def connected(cluster):
    yield


def test_tasks_in_tasks_divide_the_work():
    def quick_sort(items):
        if len(items) <= 100:
            return sorted(items)
        pivot, rest = items[0], items[1:]
        parts = [[x for x in rest if x < pivot], [x for x in rest if x >= pivot]]
        left, right = ray.get([remote_sort.remote(part) if len(part) > 300 else ray.put(quick_sort(part)) for part in parts])
        return left + [pivot] + right

    remote_sort = ray.remote(quick_sort)
    generator = random.Random(1)
    numbers = [generator.randrange(10_000) for _ in range(3000)]
    assert ray.get(remote_sort.remote(numbers)) == sorted(numbers)


def test_a_generator_holds_one_block_at_a_time():
    @ray.remote(num_returns=5)
    def blocks():
        for i in range(5):
            yield np.full(1_000_000, i, dtype=np.int8)

    assert [int(ray.get(ref)[0]) for ref in blocks.remote()] == list(range(5))


def test_wait_bounds_what_is_under_way():
    @ray.remote
    class Meter:
        def __init__(self):
            self.now = self.most = 0

        def enter(self):
            self.now += 1
            self.most = max(self.most, self.now)

        def leave(self):
            self.now -= 1

        def peak(self):
            return self.most

    @ray.remote(num_cpus=0)
    def work(meter):
        ray.get(meter.enter.remote())
        time.sleep(0.01)
        ray.get(meter.leave.remote())

    meter, refs = Meter.remote(), []
    for _ in range(30):
        if len(refs) >= 3:
            _, refs = ray.wait(refs, num_returns=1)
        refs.append(work.remote(meter))
    ray.get(refs)
    assert ray.get(meter.peak.remote()) <= 3


def test_resources_bound_what_runs_at_once():
    @ray.remote(num_cpus=0, memory=ray.cluster_resources()["memory"] * 0.6)
    def alone(folder):
        mine = os.path.join(folder, str(os.getpid()))
        open(mine, "w").close()
        count = len(os.listdir(folder))
        time.sleep(0.05)
        os.unlink(mine)
        return count

    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        assert set(ray.get([alone.remote(folder) for _ in range(6)])) == {1}


def test_a_signal_between_tasks():
    @ray.remote(num_cpus=0)
    class Signal:
        def __init__(self):
            self.event = asyncio.Event()

        def send(self, clear=False):
            self.event.set()
            if clear:
                self.event.clear()

        async def wait(self, should_wait=True):
            if should_wait:
                await self.event.wait()

    @ray.remote(num_cpus=0)
    def waits(signal):
        ray.get(signal.wait.remote())
        return "went"

    signal = Signal.remote()
    refs = [waits.remote(signal) for _ in range(4)]
    assert ray.wait(refs, num_returns=4, timeout=0.3)[0] == []
    ray.get(signal.send.remote())
    assert ray.get(refs) == ["went"] * 4


def test_a_tree_of_actors():
    @ray.remote(num_cpus=0)
    class Worker:
        def __init__(self, number):
            self.number = number

        def work(self, x):
            return self.number * x

    @ray.remote(num_cpus=0)
    class Supervisor:
        def __init__(self, count):
            self.workers = [Worker.remote(i) for i in range(count)]

        def work(self, x):
            return sum(ray.get([worker.work.remote(x) for worker in self.workers]))

    supervisor = Supervisor.remote(4)
    assert ray.get([supervisor.work.remote(1), supervisor.work.remote(10)]) == [6, 60]


def test_a_pipeline_asks_for_the_next_item_before_it_works_on_this_one():
    @ray.remote
    class Items:
        def __init__(self):
            self.left = list(range(20))

        def next(self):
            return self.left.pop(0) if self.left else None

    @ray.remote
    class Worker:
        def __init__(self, items):
            self.items = items

        def run(self):
            done, coming = [], self.items.next.remote()
            while True:
                item = ray.get(coming)
                if item is None:
                    return done
                coming = self.items.next.remote()
                done.append(item * item)

    items = Items.remote()
    workers = [Worker.remote(items) for _ in range(2)]
    assert sorted(sum(ray.get([worker.run.remote() for worker in workers]), [])) == [i * i for i in range(20)]


def test_an_actor_runs_tasks_at_the_same_time():
    @ray.remote
    def double(x):
        time.sleep(0.05)
        return 2 * x

    @ray.remote(num_cpus=0)
    class Runs:
        async def run(self, x):
            return await double.remote(x)

    actor = Runs.remote()
    assert ray.get([actor.run.remote(i) for i in range(10)]) == [2 * i for i in range(10)]


def test_map_and_reduce():
    @ray.remote(num_returns=3)
    def count(text):
        parts = [{} for _ in range(3)]
        for word in text.split():
            part = parts[len(word) % 3]
            part[word] = part.get(word, 0) + 1
        return parts

    @ray.remote
    def reduce(*parts):
        total = {}
        for part in parts:
            for word, n in part.items():
                total[word] = total.get(word, 0) + n
        return total

    mapped = [count.remote(text) for text in ("a bb a", "bb ccc", "a ccc ccc dddd")]
    reduced = ray.get([reduce.remote(*column) for column in zip(*mapped)])
    assert {word: n for part in reduced for word, n in part.items()} == {"a": 3, "bb": 2, "ccc": 3, "dddd": 1}


def test_progress_through_an_actor():
    @ray.remote
    class Progress:
        def __init__(self, total):
            self.total = total
            self.done = {}

        def report(self, who, done):
            self.done[who] = done

        def get(self):
            return sum(self.done.values()) / self.total

    @ray.remote
    def sample(who, n, progress):
        inside = 0
        generator = random.Random(who)
        for i in range(n):
            inside += generator.random() ** 2 + generator.random() ** 2 <= 1
            if (i + 1) % 500 == 0:
                progress.report.remote(who, i + 1)
        return inside

    progress = Progress.remote(4 * 2000)
    refs = [sample.remote(i, 2000, progress) for i in range(4)]
    assert abs(4 * sum(ray.get(refs)) / 8000 - 3.14) < 0.2
    deadline = time.monotonic() + 20
    while ray.get(progress.get.remote()) < 1:
        assert time.monotonic() < deadline


def test_a_tree_of_sums():
    @ray.remote
    def add(x, y):
        time.sleep(0.01)
        return x + y

    values = [ray.put(i) for i in range(16)]
    while len(values) > 1:
        values = values[2:] + [add.remote(*values[:2])]
    assert ray.get(values[0]) == sum(range(16))


# ---- What is advised against works


def test_results_that_are_references():
    @ray.remote
    def put_itself():
        return ray.put([1, 2])

    @ray.remote
    def use(value):
        return value

    inner = ray.get(put_itself.remote())
    assert ray.get(inner) == [1, 2]
    assert isinstance(ray.get(use.remote(put_itself.remote())), ray.ObjectRef)


def test_a_large_value_in_a_closure_is_warned_of():
    large = np.zeros(12 << 20, dtype=np.int8)

    @ray.remote
    def size():
        return large.nbytes

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert ray.get(size.remote()) == 12 << 20
    assert any("put" in str(warning.message) for warning in caught)


def test_globals_are_those_of_each_process():
    global shared
    shared = 1

    @ray.remote
    class Sets:
        def set(self):
            global shared
            shared = 2
            return shared

        def get(self):
            return shared

    actor = Sets.remote()
    assert ray.get([actor.set.remote(), actor.get.remote()]) == [2, 2] and shared == 1


def test_processes_of_other_kinds_inside_of_a_task():
    @ray.remote
    def with_pool():
        with multiprocessing.get_context("spawn").Pool(2) as pool:
            return pool.map(abs, [-1, -2, 3])

    assert ray.get(with_pool.remote(), timeout=60) == [1, 2, 3]


def test_functions_that_are_made_again_and_again():
    results = []
    for i in range(30):
        @ray.remote
        def made(x, i=i):
            return x * i

        results.append(made.remote(2))
    assert ray.get(results) == [2 * i for i in range(30)]


def test_a_large_class_makes_many_actors():
    table = bytes(2 << 20)

    @ray.remote(num_cpus=0)
    class Large:
        def size(self):
            return len(table)

    @ray.remote
    def makes():
        return ray.get(Large.remote().size.remote())

    assert ray.get([Large.remote().size.remote() for _ in range(3)] + [makes.remote()]) == [2 << 20] * 4
