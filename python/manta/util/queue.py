"""A queue between processes, kept by an actor (ray.util.queue)."""

from __future__ import annotations

import collections
import threading
import time

import manta


class Empty(Exception):
    """Nothing was there in time."""


class Full(Exception):
    """There was no room in time."""


class Queue:
    """First in, first out; may be passed around."""

    def __init__(self, maxsize=0, actor_options=None):
        options = {"num_cpus": 0, "max_concurrency": 64, **(actor_options or {})}
        self.maxsize = maxsize
        self.actor = manta.remote(**options)(_QueueActor).remote(maxsize)

    def __len__(self):
        return self.size()

    def size(self):
        return manta.get(self.actor.qsize.remote())

    qsize = size

    def empty(self):
        return self.size() == 0

    def full(self):
        return self.maxsize > 0 and self.size() >= self.maxsize

    def put(self, item, block=True, timeout=None):
        """Waits for room, for `timeout` seconds at most; raises Full."""
        if not manta.get(self.actor.put.remote([item], _limit(block, timeout))):
            raise Full

    def get(self, block=True, timeout=None):
        """Waits for an item, for `timeout` seconds at most; raises Empty."""
        items = manta.get(self.actor.get.remote(1, _limit(block, timeout)))
        if not items:
            raise Empty
        return items[0]

    def put_nowait(self, item):
        self.put(item, block=False)

    def get_nowait(self):
        return self.get(block=False)

    def put_nowait_batch(self, items):
        """All of them, or Full and none."""
        items = list(items)
        if not manta.get(self.actor.put.remote(items, 0)):
            raise Full(f"there is no room for {len(items)} more: {self.size()} of {self.maxsize} are there")

    def get_nowait_batch(self, num_items):
        """So many, or Empty and none."""
        if not isinstance(num_items, int):
            raise TypeError(f"num_items has to be a whole number, not {num_items!r}")
        if num_items < 0:
            raise ValueError(f"num_items has to be 0 or more, not {num_items}")
        items = manta.get(self.actor.get.remote(num_items, 0))
        if len(items) < num_items:
            raise Empty(f"{num_items} were asked for, and {self.size()} are there")
        return items

    async def put_async(self, item, block=True, timeout=None):
        if not await self.actor.put.remote([item], _limit(block, timeout)):
            raise Full

    async def get_async(self, block=True, timeout=None):
        items = await self.actor.get.remote(1, _limit(block, timeout))
        if not items:
            raise Empty
        return items[0]

    def shutdown(self, force=False, grace_period_s=5):
        """Ends the queue's actor; what is in it is lost."""
        if self.actor is not None:
            if not force:
                manta.wait([self.actor.__ray_terminate__.remote()], timeout=grace_period_s)
            manta.kill(self.actor, no_restart=True)
        self.actor = None


def _limit(block, timeout):
    """Seconds; None: no limit."""
    if not block:
        return 0
    if timeout is not None and timeout < 0:
        raise ValueError(f"timeout has to be 0 or more, not {timeout!r}")
    return timeout


class _QueueActor:
    def __init__(self, maxsize):
        self._maxsize = maxsize
        self._items = collections.deque()
        self._changed = threading.Condition()

    def qsize(self):
        return len(self._items)

    def _wait_for(self, condition, limit):
        """With the lock held."""
        deadline = None if limit is None else time.monotonic() + limit
        while not condition():
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return False
            self._changed.wait(left)
        return True

    def put(self, items, limit):
        with self._changed:
            if not self._wait_for(lambda: self._maxsize <= 0 or len(self._items) + len(items) <= self._maxsize, limit):
                return False
            self._items.extend(items)
            self._changed.notify_all()
            return True

    def get(self, count, limit):
        with self._changed:
            if not self._wait_for(lambda: len(self._items) >= count, limit):
                return []
            items = [self._items.popleft() for _ in range(count)]
            self._changed.notify_all()
            return items
