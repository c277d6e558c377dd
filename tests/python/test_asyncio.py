"""Waiting in event loops and by futures (the contract's sections 1.4, 1.6)."""

import asyncio
import concurrent.futures
import sys
import time

import pytest

import manta as ray

pytestmark = pytest.mark.usefixtures("cluster")


@ray.remote
def after(seconds, value=None):
    time.sleep(seconds)
    return value


@ray.remote
def fail():
    raise KeyError("not here")


def test_await():
    async def main():
        assert await ray.put(5) == 5
        assert await after.remote(0.1, "there") == "there"
        with pytest.raises(KeyError):
            await fail.remote()
        return await asyncio.gather(*[after.remote(0, i) for i in range(500)])

    assert asyncio.run(main()) == list(range(500))


def test_an_event_loop_goes_on_while_it_waits():
    async def main():
        ticks = 0
        waiting = asyncio.ensure_future(_value(after.remote(0.5, 1)))
        while not waiting.done():
            ticks += 1
            await asyncio.sleep(0.01)
        return ticks

    async def _value(ref):
        return await ref

    assert asyncio.run(main()) > 10


def test_a_loop_that_has_ended_is_forgotten():
    import gc
    import weakref

    async def give_up():
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(_value(pending), 0.05)
        return weakref.ref(asyncio.get_running_loop())

    async def _value(ref):
        return await ref

    async def one():
        return await after.remote(0.01, 1)

    pending = after.remote(60)
    loop = asyncio.run(give_up())
    assert asyncio.run(one()) == 1
    gc.collect()
    assert loop() is None
    ray.cancel(pending, force=True)


def test_a_time_limit_of_asyncio():
    async def main():
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(_value(ref), 0.1)

    async def _value(ref):
        return await ref

    ref = after.remote(3)
    asyncio.run(main())
    ray.cancel(ref, force=True)


def test_futures():
    futures = [after.remote(3, "slow").future(), ray.put("quick").future()]
    done, _ = concurrent.futures.wait(futures, timeout=30, return_when=concurrent.futures.FIRST_COMPLETED)
    assert {future.result() for future in done} == {"quick"}
    assert futures[0].result(timeout=30) == "slow"
    assert isinstance(fail.remote().future().exception(timeout=30), KeyError)


def test_loops_one_after_the_other():
    async def one(i):
        return await after.remote(0, i)

    assert [asyncio.run(one(i)) for i in range(5)] == list(range(5))


def test_loops_in_many_threads_at_once():
    async def one(i):
        return await after.options(num_cpus=0).remote(0.001, i)

    def loop_after_loop(_):
        return [asyncio.run(one(i)) for i in range(20)]

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # threads take turns within a line, too
    try:
        with concurrent.futures.ThreadPoolExecutor(16) as threads:
            assert list(threads.map(loop_after_loop, range(16))) == [list(range(20))] * 16
    finally:
        sys.setswitchinterval(before)
