"""Tasks and objects (the contract's sections 1.3, 1.4, 3.5)."""

import concurrent.futures
import dataclasses
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest

import manta as ray

from waiting import ends

pytestmark = pytest.mark.usefixtures("cluster")


@ray.remote
def square(x):
    return x * x


@ray.remote
def echo(*args, **kwargs):
    return args, kwargs


@ray.remote
def sleep(seconds):
    time.sleep(seconds)
    return seconds


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0


def test_a_task_runs_in_another_process():
    @ray.remote
    def pid():
        return os.getpid()

    assert ray.get(pid.remote()) != os.getpid()


def test_thousands_of_tasks():
    assert ray.get([square.remote(i) for i in range(5000)]) == [i * i for i in range(5000)]


@pytest.mark.parametrize("value", [
    None, True, False, 0, -1, 2**62, 2**100, 1.5, "", "text", "\u00e4\U0001f600", "\ud800", b"", b"bytes" * 1000, "x" * 100_000,
    [1, [2, (3, {"four": 5})]], {"a": {1, 2}}, frozenset([1]), complex(1, 2), range(5), slice(1, 2), Point(1, 2), ValueError, len,
    ..., NotImplemented, 3.0e300, bytearray(b"abc")])
def test_values_come_back_as_they_went(value):
    assert ray.get(ray.put(value)) == value
    assert ray.get(echo.remote(value)) == ((value,), {})
    assert ray.get(echo.remote(key=value)) == ((), {"key": value})
    assert ray.get(echo.remote(ray.put(value))) == ((value,), {})


def test_keyword_and_default_arguments():
    @ray.remote
    def add(a, b=10, *, c=100):
        return a + b + c

    assert ray.get(add.remote(1)) == 111
    assert ray.get(add.remote(1, 2)) == 103
    assert ray.get(add.remote(1, c=0)) == 11
    assert ray.get(add.remote(b=1, a=2)) == 103


def test_wrong_arguments_are_told_at_the_call():
    with pytest.raises(TypeError, match="missing a required argument"):
        square.remote()
    with pytest.raises(TypeError, match="too many positional"):
        square.remote(1, 2)
    with pytest.raises(TypeError, match="unexpected keyword"):
        square.remote(1, z=2)
    with pytest.raises(TypeError, match="cannot be called here"):
        square(1)


def test_references_as_arguments_are_values_there():
    assert ray.get(square.remote(square.remote(3))) == 81
    nested = ray.get(echo.remote([square.remote(3)]))[0][0][0]
    assert isinstance(nested, ray.ObjectRef)
    assert ray.get(nested) == 9


def test_references_inside_of_values_live_as_long_as_those():
    outer = ray.put({"inner": ray.put("x" * 200_000)})
    assert ray.get(ray.get(outer)["inner"]) == "x" * 200_000


def test_several_results():
    @ray.remote(num_returns=3)
    def three():
        return 1, "two", [3]

    assert ray.get(three.remote()) == [1, "two", [3]]
    assert three.options(num_returns=0).remote() is None
    with pytest.raises(ValueError, match="num_returns"):
        ray.get(three.options(num_returns=2).remote()[0])


def test_numpy_is_read_in_place():
    array = np.arange(1_000_000, dtype=np.float64)
    ref = ray.put(array)
    one, other = ray.get(ref), ray.get(ref)
    assert np.array_equal(one, array)
    assert one.__array_interface__["data"][0] == other.__array_interface__["data"][0]
    assert not one.flags.writeable
    with pytest.raises(ValueError):
        one[0] = 1
    del ref, other
    assert one.sum() == array.sum()  # a view keeps its object

    @ray.remote
    def total(a, b=None):
        return float(a.sum()), a.flags.writeable

    assert ray.get(total.remote(array)) == (array.sum(), False)


@pytest.mark.parametrize("size", [0, 1, 3, 30, 300, 2000, 3000, 30_000])
def test_arrays_of_any_size_are_arguments(size):
    @ray.remote
    def total(*arrays, last):
        assert not any(array.flags.writeable for array in arrays)
        return sum(int(array.sum()) for array in arrays) + int(last[0].sum())

    array = np.arange(size)
    assert ray.get(total.remote(array, last=[array])) == 2 * array.sum()
    assert ray.get(total.remote(ray.put(array), array, ray.put(array), last=[array])) == 4 * array.sum()


@pytest.mark.parametrize("asynchronous", [False, True])
def test_arrays_that_an_actor_keeps_stay_as_they_are(asynchronous):
    class Keeper:
        def __init__(self):
            self.kept = []

        def keep(self, array):
            self.kept.append(array)

        def wrong(self, rounds):
            return [i for i, array in enumerate(self.kept) if not (array == i // 2 % rounds).all()]

    class AsyncKeeper(Keeper):
        async def keep(self, array):
            self.kept.append(array)

    keeper = ray.remote(AsyncKeeper if asynchronous else Keeper).remote()
    for size in (1, 3, 30, 300, 3000, 10_000):
        for i in range(50):
            array = np.full(size, i)
            keeper.keep.remote(array if size % 2 else ray.put(array))
            keeper.keep.remote(ray.put(array) if size % 2 else array)
    assert ray.get(keeper.wrong.remote(50)) == []


def test_large_arguments_and_results():
    @ray.remote
    def double(a):
        return 2 * a

    array = np.ones((1000, 1000))
    assert (ray.get(double.remote(array)) == 2).all()
    assert (ray.get(double.remote(ray.put(array))) == 2).all()


def test_a_function_is_what_it_is_at_its_first_call():
    factor = 2

    @ray.remote
    def times(x):
        return factor * x

    assert ray.get(times.remote(4)) == 8


def test_classes_of_the_main_program_travel():
    class Local:
        def __init__(self, value):
            self.value = value

    assert ray.get(ray.put(Local(3))).value == 3


def test_tasks_make_tasks():
    @ray.remote
    def fibonacci(n):
        return n if n < 2 else sum(ray.get([fibonacci.remote(n - 1), fibonacci.remote(n - 2)]))

    assert ray.get(fibonacci.remote(8)) == 21


def test_an_exception_is_of_both_types():
    class Mine(Exception):
        def __init__(self, code, text):
            super().__init__(code, text)
            self.code = code

    @ray.remote
    def fail():
        raise Mine(7, "seven")

    ref = fail.remote()
    for expected in (Mine, ray.exceptions.RayTaskError):
        with pytest.raises(expected) as caught:
            ray.get(ref)
        assert caught.value.code == 7
        assert caught.value.args == (7, "seven")
        assert "RayTaskError(Mine)" in repr(type(caught.value))
        assert "in fail" in str(caught.value) and 'raise Mine(7, "seven")' in str(caught.value)


def test_an_exception_reaches_dependent_tasks():
    @ray.remote
    def fail():
        raise KeyError("gone")

    with pytest.raises(KeyError):
        ray.get(square.remote(fail.remote()))


def test_an_exception_that_does_not_pickle_arrives():
    @ray.remote
    def fail():
        error = ValueError("with a lock")
        error.lock = threading.Lock()
        raise error

    with pytest.raises(ray.exceptions.RayTaskError, match="with a lock"):
        ray.get(fail.remote())


def test_what_does_not_pickle_is_named():
    class Holder:
        def __init__(self):
            self.fine = 1
            self.lock = threading.Lock()

    with pytest.raises(TypeError, match=r"\.lock"):
        ray.put(Holder())
    lock = threading.Lock()

    @ray.remote
    def uses():
        return lock

    with pytest.raises(TypeError, match="'lock'"):
        uses.remote()


def test_get_has_a_time_limit():
    started = time.monotonic()
    ref = sleep.remote(20)
    with pytest.raises(ray.exceptions.GetTimeoutError, match="0.2 s"):
        ray.get(ref, timeout=0.2)
    with pytest.raises(TimeoutError):
        ray.get(ref, timeout=0)
    assert time.monotonic() - started < 10
    ray.cancel(ref, force=True)


def test_get_refuses_what_is_no_reference():
    with pytest.raises(ValueError):
        ray.get(1)
    with pytest.raises(ValueError):
        ray.get((ray.put(1),))
    with pytest.raises(TypeError):
        ray.get([1])
    with pytest.raises(TypeError):
        ray.put(ray.put(1))


def test_wait():
    slow = sleep.remote(20)
    fast = [square.remote(i) for i in range(3)]
    ready, rest = ray.wait([slow, *fast], num_returns=3)
    assert ready == fast and rest == [slow]
    assert ray.wait([slow], timeout=0) == ([], [slow])
    assert ray.wait([]) == ([], [])
    for bad in (dict(num_returns=0), dict(num_returns=5)):
        with pytest.raises(ValueError):
            ray.wait([slow], **bad)
    with pytest.raises(ValueError, match="unique"):
        ray.wait([slow, slow])
    with pytest.raises(TypeError):
        ray.wait(slow)
    ray.cancel(slow, force=True)


def test_cancelling_a_task_in_the_middle(tmp_path):
    @ray.remote
    def work(began, ended):
        began.touch()
        try:
            while True:
                time.sleep(0.01)
        except KeyboardInterrupt:
            ended.touch()
            raise

    began, ended = tmp_path / "began", tmp_path / "ended"
    ref = work.remote(began, ended)
    while not began.exists():
        time.sleep(0.01)
    ray.cancel(ref)
    with pytest.raises(ray.exceptions.TaskCancelledError):
        ray.get(ref, timeout=10)
    assert ended.exists()


def test_cancelling_tasks_at_any_moment_hits_no_other():
    @ray.remote
    def short(number):
        return number

    cancelled = 0
    for round in range(300):
        first, second = short.remote(1), short.remote(2)
        ray.cancel(first)
        assert ray.get(second) == 2
        try:
            assert ray.get(first) == 1
        except ray.exceptions.TaskCancelledError:
            cancelled += 1
    assert cancelled > 0


def test_cancelling_a_task_that_waits():
    blockers = [sleep.remote(3) for _ in range(2)]
    waiting = square.remote(2)
    ray.cancel(waiting)
    with pytest.raises(ray.exceptions.TaskCancelledError):
        ray.get(waiting)
    for ref in blockers:
        ray.cancel(ref, force=True)


def test_a_worker_that_dies():
    @ray.remote(max_retries=0)
    def die():
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(ray.exceptions.WorkerCrashedError, match="signal 9"):
        ray.get(die.remote())


def test_retries(tmp_path):
    @ray.remote(max_retries=2, retry_exceptions=True)
    def third_time(path):
        with open(path, "a") as file:
            file.write("x")
        if os.path.getsize(path) < 3:
            raise RuntimeError("not yet")
        return os.path.getsize(path)

    assert ray.get(third_time.remote(str(tmp_path / "tries"))) == 3


def test_retries_of_listed_exceptions(tmp_path):
    class Passing(RuntimeError):
        pass

    def count(path):
        with open(path, "a") as file:
            file.write("x")
        return os.path.getsize(path)

    @ray.remote(max_retries=3, retry_exceptions=[RuntimeError])
    def second_time(path):
        if count(path) < 2:
            raise Passing("not yet")
        return os.path.getsize(path)

    @ray.remote(max_retries=3)
    def fails(path):
        count(path)
        raise KeyError("always")

    assert ray.get(second_time.remote(str(tmp_path / "a"))) == 2
    with pytest.raises(KeyError):
        ray.get(fails.options(retry_exceptions=[RuntimeError]).remote(str(tmp_path / "b")))
    assert os.path.getsize(tmp_path / "b") == 1
    with pytest.raises(KeyError, match="always"):
        ray.get(fails.options(retry_exceptions=[KeyError], max_retries=1).remote(str(tmp_path / "c")))
    assert os.path.getsize(tmp_path / "c") == 2


def test_options():
    @ray.remote(num_cpus=1)
    def cpus():
        return ray.get_runtime_context().get_assigned_resources().get("CPU", 0)

    assert ray.get(cpus.remote()) == 1
    assert ray.get(cpus.options(num_cpus=2).remote()) == 2
    assert ray.get(cpus.options(num_cpus=0.5).remote()) == 0.5
    for bad, kind in ((dict(num_cpus=-1), ValueError), (dict(num_cpus="1"), TypeError), (dict(resources={"CPU": 1}), ValueError),
                      (dict(nonsense=1), ValueError), (dict(max_retries=-2), ValueError), (dict(num_returns=-1), ValueError),
                      (dict(lifetime="detached"), ValueError), (dict(retry_exceptions=5), TypeError)):
        with pytest.raises(kind):
            cpus.options(**bad)
    with pytest.raises(ValueError):
        ray.remote()
    for decorate in (ray.remote, ray.remote(num_cpus=1)):
        with pytest.raises(TypeError, match="must be applied to either a function or a class; 5 is neither"):
            decorate(5)


def test_a_decorator_is_applied_once():
    class Plain:
        pass

    for remote in (square, ray.remote(Plain), ray.remote(Plain).options(num_cpus=0)):
        for decorate in (ray.remote, ray.remote(num_cpus=1)):
            with pytest.raises(TypeError, match="must be applied to either a function or a class, and only once"):
                decorate(remote)


def test_another_thread_goes_on_while_one_waits():
    ref = sleep.remote(1)
    steps = 0
    waiter = threading.Thread(target=lambda: ray.get(ref))
    waiter.start()
    while waiter.is_alive():
        steps += 1
        time.sleep(0.001)
    assert steps > 20


def test_interrupting_a_wait():
    ref = sleep.remote(20)
    timer = threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        ray.get(ref)
    assert time.monotonic() - started < 10
    ray.cancel(ref, force=True)


def test_interrupting_a_put_that_waits_for_room():
    program = """
        import signal, threading, time, os
        import numpy as np, pytest
        import manta as ray

        ray.init(num_cpus=1, object_store_memory=100 * 2**20)
        take = ray.remote(lambda array: array.size)
        held = [ray.put(np.zeros(2**20, np.uint8)) for _ in range(85)]
        large = np.zeros(50 * 2**20, np.uint8)
        for call in (lambda: ray.put(large), lambda: take.remote(large)):
            threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
            began = time.monotonic()
            with pytest.raises(KeyboardInterrupt):
                call()
            assert time.monotonic() - began < 8, "it has waited until it was refused"
        del held
        assert ray.get(take.remote(ray.put(large))) == large.size
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=True, timeout=60)


def test_references():
    a, b = ray.put(1), ray.put(1)
    assert a != b and a == a and hash(a) == hash(a)
    assert len(a.hex()) == 32 and len(a.binary()) == 16
    assert {a: 1, b: 2}[b] == 2
    assert a.future().result(timeout=60) == 1


def test_memory_comes_back():
    before = ray.available_resources()["object_store_memory"]
    for i in range(20):
        ray.get(square.remote(ray.put(np.full(500_000, i))))
    deadline = time.monotonic() + 20
    while ray.available_resources()["object_store_memory"] < before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert ray.available_resources()["object_store_memory"] == before


# ---- max_calls

@ray.remote(max_calls=2)
def pid_twice():
    return os.getpid()


@ray.remote(max_calls=1)
def make_and_end(size):
    return os.getpid(), ray.put(np.arange(size))


@ray.remote(max_calls=1)
def start_another(path):
    write_later.remote(path)
    return os.getpid()


@ray.remote
def write_later(path):
    time.sleep(0.5)
    with open(path, "w") as file:
        file.write("done")


def test_a_worker_ends_after_max_calls_of_a_function():
    pids = ray.get([pid_twice.remote() for _ in range(20)], timeout=60)
    assert all(pids.count(pid) <= 2 for pid in pids)
    pids = [ray.get(pid_twice.remote(), timeout=60) for _ in range(6)]
    assert all(pids.count(pid) <= 2 for pid in pids) and len(set(pids)) >= 3
    assert ends(pids[0])


def test_calls_of_other_functions_do_not_count():
    @ray.remote
    def pid():
        return os.getpid()

    assert len(set(ray.get([pid.remote() for _ in range(50)], timeout=60))) <= ray.cluster_resources()["CPU"]


def test_a_worker_that_has_had_its_calls_stays_for_what_it_owns():
    pid, ref = ray.get(make_and_end.remote(1_000_000), timeout=60)
    time.sleep(0.3)
    assert ray.get(ref, timeout=60)[-1] == 999_999
    del ref
    assert ends(pid)


def test_a_worker_that_has_had_its_calls_stays_for_its_tasks(tmp_path):
    path = tmp_path / "written"
    pid = ray.get(start_another.remote(str(path)), timeout=60)
    assert ends(pid)
    assert path.read_text() == "done"


def test_the_last_call_may_be_a_generator_or_fail():
    @ray.remote(max_calls=1, num_returns="streaming")
    def three():
        for _ in range(3):
            yield os.getpid()

    @ray.remote(max_calls=1)
    def fail():
        raise ValueError(os.getpid())

    streams = [[ray.get(ref) for ref in three.remote()] for _ in range(2)]
    assert [len(set(stream)) for stream in streams] == [1, 1] and streams[0] != streams[1]
    with pytest.raises(ValueError) as failed:
        ray.get(fail.remote(), timeout=60)
    assert ends(int(str(failed.value.cause)))


def test_max_calls_belongs_to_the_function():
    with pytest.raises(ValueError, match="max_calls belongs to the function"):
        pid_twice.options(max_calls=3)
    with pytest.raises((TypeError, ValueError)):
        ray.remote(max_calls=-1)(os.getpid)


def test_object_space_is_no_option_of_tasks():
    with pytest.raises(ValueError, match="no option of tasks"):
        ray.remote(object_store_memory=1 << 20)(len)

    class Actor:
        def answer(self):
            return 42

    with pytest.warns(DeprecationWarning, match="object_store_memory is deprecated and has no effect"):
        Actor = ray.remote(object_store_memory=1 << 20)(Actor)

    assert ray.get(Actor.remote().answer.remote()) == 42


def test_the_environment_says_how_often_tasks_are_tried_again(cluster, monkeypatch, tmp_path):
    def crash(path):
        with open(path, "a") as tries:
            tries.write(".")
        os._exit(1)

    monkeypatch.setenv("RAY_TASK_MAX_RETRIES", "1")
    with pytest.raises(ray.exceptions.WorkerCrashedError):
        ray.get(ray.remote(crash).remote(tmp_path / "tries"))
    assert (tmp_path / "tries").read_text() == ".."
    with pytest.raises(ray.exceptions.WorkerCrashedError):
        ray.get(ray.remote(max_retries=0)(crash).remote(tmp_path / "once"))
    assert (tmp_path / "once").read_text() == "."
    monkeypatch.setenv("RAY_TASK_MAX_RETRIES", "often")
    with pytest.raises(ValueError, match="RAY_TASK_MAX_RETRIES has to be a number, not 'often'"):
        ray.remote(crash).remote(tmp_path / "never")
    monkeypatch.setenv("RAY_TASK_MAX_RETRIES", str(2**32))
    with pytest.raises(ValueError, match="RAY_TASK_MAX_RETRIES has to be 2147483647 or less"):
        ray.remote(crash).remote(tmp_path / "never")


@pytest.fixture
def switching_often():
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def test_threads_call_a_function_for_the_first_time_at_once(switching_often):
    for round in range(30):
        held = ray.put(round)

        @ray.remote
        def add(x):
            return ray.get(held) + x

        at_once = threading.Barrier(8)

        def call(x, add=add, at_once=at_once):
            at_once.wait()
            return ray.get(add.remote(x))

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            calls = [pool.submit(call, x) for x in range(8)]
        assert [each.result() for each in calls] == [round + x for x in range(8)]
