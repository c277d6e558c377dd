"""What @ray.remote and actors give, and options that have no test of their own (the contract's sections 1.3, 1.4, 1.6)."""

import asyncio
import inspect
import math
import os
import re
import subprocess
import sys
import time

import pytest

import manta as ray
from manta.actor import ActorClass, ActorClassInheritanceException, ActorHandle, ActorMethod
from manta.remote_function import RemoteFunction
from manta.util.scheduling_strategies import PlacementGroupSchedulingStrategy

pytestmark = pytest.mark.usefixtures("cluster")


@ray.remote
def double(x):
    """Twice x."""
    return 2 * x


@ray.remote(num_cpus=0)
class Counter:
    """Counts."""

    def __init__(self, start=0):
        self.count = start

    def add(self, number=1):
        self.count += number
        return self.count

    @ray.method(enable_task_events=False)
    def quiet(self):
        return self.count


def test_a_remote_function():
    assert isinstance(double, RemoteFunction) and double.__doc__ == "Twice x."
    renamed = double.options(name="other")
    assert isinstance(renamed, RemoteFunction) and ray.get(renamed.remote(3)) == 6
    assert ray.get(double._remote(args=(4,), num_cpus=0.5)) == 8
    assert inspect.unwrap(double)(2) == 4


def test_an_actors_class_handles_and_methods():
    assert isinstance(Counter, ActorClass) and Counter.__name__ == "Counter" and Counter.__doc__ == "Counts."
    assert isinstance(Counter.options(max_restarts=1), ActorClass)
    counter = Counter._remote(args=(5,), num_cpus=0)
    assert isinstance(counter, ActorHandle) and isinstance(counter.add, ActorMethod)
    assert ray.get(counter.add.remote(2)) == 7
    assert ray.get(counter.add.options(name="adds").remote(1)) == 8
    assert ray.get(counter.quiet.remote()) == 8
    with pytest.raises(ActorClassInheritanceException, match="Counter"):

        class Derived(Counter):
            pass


def test_options_without_effect_are_accepted():
    """What Ray's dashboard would not show."""
    plain = dict(enable_task_events=False, _labels={})
    assert ray.get(double.options(**plain).remote(1)) == 2
    assert ray.get(Counter.options(**plain).remote(1).add.options(enable_task_events=True).remote()) == 2


def test_options_that_are_not_there_yet_say_so():
    with pytest.raises(NotImplementedError, match="_labels is not there yet"):
        double.options(_labels={"a": "b"})
    with pytest.raises(NotImplementedError, match="_labels is not there yet"):
        Counter.options(_labels={"a": "b"})


@pytest.mark.parametrize("kind, option, most", [
    (abs, "max_retries", 2**31 - 1), (abs, "num_returns", 2**16 - 1), (abs, "max_calls", 2**31 - 1), (list, "max_restarts", 2**31 - 1),
    (list, "max_task_retries", 2**31 - 1), (list, "max_pending_calls", 2**31 - 1), (list, "max_concurrency", 2**31 - 1)])
def test_numbers_that_the_runtime_cannot_count_to_are_refused(kind, option, most):
    ray.remote(**{option: most})(kind)
    for number in (most + 1, 2**32 + 1, 2**64 + 1):
        with pytest.raises(ValueError, match=f"{option} has to be {most} or less, not {number}"):
            ray.remote(**{option: number})(kind)


def test_numbers_of_methods_and_generators_are_refused_as_well():
    with pytest.raises(ValueError, match="max_task_retries has to be 2147483647 or less"):
        ray.method(max_task_retries=2**32)
    with pytest.raises(ValueError, match="_generator_backpressure_num_objects has to be 2147483647 or less"):
        ray.remote(num_returns="streaming", _generator_backpressure_num_objects=2**32)(abs)
    group = ray.util.placement_group([{"CPU": 1}])
    with pytest.raises(ValueError, match="index 4294967296 is out of range"):
        double.options(scheduling_strategy=PlacementGroupSchedulingStrategy(group, 2**32)).remote(1)
    ray.util.remove_placement_group(group)


@pytest.mark.parametrize("options, kind, says", [
    (dict(num_cpus=math.nan), ValueError, "num_cpus has to be between 0 and 2\\^48, not nan"),
    (dict(num_cpus=math.inf), ValueError, "num_cpus has to be between 0 and 2\\^48, not inf"),
    (dict(memory=10**400), ValueError, "memory has to be between 0 and 2\\^48"),
    (dict(resources={"slot": math.nan}), ValueError, "resources\\['slot'\\] has to be between"),
    (dict(resources={1: 1}), TypeError, "1 in it is no name")])
def test_amounts_that_are_none_are_refused(options, kind, says):
    with pytest.raises(kind, match=says):
        double.options(**options)


@pytest.mark.parametrize("timeout", ["1", [1], 1j, {}])
def test_a_time_limit_is_a_number(timeout):
    ref = double.remote(1)
    for waiting in (lambda: ray.get(ref, timeout=timeout), lambda: ray.wait([ref], timeout=timeout)):
        with pytest.raises(TypeError, match="timeout has to be a number of seconds or None"):
            waiting()
    for negative in (-1, -math.inf):
        with pytest.raises(ValueError, match="timeout has to be None, 0 or more"):
            ray.get(ref, timeout=negative)
    assert ray.get(ref, timeout=math.inf) == 2


OF_ANOTHER_LANGUAGE = re.compile(r"manta::|Config|\bSet[A-Z]|\b(Init|Shutdown|Get|Put|Wait|Cancel|Kill|ExitActor|GetActor)\b")


def without_a_concurrency_group():
    ray.get(Counter.remote().add.options(concurrency_group="missing").remote())


def with_force():
    ray.cancel(Counter.remote().add.remote(), force=True)


def after_its_end():
    counter = Counter.remote()
    ray.kill(counter)
    ray.get(counter.add.remote())


def after_its_exit():
    counter = Counter.remote()
    ray.wait([counter.__ray_terminate__.remote()])
    ray.get(counter.add.remote())


def of_an_unnamed_resource():
    double.options(resources={"": 1}).remote(1)


@pytest.mark.parametrize("fail", [without_a_concurrency_group, with_force, after_its_end, after_its_exit, of_an_unnamed_resource])
def test_errors_speak_of_what_python_has(fail):
    with pytest.raises(Exception) as caught:
        fail()
    assert not OF_ANOTHER_LANGUAGE.search(str(caught.value)), str(caught.value)


def test_without_a_connection_an_error_says_how_to_get_one():
    result = subprocess.run([sys.executable, "-c", "import manta; manta.put(1)"], capture_output=True, text=True,
                            env={**os.environ, "RAY_ENABLE_AUTO_CONNECT": "0"})
    assert "initialize first, by manta::Init() in C++, ray.init() in Python" in result.stderr


def test_memory_is_a_resource():
    @ray.remote(memory=1 << 20)
    def assigned():
        return ray.get_runtime_context().get_assigned_resources()["memory"]

    assert ray.get(assigned.remote()) == 1 << 20
    assert ray.get(assigned.options(memory=2 << 20).remote()) == 2 << 20

    @ray.remote(num_cpus=0, memory=1 << 20)
    class Actor:
        def assigned(self):
            return ray.get_runtime_context().get_assigned_resources()["memory"]

    assert ray.get(Actor.remote().assigned.remote()) == 1 << 20


def test_waiting_without_fetching():
    refs = [double.remote(i) for i in range(3)]
    assert ray.wait(refs, num_returns=3, timeout=60, fetch_local=False) == (refs, [])


def test_cancelling_children_too():
    @ray.remote(num_cpus=0)
    def child():
        while not ray.get_runtime_context().is_canceled():
            time.sleep(0.01)

    @ray.remote(num_cpus=0)
    def parent():
        return ray.get(child.remote())

    ref = parent.remote()
    time.sleep(0.3)
    ray.cancel(ref, recursive=True)
    with pytest.raises(ray.exceptions.TaskCancelledError):
        ray.get(ref, timeout=60)

    def goes_on():
        return [row for row in ray.util.state.list_tasks() if row.state not in ("FINISHED", "FAILED")]

    deadline = time.monotonic() + 20
    while goes_on() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert goes_on() == []


def test_a_pool_gives_whatever_comes_first():
    pool = ray.util.ActorPool([Counter.remote(), Counter.remote(10)])
    for _ in range(2):
        pool.submit(lambda actor, number: actor.add.remote(number), 1)
    assert sorted(pool.get_next_unordered(timeout=60) for _ in range(2)) == [1, 11]
    with pytest.raises(StopIteration):
        pool.get_next_unordered()


def test_a_queue_in_an_event_loop():
    queue = ray.util.queue.Queue(maxsize=1)

    async def both():
        await queue.put_async("first")
        with pytest.raises(ray.util.queue.Full):
            await queue.put_async("second", block=False)
        assert queue.size() == queue.qsize() == 1
        first = await queue.get_async(timeout=60)
        with pytest.raises(ray.util.queue.Empty):
            await queue.get_async(timeout=0.01)
        return first

    assert asyncio.run(both()) == "first"
    queue.shutdown()


def test_arguments_are_looked_at_beside_any_others():
    @ray.remote
    def first(x, *others, **named):
        return x

    assert ray.get(first.remote(1, 2, y=3)) == 1
    with pytest.raises(TypeError, match="missing a required argument: 'x'"):
        first.remote()
    with pytest.raises(TypeError, match="multiple values for argument 'x'"):
        first.remote(1, x=2)


def test_texts_with_a_zero_byte_are_told():
    @ray.remote
    def nothing():
        pass

    for options in (dict(name="x\0y"), dict(resources={"a\0b": 1}), dict(accelerator_type="a\0")):
        with pytest.raises(ValueError, match="zero byte"):
            nothing.options(**options)
    with pytest.raises(ValueError, match="namespace cannot be empty"):
        ray.remote(type("A", (), {})).options(name="a", namespace="")


def test_what_the_class_of_an_actor_has_is_there():
    @ray.remote
    class Counter:
        STEP = 5

        @staticmethod
        def twice(x):
            return 2 * x

    assert Counter.STEP == 5 and Counter.twice(4) == 8
    assert Counter.__ray_metadata__.modified_class.__name__ == Counter.__ray_metadata__.class_name == "Counter"
    with pytest.raises(AttributeError, match="no attribute 'STOP'"):
        Counter.STOP
