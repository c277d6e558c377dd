"""What Ray's guides to tasks and objects show, in programs of our own."""

import asyncio
import collections
import concurrent.futures
import os
import threading
import time

import numpy as np
import pytest

import manta as ray

OBJECTS_OF_EXPORTED_FUNCTIONS = 1


@pytest.fixture(autouse=True)
def connected(cluster):
    yield


# ---- Tasks


def test_calls_return_at_once_and_run_at_the_same_time():
    @ray.remote
    def nap(i):
        time.sleep(0.5)
        return i

    ray.get([nap.remote(0), nap.remote(1)])  # workers have started
    began = time.monotonic()
    refs = [nap.remote(i) for i in range(2)]
    assert time.monotonic() - began < 0.3
    assert ray.get(refs) == [0, 1]
    assert time.monotonic() - began < 0.95


def test_functions_may_be_made_remote_where_they_are_used():
    def scaled(x, factor=2, *rest, offset=0, **more):
        return x * factor + offset + sum(rest) + sum(more.values())

    remote = ray.remote(scaled)
    assert ray.get(remote.remote(3)) == 6
    assert ray.get(remote.remote(3, 3, 1, 1, offset=10, other=5)) == 26
    assert ray.get(ray.remote(num_cpus=0.5)(scaled).remote(1)) == 2
    assert ray.get(ray.remote(lambda: "lambda").remote()) == "lambda"


def test_a_remote_function_is_no_function():
    @ray.remote
    def f():
        return 1

    with pytest.raises(TypeError, match=r"\.remote\("):
        f()


def test_references_as_arguments_make_a_chain():
    @ray.remote
    def increment(x, *, by=1):
        return x + by

    ref = increment.remote(0)
    for _ in range(20):
        ref = increment.remote(ref, by=ray.put(2))
    assert ray.get(ref) == 41


def test_waiting_for_a_part():
    @ray.remote
    def after(seconds):
        time.sleep(seconds)
        return seconds

    refs = [after.remote(0.0), after.remote(5)]
    ready, rest = ray.wait(refs, num_returns=1)
    assert ready == refs[:1] and rest == refs[1:]
    ready, rest = ray.wait(refs, num_returns=2, timeout=0.2)
    assert (ready, rest) == (refs[:1], refs[1:])
    ray.cancel(refs[1], force=True)


def test_several_results():
    @ray.remote(num_returns=3)
    def three():
        return 0, 1, 2

    @ray.remote
    def any_number(n):
        return list(range(n))

    @ray.remote(num_returns=3)
    def three_by_yield():
        for i in range(3):
            yield np.full(10, i)

    a, b, c = three.remote()
    assert ray.get([a, b, c]) == [0, 1, 2]
    assert ray.get(any_number.options(num_returns=2).remote(2)) == [0, 1]
    assert [int(array[0]) for array in ray.get(three_by_yield.remote())] == [0, 1, 2]


def test_a_number_of_results_that_the_task_decides():
    @ray.remote(num_returns="dynamic")
    def split(array, size):
        while len(array) > 0:
            yield array[:size]
            array = array[size:]

    @ray.remote
    def lengths(generator):
        return [len(ray.get(ref)) for ref in generator]

    ref = split.remote(np.ones(1050), 100)
    assert sum(len(ray.get(part)) for part in ray.get(ref)) == 1050
    assert ray.get(lengths.remote(ref)) == [100] * 10 + [50]


def test_cancelling():
    @ray.remote
    def blocks():
        time.sleep(1000)

    for options in ({}, {"force": True}):
        ref = blocks.remote()
        time.sleep(0.3)
        ray.cancel(ref, **options)
        with pytest.raises(ray.exceptions.TaskCancelledError):
            ray.get(ref, timeout=20)


def test_a_waiting_task_gives_its_cpu_to_its_children():
    @ray.remote(num_cpus=2)
    def child(i):
        return i

    @ray.remote(num_cpus=2)
    def parent():
        return sum(ray.get([child.remote(i) for i in range(3)]))

    assert ray.get(parent.remote(), timeout=30) == 3


def test_exceptions_are_of_their_own_type_and_of_rays():
    class Mine(ValueError):
        def __init__(self, number):
            super().__init__(f"number {number}")
            self.number = number

    @ray.remote
    def fail():
        raise Mine(7)

    @ray.remote
    def use(x):
        return x

    for ref in (fail.remote(), use.remote(fail.remote())):
        with pytest.raises(Mine) as raised:
            ray.get(ref)
        assert isinstance(raised.value, ray.exceptions.RayTaskError)
        assert raised.value.cause.number == 7 and "fail" in str(raised.value) and "number 7" in str(raised.value)


def test_exceptions_that_cannot_be_pickled_arrive_nevertheless():
    class Locked(Exception):
        def __init__(self):
            super().__init__("has a lock")
            self.lock = threading.Lock()

    @ray.remote
    def fail():
        raise Locked

    with pytest.raises(ray.exceptions.RayError, match="has a lock"):
        ray.get(fail.remote())


def test_retries_after_crashes_and_after_chosen_exceptions(tmp_path):
    @ray.remote(max_retries=3)
    def crash_twice(path):
        with open(path, "a") as file:
            file.write("x")
        if os.path.getsize(path) < 3:
            os._exit(1)
        return os.path.getsize(path)

    class Flaky(Exception):
        pass

    @ray.remote(max_retries=5, retry_exceptions=[Flaky])
    def fail_twice(path, error):
        with open(path, "a") as file:
            file.write("x")
        if os.path.getsize(path) < 3:
            raise error
        return os.path.getsize(path)

    assert ray.get(crash_twice.remote(str(tmp_path / "a"))) == 3
    assert ray.get(fail_twice.remote(str(tmp_path / "b"), Flaky())) == 3
    with pytest.raises(KeyError):
        ray.get(fail_twice.remote(str(tmp_path / "c"), KeyError()))
    assert os.path.getsize(tmp_path / "c") == 1
    with pytest.raises(ray.exceptions.WorkerCrashedError):
        ray.get(crash_twice.options(max_retries=0).remote(str(tmp_path / "d")))


# ---- Generators


def test_values_come_while_the_task_goes_on():
    @ray.remote
    def squares(n):
        for i in range(n):
            yield i * i

    seen = []
    generator = squares.remote(5)
    for ref in generator:
        seen.append(ray.get(ref))
    assert seen == [0, 1, 4, 9, 16]
    with pytest.raises(StopIteration):
        next(generator)


def test_an_exception_comes_where_it_was_raised():
    @ray.remote
    def breaks():
        for i in range(3):
            if i == 2:
                raise RuntimeError("at 2")
            yield i

    generator = breaks.remote()
    assert ray.get(next(generator)) == 0 and ray.get(next(generator)) == 1
    with pytest.raises(RuntimeError, match="at 2"):
        ray.get(next(generator))
    with pytest.raises(StopIteration):
        next(generator)


def test_generators_of_actors_of_three_kinds():
    class Plain:
        def numbers(self):
            yield from range(3)

    class Asynchronous:
        async def numbers(self):
            for i in range(3):
                await asyncio.sleep(0.01)
                yield i

    for actor in (ray.remote(Plain).remote(), ray.remote(Plain).options(max_concurrency=3).remote(), ray.remote(Asynchronous).remote()):
        assert [ray.get(ref) for ref in actor.numbers.remote()] == [0, 1, 2]


def test_generators_in_coroutines():
    @ray.remote
    def numbers():
        for i in range(4):
            yield i

    async def consume():
        return [await ref async for ref in numbers.remote()]

    async def two():
        return await asyncio.gather(consume(), consume())

    assert asyncio.run(two()) == [[0, 1, 2, 3]] * 2


def test_waiting_for_generators():
    @ray.remote
    def slow():
        time.sleep(0.5)
        yield 1

    @ray.remote
    def quick():
        yield 2
        yield 3

    waiting, seen = [slow.remote(), quick.remote()], []
    while waiting:
        ready, waiting = ray.wait(waiting, num_returns=1)
        for generator in ready:
            try:
                seen.append(ray.get(next(generator)))
            except StopIteration:
                continue
            waiting.append(generator)
    assert seen == [2, 3, 1]


def test_a_generator_that_does_not_run_ahead():
    @ray.remote
    class Log:
        def __init__(self):
            self.made = 0

        def add(self):
            self.made += 1

        def count(self):
            return self.made

    @ray.remote(_generator_backpressure_num_objects=2)
    def numbers(log):
        for i in range(10):
            ray.get(log.add.remote())
            yield i

    log = Log.remote()
    generator = numbers.remote(log)
    ray.get(next(generator))
    time.sleep(0.5)
    assert ray.get(log.count.remote()) <= 4
    assert [ray.get(ref) for ref in generator] == list(range(1, 10))


# ---- Objects


def test_values_are_read_but_not_written():
    array = np.zeros(100_000)
    ref = ray.put(array)
    copy = ray.get(ref)
    with pytest.raises(ValueError, match="read-only"):
        copy[0] = 1
    writable = copy.copy()
    writable[0] = 1
    assert ray.get(ref)[0] == 0

    @ray.remote
    def write(array):
        array[0] = 1

    with pytest.raises(ValueError, match="read-only"):
        ray.get(write.remote(ref))


def test_getting_in_time():
    @ray.remote
    def slow():
        time.sleep(1000)

    ref = slow.remote()
    with pytest.raises(ray.exceptions.GetTimeoutError):
        ray.get(ref, timeout=0.1)
    with pytest.raises(TimeoutError):
        ray.get([ref], timeout=0)
    ray.cancel(ref, force=True)


def test_references_inside_of_values_stay_references():
    @ray.remote
    def kinds(items):
        return [type(item).__name__ for item in items["list"]], ray.get(items["list"])

    refs = [ray.put(i) for i in range(3)]
    assert ray.get(kinds.remote({"list": refs})) == (["ObjectRef"] * 3, [0, 1, 2])
    outer = ray.put({"list": refs})
    del refs
    assert ray.get(kinds.remote(outer)) == (["ObjectRef"] * 3, [0, 1, 2])


def test_references_in_closures_and_as_results():
    one, two = ray.put(1), ray.put(2)

    @ray.remote
    def captured():
        return sum(ray.get([one, two]))

    @ray.remote
    def makes():
        return [ray.put("made inside")]

    assert ray.get(captured.remote()) == 3
    assert ray.get(ray.get(makes.remote())[0]) == "made inside"


def test_captured_references_outlive_their_makers():
    def make(large, small):
        @ray.remote
        def captured(i):
            return int(ray.get(large)[i]), ray.get(small)

        @ray.remote
        def calls_it():
            return ray.get([captured.remote(i) for i in range(3)])

        @ray.remote
        class Holds:
            DEFAULT = small

            def get(self, i):
                return int(ray.get(large)[i]), ray.get(self.DEFAULT)

        return captured, calls_it, Holds

    captured, calls_it, Holds = make(ray.put(np.arange(100_000)), ray.put("small"))
    assert ray.get(captured.remote(5)) == (5, "small")
    assert ray.get(calls_it.remote()) == [(i, "small") for i in range(3)]
    actor = Holds.remote()
    assert ray.get([actor.get.remote(7), actor.get.remote(8)]) == [(7, "small"), (8, "small")]
    assert ray.get([captured.remote(i) for i in range(500)]) == [(i, "small") for i in range(500)]


def test_captured_handles_of_actors():
    @ray.remote
    class Adds:
        def add(self, a, b):
            return a + b

    def make(adds):
        return ray.remote(lambda a: ray.get(adds.add.remote(a, 1)))

    through = make(Adds.remote())
    assert ray.get([through.remote(i) for i in range(20)]) == list(range(1, 21))


def test_references_are_keys():
    refs = [ray.put(i) for i in range(10)]
    numbers = {ref: i for i, ref in enumerate(refs)}
    assert all(ray.get(ref) == numbers[ref] for ref in reversed(refs)) and len(set(refs + refs)) == 10
    assert len(refs[0].hex()) == 2 * len(refs[0].binary()) and refs[0] != refs[1]


def test_values_of_many_kinds_come_back_as_they_are():
    Point = collections.namedtuple("Point", "x y")
    loop = []
    loop.append(loop)
    values = (None, True, 3, 2**80, 1.5, 1j, "text", b"bytes", bytearray(b"x"), (1, [2, {3: {4}}]), frozenset({1}), range(5), Point(1, 2),
              np.float32(3), np.array(["a", "bc"]), np.array([None, 1], dtype=object), slice(1, 2), Ellipsis, int, len)
    for value in values:
        got = ray.get(ray.put(value))
        assert np.array_equal(got, value) if isinstance(value, np.ndarray) else got == value and type(got) is type(value)
    got = ray.get(ray.put(loop))
    assert got[0] is got
    array = np.arange(10)
    first, second = ray.get(ray.put([array, array]))
    assert first is second


def test_classes_that_do_not_pickle_by_themselves():
    class Connection:
        def __init__(self, path):
            self.path = path
            self.lock = threading.Lock()

        def __reduce__(self):
            return Connection, (self.path,)

    class Locked:
        def __init__(self, x):
            self.x = x
            self.lock = threading.Lock()

    @ray.remote
    def x_of(value):
        return value.x

    assert ray.get(ray.put(Connection("here"))).path == "here"
    with pytest.raises(TypeError, match="pickle"):
        ray.get(x_of.remote(Locked(1)))
    ray.util.register_serializer(Locked, serializer=lambda value: value.x, deserializer=Locked)
    try:
        assert ray.get(x_of.remote(Locked(5))) == 5
    finally:
        ray.util.deregister_serializer(Locked)


def test_a_value_that_does_not_unpickle_is_an_error_of_the_system():
    def broken(_):
        raise LookupError("the table is gone")

    class Row:
        def __reduce__(self):
            return broken, (1,)

    @ray.remote
    def make():
        return Row()

    @ray.remote
    def take(row):
        return row

    for reference in (ray.put(Row()), make.remote()):
        with pytest.raises(ray.exceptions.RaySystemError, match="the table is gone") as caught:
            ray.get(reference)
        assert isinstance(caught.value.__cause__, LookupError)
    with pytest.raises(ray.exceptions.RayTaskError, match="the table is gone"):
        ray.get(take.remote(Row()))


def test_references_as_futures():
    @ray.remote
    def add(a, b):
        return a + b

    future = add.remote(1, 2).future()
    assert concurrent.futures.wait([future], timeout=10).done == {future} and future.result() == 3

    async def both():
        done, _ = await asyncio.wait([asyncio.wrap_future(add.remote(i, i).future()) for i in range(3)])
        return sorted(task.result() for task in done), await add.remote(5, 5), await asyncio.wait_for(add.remote(1, 1), 10)

    assert asyncio.run(both()) == ([0, 2, 4], 10, 2)
