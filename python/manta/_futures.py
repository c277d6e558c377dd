"""References as futures: concurrent.futures and asyncio."""

from __future__ import annotations

import threading

from manta import _native


def future_of(ref):
    """A concurrent.futures.Future of the value. A thread waits for it."""
    import concurrent.futures

    future = concurrent.futures.Future()

    def wait():
        try:
            value = _native.get([ref], None)[0]
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result(value)

    threading.Thread(target=wait, daemon=True, name="manta-future").start()
    return future


def await_ref(ref):
    import asyncio

    return asyncio.wrap_future(future_of(ref)).__await__()
