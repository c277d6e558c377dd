"""Functions that are called while a graph runs, in the driver and around each task in its worker."""

from __future__ import annotations

import collections
import contextlib
import sys

from dask.callbacks import Callback

import manta

HOOKS = ("ray_presubmit", "ray_postsubmit", "ray_pretask", "ray_posttask", "ray_postsubmit_all", "ray_finish")
RayCallbacks = collections.namedtuple("RayCallbacks", HOOKS)


class RayDaskCallback(Callback):
    """Hooks, as arguments or as methods of a subclass with an underscore in front. Active as a context manager, or between register and
    unregister.

    ray_presubmit(task, key, deps): before a task is submitted; what it returns, unless None, is the result, and nothing is submitted.
    ray_postsubmit(task, key, deps, object_ref): after that.
    ray_pretask(key, object_refs): in the worker, before the task runs; what it returns goes to ray_posttask.
    ray_posttask(key, result, pre_state): in the worker, after that.
    ray_postsubmit_all(object_refs, dsk): all tasks have been submitted; the references of what was asked for.
    ray_finish(result): of the graph.
    """

    ray_active = set()

    def __init__(self, **hooks):
        dasks = {}
        for name, hook in hooks.items():
            if name in HOOKS:
                setattr(self, "_" + name, hook)
            else:
                dasks[name] = hook
        super().__init__(**dasks)

    @property
    def _ray_callback(self):
        return RayCallbacks(*(getattr(self, "_" + name, None) for name in HOOKS))

    def __enter__(self):
        self._entered = add_ray_callbacks(self)
        self._entered.__enter__()
        super().__enter__()
        return self

    def __exit__(self, *exception):
        super().__exit__(*exception)
        self._entered.__exit__(*exception)

    def register(self):
        type(self).ray_active.add(self._ray_callback)
        super().register()

    def unregister(self):
        type(self).ray_active.remove(self._ray_callback)
        super().unregister()

    def __getstate__(self):
        """What travels to workers with a hook that runs there."""
        return {name: value for name, value in self.__dict__.items() if name not in ("_entered", "_cm")}


class add_ray_callbacks:
    """These are active, too."""

    def __init__(self, *callbacks):
        self._new = [normalize_ray_callback(callback) for callback in callbacks]

    def __enter__(self):
        RayDaskCallback.ray_active.update(self._new)
        return self

    def __exit__(self, *exception):
        for callback in self._new:
            RayDaskCallback.ray_active.discard(callback)


def normalize_ray_callback(callback):
    if isinstance(callback, RayDaskCallback):
        return callback._ray_callback
    if isinstance(callback, RayCallbacks):
        return callback
    raise TypeError(f"callbacks of a graph are RayDaskCallbacks, not {callback!r}")


def unpack_ray_callbacks(callbacks):
    """RayCallbacks of lists: the hooks that there are, by kind."""
    columns = zip(*map(normalize_ray_callback, callbacks)) if callbacks else ((),) * len(HOOKS)
    return RayCallbacks(*([hook for hook in column if hook is not None] for column in columns))


@contextlib.contextmanager
def local_ray_callbacks(callbacks=None):
    """The given ones, or those that are active, which are not meanwhile: graphs inside of graphs are not told."""
    if callbacks is not None:
        yield {normalize_ray_callback(callback) for callback in callbacks}
        return
    active = set(RayDaskCallback.ray_active)
    RayDaskCallback.ray_active.clear()
    try:
        yield active
    finally:
        RayDaskCallback.ray_active.update(active)


class ProgressBarCallback(RayDaskCallback):
    """A bar on stderr, until all tasks of the graph have ended."""

    WIDTH = 40

    def __init__(self, file=None):
        super().__init__()
        self._file = file
        self._refs = []

    def _ray_postsubmit(self, task, key, deps, object_ref):
        self._refs.append(object_ref)

    def _ray_postsubmit_all(self, object_refs, dsk):
        pending, self._refs = list(dict.fromkeys(self._refs)), []
        total = len(pending)
        file = self._file or sys.stderr
        while pending:
            pending = manta.wait(pending, num_returns=len(pending), timeout=0.1)[1]
            done = total - len(pending)
            full = self.WIDTH * done // total
            print(f"\r[{'#' * full}{'.' * (self.WIDTH - full)}] {done} of {total} tasks", end="" if pending else "\n", file=file,
                  flush=True)
