"""A pool of actors that are given work as they become free."""

from __future__ import annotations

import manta


class ActorPool:
    """Gives calls to the actor that is free first; results in the order of submission, or as they come."""

    def __init__(self, actors):
        self._idle = list(actors)
        self._calls = {}      # reference, the first of several that come together: (number, actor, what the call has given)
        self._futures = {}    # number: that reference
        self._next_task = 0
        self._next_return = 0
        self._waiting = []    # (function, value) that no actor was free for

    def map(self, fn, values):
        """fn(actor, value) for each value; an iterator over the results in order."""
        self._drain()
        for value in values:
            self.submit(fn, value)

        def results():
            while self.has_next():
                yield self.get_next()

        return results()

    def map_unordered(self, fn, values):
        """The same, in the order in which results come."""
        self._drain()
        for value in values:
            self.submit(fn, value)

        def results():
            while self.has_next():
                yield self.get_next_unordered()

        return results()

    def _drain(self):
        # What was submitted before a map is of no interest to it.
        while self.has_next():
            try:
                self.get_next_unordered(timeout=0)
            except TimeoutError:
                break

    def submit(self, fn, value):
        """Calls fn(actor, value), which gives a reference or a list of them, on a free actor; waits its turn when there is none."""
        if not self._idle:
            self._waiting.append((fn, value))
            return
        actor = self._idle.pop()
        given = fn(actor, value)
        future = given[0] if isinstance(given, list) else given
        self._calls[future] = self._next_task, actor, given
        self._futures[self._next_task] = future
        self._next_task += 1

    def has_next(self):
        return bool(self._calls)

    def get_next(self, timeout=None, ignore_if_timedout=False):
        """The next result in the order of submission. When the time is up: TimeoutError, and with `ignore_if_timedout` that call's result
        is given up."""
        self._check_any()
        future = self._futures.get(self._next_return)
        if future is None:
            raise ValueError("get_next cannot go on after get_next_unordered: the order of what is left is not known")
        in_time = bool(manta.wait([future], timeout=timeout)[0])
        given = self._finish(future) if in_time or ignore_if_timedout else None
        if not in_time:
            raise TimeoutError(f"the next result was not there within {timeout} s")
        return manta.get(given)

    def get_next_unordered(self, timeout=None, ignore_if_timedout=False):
        """Whichever result comes next."""
        self._check_any()
        ready, _ = manta.wait(list(self._calls), num_returns=1, timeout=timeout)
        if not ready:
            raise TimeoutError(f"no result was there within {timeout} s")
        return manta.get(self._finish(ready[0]))

    def _check_any(self):
        if not self.has_next():
            raise StopIteration("no call is outstanding")

    def _finish(self, future):
        number, actor, given = self._calls.pop(future)
        del self._futures[number]
        self._next_return = max(self._next_return, number + 1)
        self._give_back(actor)
        return given

    def _give_back(self, actor):
        self._idle.append(actor)
        if self._waiting:
            self.submit(*self._waiting.pop(0))

    def has_free(self):
        """Whether an actor is free and nothing waits for it."""
        return bool(self._idle) and not self._waiting

    def pop_idle(self):
        """Takes a free actor out of the pool; None when there is none."""
        return self._idle.pop() if self.has_free() else None

    def push(self, actor):
        """Puts an actor into the pool."""
        if actor in self._idle or any(actor == busy for _, busy, _ in self._calls.values()):
            raise ValueError("the actor is in the pool already")
        self._give_back(actor)
