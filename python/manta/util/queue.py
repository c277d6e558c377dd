"""A queue between processes, kept by an actor (ray.util.queue)."""

from __future__ import annotations

import asyncio

import manta


# Calls under way at once: as many as an actor may have, for each one that waits is one.
_MOST_WAITING = 10_000


class Empty(Exception):
    """Nothing was there in time."""


class Full(Exception):
    """There was no room in time."""


class Queue:
    """First in, first out; may be passed around."""

    def __init__(self, maxsize=0, actor_options=None):
        options = {"num_cpus": 0, "max_concurrency": _MOST_WAITING, **(actor_options or {})}
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
        if not manta.get(self.actor.put.remote(item, _limit(block, timeout))):
            raise Full

    def get(self, block=True, timeout=None):
        """Waits for an item, for `timeout` seconds at most; raises Empty."""
        items = manta.get(self.actor.get.remote(_limit(block, timeout)))
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
        if not manta.get(self.actor.put_batch.remote(items)):
            raise Full(f"there is no room for {len(items)} more: {self.size()} of {self.maxsize} are there")

    def get_nowait_batch(self, num_items):
        """So many, or Empty and none."""
        if not isinstance(num_items, int):
            raise TypeError(f"num_items has to be a whole number, not {num_items!r}")
        if num_items < 0:
            raise ValueError(f"num_items has to be 0 or more, not {num_items}")
        items = manta.get(self.actor.get_batch.remote(num_items))
        if len(items) < num_items:
            raise Empty(f"{num_items} were asked for, and {self.size()} are there")
        return items

    async def put_async(self, item, block=True, timeout=None):
        if not await self.actor.put.remote(item, _limit(block, timeout)):
            raise Full

    async def get_async(self, block=True, timeout=None):
        items = await self.actor.get.remote(_limit(block, timeout))
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
    """Its methods are coroutines: whoever waits holds no thread."""

    def __init__(self, maxsize):
        self._items = asyncio.Queue(maxsize)

    def qsize(self):
        return self._items.qsize()

    async def put(self, item, limit):
        """Whether there was room in time."""
        try:
            if limit == 0:
                self._items.put_nowait(item)
            else:
                await asyncio.wait_for(self._items.put(item), limit)
        except (asyncio.QueueFull, asyncio.TimeoutError):
            return False
        return True

    async def get(self, limit):
        """The item in a list; an empty one when there was none in time."""
        try:
            return [self._items.get_nowait() if limit == 0 else await asyncio.wait_for(self._items.get(), limit)]
        except (asyncio.QueueEmpty, asyncio.TimeoutError):
            return []

    async def put_batch(self, items):
        if 0 < self._items.maxsize < self._items.qsize() + len(items):
            return False
        for item in items:
            self._items.put_nowait(item)
        return True

    async def get_batch(self, count):
        return [self._items.get_nowait() for _ in range(count)] if self._items.qsize() >= count else []
