"""Actors whose methods are coroutines (the contract's section 1.6)."""

import asyncio
import os
import signal
import threading
import time

import pytest

import manta as ray

pytestmark = pytest.mark.usefixtures("cluster")


@ray.remote
class Room:
    """Calls wait here for each other."""

    def __init__(self):
        self.open = asyncio.Event()
        self.inside = 0
        self.most = 0
        self.cancelled = 0

    async def enter(self):
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.inside -= 1
        return "through"

    async def let_in(self):
        self.open.set()

    async def counts(self):
        return self.inside, self.most, self.cancelled

    def thread(self):
        return threading.get_ident()

    async def thread_of_coroutine(self):
        return threading.get_ident()

    async def pid(self):
        return os.getpid()

    async def leave(self):
        ray.actor.exit_actor()


def test_calls_wait_for_each_other():
    room = Room.remote()
    waiting = [room.enter.remote() for _ in range(200)]
    assert ray.wait(waiting, timeout=0.2) == ([], waiting)
    ray.get(room.let_in.remote())
    assert ray.get(waiting) == ["through"] * 200
    assert ray.get(room.counts.remote()) == (0, 200, 0)


def test_no_more_than_max_concurrency_are_under_way():
    room = Room.options(max_concurrency=3).remote()
    waiting = [room.enter.remote() for _ in range(2)]
    while ray.get(room.counts.remote())[0] < 2:
        time.sleep(0.01)
    third = [room.enter.remote() for _ in range(5)]
    counts = room.counts.remote()
    assert ray.wait([counts], timeout=0.3)[0] == []  # behind those that wait inside
    for call in waiting + third:
        ray.cancel(call)
    assert ray.get(counts, timeout=10)[1] == 3


def test_plain_methods_run_on_the_loop_too():
    room = Room.remote()
    assert ray.get(room.thread.remote()) == ray.get(room.thread_of_coroutine.remote())


def test_calls_begin_in_order():
    @ray.remote
    class Log:
        def __init__(self):
            self.seen = []

        async def add(self, number):
            self.seen.append(number)
            await asyncio.sleep(0)

        async def all(self):
            return self.seen

    log = Log.remote()
    for number in range(3000):
        log.add.remote(number)
    assert ray.get(log.all.remote()) == list(range(3000))


def test_await_tasks_actors_and_values_inside_a_coroutine():
    @ray.remote
    def double(number):
        return 2 * number

    @ray.remote
    class Caller:
        async def many(self, other):
            tasks = await asyncio.gather(*[double.remote(i) for i in range(100)])
            return sum(tasks) + await ray.put(1) + await other.one.remote()

        async def one(self):
            return 1

    assert ray.get(Caller.remote().many.remote(Caller.remote())) == 9900 + 1 + 1


def test_an_exception_of_a_coroutine():
    @ray.remote
    class Failing:
        async def fail(self):
            await asyncio.sleep(0)
            raise KeyError("not here")

    with pytest.raises(KeyError) as failure:
        ray.get(Failing.remote().fail.remote())
    assert isinstance(failure.value, ray.exceptions.RayTaskError)
    assert "in fail" in str(failure.value)


def test_cancel_one_that_runs():
    room = Room.remote()
    stays, goes = room.enter.remote(), room.enter.remote()
    while ray.get(room.counts.remote())[0] < 2:
        time.sleep(0.01)
    ray.cancel(goes)
    with pytest.raises(ray.exceptions.TaskCancelledError):
        ray.get(goes, timeout=10)
    assert ray.get(room.counts.remote()) == (1, 2, 1)
    ray.get(room.let_in.remote())
    assert ray.get(stays) == "through"


def test_each_call_has_its_own_context():
    @ray.remote
    class Asking:
        async def ask(self):
            before = ray.get_runtime_context().get_task_id()
            await asyncio.sleep(0.01)
            return before, ray.get_runtime_context().get_task_id()

    asking = Asking.remote()
    ids = ray.get([asking.ask.remote() for _ in range(50)])
    assert all(before == after for before, after in ids)
    assert len(set(ids)) == 50


def test_concurrency_groups_have_loops_of_their_own():
    @ray.remote(concurrency_groups={"io": 2})
    class Grouped:
        @ray.method(concurrency_group="io")
        async def thread(self):
            return threading.get_ident()

        async def block(self):
            time.sleep(0.5)  # its loop, and no other
            return threading.get_ident()

    grouped = Grouped.remote()
    blocked = grouped.block.remote()
    thread = ray.get(grouped.thread.remote(), timeout=0.4)
    assert thread != ray.get(blocked)


def test_large_results_and_arguments():
    numpy = pytest.importorskip("numpy")

    @ray.remote
    class Arrays:
        async def double(self, array):
            await asyncio.sleep(0)
            return array * 2

    arrays = Arrays.remote()
    results = ray.get([arrays.double.remote(numpy.full(200_000, i)) for i in range(8)])
    assert [int(array[-1]) for array in results] == [2 * i for i in range(8)]


def test_an_actor_that_exits_ends_the_calls_under_way():
    room = Room.remote()
    waiting = room.enter.remote()
    room.leave.remote()
    with pytest.raises(ray.exceptions.RayActorError):
        ray.get(waiting, timeout=10)


def test_an_actor_that_is_killed_starts_again():
    room = Room.options(max_restarts=1, max_task_retries=1).remote()
    pid = ray.get(room.pid.remote())
    waiting = room.enter.remote()
    os.kill(pid, signal.SIGKILL)
    assert ray.get(room.pid.remote(), timeout=20) != pid
    ray.get(room.let_in.remote())
    assert ray.get(waiting, timeout=20) == "through"


def test_the_actor_ends_with_its_last_handle_when_its_calls_are_done():
    room = Room.remote()
    pid = ray.get(room.pid.remote())
    waiting = room.enter.remote()
    opened = room.let_in.remote()
    del room
    assert ray.get([waiting, opened], timeout=10)[0] == "through"
    for _ in range(500):
        if not os.path.exists(f"/proc/{pid}"):
            break
        time.sleep(0.02)
    assert not os.path.exists(f"/proc/{pid}")


def test_a_coroutine_is_no_task():
    with pytest.raises(ValueError, match="asyncio.run"):

        @ray.remote
        async def no_task():
            pass


def test_items_with_very_many_references():
    """Their ids alone are more than the way to their owner holds at once."""

    @ray.remote
    class Lister:
        async def lists(self, count):
            for _ in range(count):
                yield [ray.put(i) for i in range(6_000)]

    lister = Lister.remote()
    lists = [ray.get(ref) for ref in lister.lists.options(num_returns="streaming").remote(3)]
    assert [ray.get(refs[-1]) for refs in lists] == [5_999] * 3
