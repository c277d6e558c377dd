"""ray._private.test_utils: what tests of packages for Ray use."""

import asyncio
import time

import manta


def wait_for_condition(condition_predictor, timeout=10, retry_interval_ms=100, raise_exceptions=False, **kwargs):
    """Until condition_predictor(**kwargs) is true; RuntimeError when the time is up."""
    deadline = time.monotonic() + timeout
    last = None
    while True:
        try:
            if condition_predictor(**kwargs):
                return
            last = None
        except Exception as error:
            if raise_exceptions:
                raise
            last = error
        if time.monotonic() >= deadline:
            raise RuntimeError(f"the condition was not met within {timeout} s" + (f"; it raised {last!r}" if last else ""))
        time.sleep(retry_interval_ms / 1000)


@manta.remote(num_cpus=0)
class SignalActor:
    """An event of the cluster."""

    def __init__(self):
        self._event = asyncio.Event()
        self._waiters = 0

    async def send(self, clear=False):
        self._event.set()
        if clear:
            self._event.clear()

    async def wait(self, should_wait=True):
        if not should_wait:
            return
        self._waiters += 1
        try:
            await self._event.wait()
        finally:
            self._waiters -= 1

    async def cur_num_waiters(self):
        return self._waiters


@manta.remote(num_cpus=0, max_concurrency=64)
class Semaphore:
    """A semaphore of the cluster."""

    def __init__(self, value=1):
        import threading

        self._semaphore = threading.Semaphore(value)

    def acquire(self):
        self._semaphore.acquire()

    def release(self):
        self._semaphore.release()
