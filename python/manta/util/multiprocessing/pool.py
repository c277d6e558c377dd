"""The interface of multiprocessing.Pool; its processes are actors of the cluster."""

from __future__ import annotations

import collections
import itertools
import math
import multiprocessing
import multiprocessing.pool
import threading

import manta
from manta import _unpicklable


@manta.remote(num_cpus=0)
class _PoolProcess:
    """One process of a pool."""

    def __init__(self, initializer, initargs):
        if initializer is not None:
            initializer(*initargs)

    def run(self, function, batch):
        """function(*args, **kwargs) for each of the batch; what is raised comes back as such."""
        results = []
        for args, kwargs in batch:
            try:
                results.append((True, function(*args, **kwargs)))
            except Exception as error:
                results.append((False, _travelling(error)))
        return results


def _travelling(error):
    """Itself, or what multiprocessing raises where it cannot send one."""
    reason = _unpicklable.pickling_error(error)
    return error if reason is None else multiprocessing.pool.MaybeEncodingError(reason, error)


class _Results:
    """What imap gives, one by one."""

    def __init__(self, refs, most, ordered):
        """`refs` are the batches' results: who takes the next one submits it. At most `most` are under way."""
        self._refs = refs
        self._most = most
        self._ordered = ordered
        self._pending = collections.deque(itertools.islice(refs, most))
        self._ready = collections.deque()

    def __iter__(self):
        return self

    def __next__(self):
        return self.next()

    def next(self, timeout=None):
        """The next one; multiprocessing.TimeoutError when it takes longer than `timeout` seconds."""
        while not self._ready:
            if not self._pending:
                raise StopIteration
            candidates = [self._pending[0]] if self._ordered else list(self._pending)
            done, _ = manta.wait(candidates, num_returns=1, timeout=timeout)
            if not done:
                raise multiprocessing.TimeoutError
            self._pending.remove(done[0])
            self._pending.extend(itertools.islice(self._refs, 1))
            self._ready.extend(manta.get(done[0]))
        return _value(*self._ready.popleft())


class AsyncResult:
    """What is to come of one call or of many."""

    def __init__(self, refs, *, single, callback=None, error_callback=None):
        self._refs = refs
        self._single = single
        if callback is not None or error_callback is not None:
            threading.Thread(target=self._call_back, args=(callback, error_callback), daemon=True).start()

    def _call_back(self, callback, error_callback):
        try:
            value = self.get()
        except Exception as error:
            if error_callback is not None:
                error_callback(error)
        else:
            if callback is not None:
                callback(value)

    def wait(self, timeout=None):
        """Until all is there, or the time is up."""
        if self._refs:
            manta.wait(self._refs, num_returns=len(self._refs), timeout=timeout)

    def get(self, timeout=None):
        """The result, or the list of them; raises what a call has raised."""
        self.wait(timeout)
        if not self.ready():
            raise multiprocessing.TimeoutError
        results = [_value(*result) for batch in manta.get(self._refs) for result in batch]
        return results[0] if self._single else results

    def ready(self):
        return not self._refs or len(manta.wait(self._refs, num_returns=len(self._refs), timeout=0)[1]) == 0

    def successful(self):
        if not self.ready():
            raise ValueError(f"{self!r} not ready")
        try:
            self.get()
        except Exception:
            return False
        return True


def _value(good, value):
    if not good:
        raise value
    return value


class Pool:
    """As multiprocessing.Pool. `ray_address`: the cluster to connect to, if this process is not; `ray_remote_args`: options of the actors."""

    def __init__(self, processes=None, initializer=None, initargs=(), maxtasksperchild=None, context=None, ray_address=None,
                 ray_remote_args=None):
        if initializer is not None and not callable(initializer):
            raise TypeError("initializer has to be callable")
        if maxtasksperchild is not None and maxtasksperchild < 1:
            raise ValueError("maxtasksperchild has to be at least 1")
        if not manta.is_initialized():
            manta.init(ray_address)
        if processes is None:
            processes = max(1, int(manta.cluster_resources().get("CPU", 1)))
        if processes <= 0:
            raise ValueError("processes has to be at least 1")
        self._made = (initializer, tuple(initargs)), dict(ray_remote_args or {})
        self._most = maxtasksperchild
        self._processes = [self._make() for _ in range(processes)]
        self._next = itertools.cycle(range(processes))
        self._outstanding = []
        self._closed = False

    def _make(self):
        (initializer, initargs), options = self._made
        actor_class = _PoolProcess.options(**options) if options else _PoolProcess
        return [actor_class.remote(initializer, initargs), 0]

    def _run(self, function, batch):
        if self._closed:
            raise ValueError("Pool not running")
        place = next(self._next)
        process = self._processes[place]
        if self._most is not None and process[1] + len(batch) > self._most and process[1] > 0:
            process = self._processes[place] = self._make()  # the former one ends with its last call
        process[1] += len(batch)
        ref = process[0].run.remote(function, batch)
        self._outstanding.append(ref)
        if len(self._outstanding) > 10_000:
            self._outstanding = manta.wait(self._outstanding, num_returns=len(self._outstanding), timeout=0)[1]
        return ref

    def _chunks(self, calls, chunksize):
        if self._closed:
            raise ValueError("Pool not running")
        calls = list(calls)
        if chunksize is None:
            chunksize = max(1, math.ceil(len(calls) / (4 * len(self._processes))))
        if chunksize < 1:
            raise ValueError("chunksize has to be at least 1")
        return [calls[i:i + chunksize] for i in range(0, len(calls), chunksize)]

    def _all(self, function, calls, chunksize, callback=None, error_callback=None):
        refs = [self._run(function, chunk) for chunk in self._chunks(calls, chunksize)]
        return AsyncResult(refs, single=False, callback=callback, error_callback=error_callback)

    def apply(self, func, args=None, kwargs=None):
        return self.apply_async(func, args, kwargs).get()

    def apply_async(self, func, args=None, kwargs=None, callback=None, error_callback=None):
        ref = self._run(func, [(tuple(args or ()), kwargs or {})])
        return AsyncResult([ref], single=True, callback=callback, error_callback=error_callback)

    def map(self, func, iterable, chunksize=None):
        return self.map_async(func, iterable, chunksize).get()

    def map_async(self, func, iterable, chunksize=None, callback=None, error_callback=None):
        return self._all(func, (((item,), {}) for item in iterable), chunksize, callback, error_callback)

    def starmap(self, func, iterable, chunksize=None):
        return self.starmap_async(func, iterable, chunksize).get()

    def starmap_async(self, func, iterable, chunksize=None, callback=None, error_callback=None):
        return self._all(func, ((tuple(item), {}) for item in iterable), chunksize, callback, error_callback)

    def imap(self, func, iterable, chunksize=1):
        """Results in order, each as soon as it is there; as many calls under way as keep the processes busy."""
        return self._stream(func, iterable, chunksize, ordered=True)

    def imap_unordered(self, func, iterable, chunksize=1):
        return self._stream(func, iterable, chunksize, ordered=False)

    def _stream(self, func, iterable, chunksize, *, ordered):
        if chunksize < 1:
            raise ValueError("chunksize has to be at least 1")
        calls = (((item,), {}) for item in iterable)
        batches = iter(lambda: list(itertools.islice(calls, chunksize)), [])
        return _Results((self._run(func, batch) for batch in batches), 2 * len(self._processes), ordered)

    def close(self):
        """Takes no more calls."""
        self._closed = True

    def terminate(self):
        """Ends the processes, whatever they do."""
        self._closed = True
        for actor, _ in self._processes:
            manta.kill(actor)

    def join(self):
        """Waits for what is under way; after close or terminate."""
        if not self._closed:
            raise ValueError("Pool is still running")
        if self._outstanding:
            manta.wait(self._outstanding, num_returns=len(self._outstanding))
        self._processes = []

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.terminate()
