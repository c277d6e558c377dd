"""The event loops that the coroutines of an actor run on, a thread for each."""

from __future__ import annotations

import threading

_of_thread = threading.local()


def runs_here():
    """Whether the calling thread runs the loop of an actor."""
    return getattr(_of_thread, "runs", False)


# Calls that begin before those under way get their turn.
_BURST = 64


def start(groups):
    """One loop for each of `groups` (what the extension knows of a concurrency group's calls)."""
    for calls in groups:
        threading.Thread(target=_run, args=(calls,), daemon=True, name="manta-event-loop").start()


# Between two looks whether more items are wanted.
_PAUSE, _LONGEST_PAUSE = 0.0005, 0.1


async def run_stream(call, items, most_ahead):
    """Sends what `items` gives as the items of a call's stream; other calls run while it waits."""
    if hasattr(items, "__aiter__"):
        async for item in items:
            await _send(call, item, most_ahead)
    else:
        for item in items:
            await _send(call, item, most_ahead)


async def _send(call, item, most_ahead):
    import asyncio

    pause = _PAUSE
    sent = call.emit(most_ahead, item)
    while not sent:
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
        sent = call.emit(most_ahead)


def _run(calls):
    import asyncio
    import selectors

    from manta import _futures

    class Selector(selectors.DefaultSelector):
        """Begins calls between two turns of the loop, and looks for more for as long as a thread spins before it sleeps."""

        def select(self, timeout=None):
            if calls.run(_BURST, loop.create_task) > 0:
                timeout = 0
            elif timeout is None or timeout > 0:
                if calls.wait(_futures.queue_of(loop), timeout):
                    calls.run(_BURST, loop.create_task)
                    timeout = 0
            return super().select(timeout)

    _of_thread.runs = True
    loop = asyncio.SelectorEventLoop(Selector())
    asyncio.set_event_loop(loop)
    loop.add_reader(calls.fileno(), lambda: None)  # it wakes the loop, and the selector does the rest
    loop.run_forever()
