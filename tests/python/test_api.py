"""What @ray.remote and actors give, and options that have no test of their own (the contract's sections 1.3, 1.4, 1.6)."""

import asyncio
import inspect
import time

import pytest

import manta as ray
from manta.actor import ActorClass, ActorClassInheritanceException, ActorHandle, ActorMethod
from manta.remote_function import RemoteFunction

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


def test_options_that_change_nothing_yet_are_accepted():
    """What Ray's dashboard would show, and what the runtime does not count."""
    plain = dict(enable_task_events=False, _labels={"a": "b"})
    assert ray.get(double.options(**plain).remote(1)) == 2
    assert ray.get(Counter.options(**plain).remote(1).add.options(enable_task_events=True).remote()) == 2


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
