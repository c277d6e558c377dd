"""Runs a graph of Dask's: each task as one of the cluster, whose arguments are the references of those that it depends on."""

from __future__ import annotations

import collections

import manta

_NEEDED = (2024, 12)  # since then tasks are objects


def enable_dask_on_ray(shuffle="tasks", use_shuffle_optimization=True):
    """Makes ray_dask_get Dask's scheduler, from now on or as a context manager. `shuffle`: how data frames are shuffled; files ("disk")
    need a file system that all nodes share. `use_shuffle_optimization` has no effect: Dask's own optimization is used."""
    _dask()
    import dask

    return dask.config.set({"scheduler": ray_dask_get, "dataframe.shuffle.method": shuffle})


def disable_dask_on_ray():
    """Dask's own choice of a scheduler again."""
    _dask()
    import dask

    return dask.config.set({"scheduler": None, "dataframe.shuffle.method": None})


def dataframe_optimize(dsk, keys, **kwargs):
    """The part of a graph that `keys` need."""
    import dask.optimization

    return dask.optimization.cull(dsk, list(_flat(keys)))[0]


def ray_dask_get(dsk, keys, **kwargs):
    """The values of `keys` (one, or lists of lists of them). Of what dask.compute passes on it takes

    ray_remote_args: options of all tasks, such as {"num_cpus": 2}; dask.annotate(ray_remote_args=...) names those of some.
    ray_callbacks: RayDaskCallbacks, instead of the active ones.
    ray_persist: references instead of values.
    """
    _dask()
    from dask.callbacks import local_callbacks, unpack_callbacks

    from manta.util.dask.callbacks import local_ray_callbacks, unpack_ray_callbacks

    persist = kwargs.pop("ray_persist", False)
    given, ray_given = kwargs.pop("callbacks", None), kwargs.pop("ray_callbacks", None)
    with local_callbacks(given) as callbacks, local_ray_callbacks(ray_given) as ray_callbacks:
        hooks = unpack_ray_callbacks(ray_callbacks)
        run = _Run(dsk, keys, kwargs.pop("ray_remote_args", None) or {}, hooks, unpack_callbacks(callbacks))
        refs = run.submit()
        for hook in hooks.ray_postsubmit_all:
            hook([ref for ref in refs.values() if isinstance(ref, manta.ObjectRef)], dsk)
        run.follow()
        if persist:
            result = _nested(keys, {key: ref if isinstance(ref, manta.ObjectRef) else manta.put(ref) for key, ref in refs.items()})
        else:
            result = _nested(keys, _values(refs))
        for hook in hooks.ray_finish:
            hook(result)
        return result


def ray_dask_get_sync(dsk, keys, **kwargs):
    """The same in this thread, for debugging. References of persisted collections are read."""
    _dask()
    from dask.local import get_sync

    kwargs.pop("ray_remote_args", None)
    kwargs.pop("ray_persist", None)
    graph, _ = _graph_of(dsk)
    return get_sync({key: _with_values(node) for key, node in graph.items()}, keys, **kwargs)


class _Run:
    """One graph, once."""

    def __init__(self, dsk, keys, options, hooks, dask_hooks):
        self._graph, annotated = _graph_of(dsk)
        self._options = {key: {**options, **more} for key, more in annotated.items()}
        self._default_options = options
        self._hooks = hooks
        self._starts, self._state_starts, self._pretasks, self._posttasks, self._finishes = dask_hooks
        self._wanted = set(_flat(keys))
        self._refs = {}
        self._keys = {}  # of references, if somebody wants to know when they come
        missing = self._wanted - self._graph.keys()
        if missing:
            raise KeyError(f"the graph has no {', '.join(map(repr, missing))}")

    def submit(self):
        """References or plain values of what is wanted, by key. Others are given up once all that need them have them."""
        from dask.order import order

        users = collections.Counter(dependency for node in self._graph.values() for dependency in set(node.dependencies))
        for hook in self._starts:
            hook(self._graph)
        self._state = {"waiting": {}, "ready": [], "running": set(), "finished": set(), "cache": {}, "released": set(),
                       "dependencies": {key: set(node.dependencies) for key, node in self._graph.items()}}
        ranks = order(self._graph)
        for key in sorted(self._graph, key=ranks.__getitem__):
            node = self._graph[key]
            self._refs[key] = self._submit(key, node)
            for dependency in set(node.dependencies):
                users[dependency] -= 1
                if users[dependency] == 0 and dependency not in self._wanted:
                    del self._refs[dependency]
        return {key: self._refs[key] for key in self._wanted}

    def _submit(self, key, node):
        from dask._task_spec import Alias, DataNode

        if isinstance(node, Alias):
            return self._refs[node.target]
        if isinstance(node, DataNode):
            value = node.value
            return value if isinstance(value, (manta.ObjectRef, int, float, str, bytes, type(None))) else manta.put(value)
        names = tuple(node.dependencies)
        for hook in self._hooks.ray_presubmit:
            result = hook(node, key, names)
            if result is not None:
                return manta.put(result)
        for hook in self._pretasks:
            hook(key, self._graph, self._state)
        options = {"name": f"dask:{key!r}", **self._options.get(key, self._default_options)}
        ref = _run_task.options(**options).remote(node, names, self._hooks.ray_pretask, self._hooks.ray_posttask,
                                                  *(self._refs[name] for name in names))
        if self._posttasks or self._state_starts:
            self._keys[ref] = key
            self._state["running"].add(key)
        for hook in self._hooks.ray_postsubmit:
            hook(node, key, names, ref)
        return ref

    def follow(self):
        """For Dask's own callbacks, which want to know when tasks end."""
        for hook in self._state_starts:
            hook(self._graph, self._state)
        pending = list(self._keys)
        while pending:
            ready, pending = manta.wait(pending)
            for ref in ready:
                key = self._keys[ref]
                self._state["running"].discard(key)
                self._state["finished"].add(key)
                for hook in self._posttasks:
                    hook(key, ref, self._graph, self._state, "cluster")
        for hook in self._finishes:
            hook(self._graph, self._state, False)


@manta.remote
def _run_task(node, names, pretasks, posttasks, *values):
    """One task of a graph; its dependencies are `names`, and have come as `values`."""
    states = [hook(node.key, values) for hook in pretasks]
    result = _with_values(node)(dict(zip(names, values)))
    for hook, state in zip(posttasks, states if len(states) == len(posttasks) else [None] * len(posttasks)):
        hook(node.key, result, state)
    return result


def _with_values(item):
    """With what references inside of it (of persisted collections) refer to."""
    from dask._task_spec import Alias, DataNode, NestedContainer, Task

    if isinstance(item, manta.ObjectRef):
        return manta.get(item)
    if not _has_refs(item):
        return item
    if isinstance(item, DataNode):
        return DataNode(item.key, _with_values(item.value))
    if isinstance(item, NestedContainer):
        return type(item)(*map(_with_values, item.args))
    if isinstance(item, Task) and not isinstance(item, Alias):
        return Task(item.key, item.func, *map(_with_values, item.args), **{name: _with_values(one) for name, one in item.kwargs.items()})
    if isinstance(item, dict):
        return {key: _with_values(one) for key, one in item.items()}
    return type(item)(map(_with_values, item))


def _has_refs(item):
    from dask._task_spec import DataNode, Task

    if isinstance(item, manta.ObjectRef):
        return True
    if isinstance(item, DataNode):
        return _has_refs(item.value)
    if isinstance(item, Task):
        return any(map(_has_refs, item.args)) or any(map(_has_refs, item.kwargs.values()))
    if type(item) in (list, tuple, set):
        return any(map(_has_refs, item))
    return type(item) is dict and any(map(_has_refs, item.values()))


def _graph_of(dsk):
    """(the tasks by key, options by key of those that are annotated)"""
    from dask._task_spec import convert_legacy_graph
    from dask.highlevelgraph import HighLevelGraph

    annotated = {}
    if isinstance(dsk, HighLevelGraph):
        for layer in dsk.layers.values():
            options = (layer.annotations or {}).get("ray_remote_args")
            if options:
                annotated.update((key, options(key) if callable(options) else options) for key in layer)
    elif not isinstance(dsk, collections.abc.Mapping):
        annotated = dsk.__dask_annotations__().get("ray_remote_args", {})
        dsk = dsk.__dask_graph__()
    return convert_legacy_graph(dict(dsk)), annotated


def _values(refs):
    """Of references and plain values by key."""
    keys = [key for key, ref in refs.items() if isinstance(ref, manta.ObjectRef)]
    return {**refs, **dict(zip(keys, manta.get([refs[key] for key in keys])))}


def _flat(keys):
    if isinstance(keys, list):
        for key in keys:
            yield from _flat(key)
    else:
        yield keys


def _nested(keys, values):
    """In the shape of `keys`; lists become tuples, as with Dask's schedulers."""
    return tuple(_nested(key, values) for key in keys) if isinstance(keys, list) else values[keys]


def _dask():
    """Says what is missing."""
    try:
        import dask
    except ImportError:
        raise ImportError("ray.util.dask needs the package dask: pip install dask") from None
    version = tuple(int(part) for part in dask.__version__.split(".")[:2] if part.isdigit())
    if version < _NEEDED:
        raise ImportError(f"ray.util.dask needs dask {'.'.join(map(str, _NEEDED))} or later, not {dask.__version__}")
