"""References as futures: concurrent.futures and asyncio."""

from __future__ import annotations

import os
import threading
import weakref

from manta import _manta, _native

_queues = {}  # by the address of an event loop: (the loop, weakly; its queue)
_changing_queues = threading.Lock()


def queue_of(loop):
    """Where references wait for which coroutines of `loop` wait. In the thread that runs it."""
    known = _queues.get(id(loop))
    if known is not None and known[0]() is loop and known[1].is_current():
        return known[1]
    return _new_queue(loop)


def _new_queue(loop):
    queue = _manta.ReadyQueue()
    with _changing_queues:
        # What they still wait for refers to their loops. Freed without the lock, as destructors may do anything.
        ended = [_queues.pop(key) for key, (other, _) in list(_queues.items()) if _has_ended(other())]
        former = _queues.get(id(loop))
        _queues[id(loop)] = weakref.ref(loop), queue
    if former is not None:
        loop.remove_reader(former[1].fileno())
    loop.add_reader(queue.fileno(), _settle_ready, queue)
    return queue


def _has_ended(loop):
    return loop is None or loop.is_closed()


def await_ref(ref):
    """For `await ref`, in any event loop."""
    import asyncio

    loop = asyncio.get_running_loop()
    future = loop.create_future()
    if _native.wait([ref], 1, 0)[0]:
        _settle(ref, future)
    else:
        queue_of(loop).add(ref, future)
    return future.__await__()


async def ready(ref):
    """Until `ref` has a value or has failed, whatever it is."""
    import asyncio

    if _native.wait([ref], 1, 0)[0]:
        return
    loop = asyncio.get_running_loop()
    notice = _Notice(loop.create_future())
    queue_of(loop).add(ref, notice)
    await notice.future


class _Notice:
    """In the place of a future that gets the value."""

    def __init__(self, future):
        self.future = future


def future_of(ref):
    """A concurrent.futures.Future of the value."""
    import concurrent.futures

    future = concurrent.futures.Future()
    _thread.add(ref, future)
    return future


def _settle_ready(queue):
    for ref, future in queue.take():
        _settle(ref, future)


def _settle(ref, future):
    if type(future) is _Notice:
        if not future.future.done():
            future.future.set_result(None)
        return
    if future.done():  # cancelled
        return
    try:
        value = _native.get([ref], 0)[0]
    except StopIteration as error:  # which no future takes
        future.set_exception(getattr(error, "_error", None) or RuntimeError(f"the task raised {error!r}"))
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(value)


class _Thread:
    """Waits for the references of futures that no event loop waits for. One for each session, from its first such future on."""

    def __init__(self):
        self._lock = threading.Lock()
        self._queue = None
        self._stop = None  # a pipe's end: the thread ends when it is closed

    def add(self, ref, future):
        with self._lock:
            if self._queue is None or not self._queue.is_current():
                self._end()
                self._start()
            self._queue.add(ref, future)

    def end(self):
        """After the session. What has not been settled before has failed by now, and is settled first."""
        with self._lock:
            self._end()

    def _start(self):
        queue = _manta.ReadyQueue()
        ended, self._stop = os.pipe()
        self._queue = queue
        threading.Thread(target=_Thread._run, args=(queue, ended), daemon=True, name="manta-futures").start()

    def _end(self):
        if self._stop is not None:
            os.close(self._stop)
        self._queue = self._stop = None

    @staticmethod
    def _run(queue, ended):
        import select

        poll = select.poll()
        poll.register(queue, select.POLLIN)
        poll.register(ended, 0)  # hang-ups are told anyway
        is_last = False
        while not is_last:
            is_last = any(descriptor == ended for descriptor, _ in poll.poll())
            for ref, future in queue.take():
                if future.set_running_or_notify_cancel():
                    _settle(ref, future)
        os.close(ended)


_thread = _Thread()


def end_session():
    _thread.end()
