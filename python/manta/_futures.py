"""References as futures: concurrent.futures and asyncio. One thread of this process waits for all of them."""

from __future__ import annotations

import threading

from manta import _native

# How soon what is added is looked at while the thread waits for others.
_SLICE_S = 0.002


class _Waiter:
    """Calls done(value, error) for references as their values come, on its thread."""

    def __init__(self):
        self._changed = threading.Condition()
        self._added = []
        self._thread = None

    def add(self, ref, done):
        with self._changed:
            self._added.append((ref, done))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True, name="manta-futures")
                self._thread.start()
            self._changed.notify()

    def _run(self):
        pending = {}
        while True:
            with self._changed:
                while not self._added and not pending:
                    self._changed.wait()
                added, self._added = self._added, []
            for ref, done in added:
                pending.setdefault(ref, []).append(done)
            try:
                refs = list(pending)
                if not _native.wait(refs, 1, _SLICE_S)[0]:
                    continue
                ready = _native.wait(refs, len(refs), 0)[0]
            except BaseException as error:  # the session has ended
                ready, failure = refs, error
            else:
                failure = None
            for ref in ready:
                value, error = (None, failure) if failure is not None else _value_of(ref)
                for done in pending.pop(ref):
                    done(value, error)


def _value_of(ref):
    """(value, error)"""
    try:
        return _native.get([ref], 0)[0], None
    except BaseException as error:
        return None, error


_waiter = _Waiter()


def future_of(ref):
    """A concurrent.futures.Future of the value."""
    import concurrent.futures

    future = concurrent.futures.Future()

    def done(value, error):
        if not future.set_running_or_notify_cancel():
            return
        if error is None:
            future.set_result(value)
        else:
            future.set_exception(error)

    _waiter.add(ref, done)
    return future


def await_ref(ref):
    """For `await ref`, in any event loop."""
    import asyncio

    loop = asyncio.get_running_loop()
    future = loop.create_future()

    def settle(value, error):
        if future.done():  # cancelled
            return
        if error is None:
            future.set_result(value)
        else:
            future.set_exception(error)

    def done(value, error):
        try:
            loop.call_soon_threadsafe(settle, value, error)
        except RuntimeError:  # the loop is closed: nobody waits any more
            pass

    if _native.wait([ref], 1, 0)[0]:
        settle(*_value_of(ref))
    else:
        _waiter.add(ref, done)
    return future.__await__()
