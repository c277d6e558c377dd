"""dask.persist with this scheduler leaves the values in the cluster, and puts references into the collections."""

from __future__ import annotations

import functools

_persist = None  # Dask's own


def install():
    """From now on; without effect when there is no Dask."""
    global _persist
    try:
        import dask
    except ImportError:
        return
    if _persist is not None:
        return
    _persist = dask.persist

    @functools.wraps(_persist)
    def persist(*collections, **kwargs):
        return _persist(*collections, **_with_references(collections, kwargs))

    method = dask.base.DaskMethodsMixin.persist

    @functools.wraps(method)
    def persist_method(self, **kwargs):
        return method(self, **_with_references([self], kwargs))

    dask.persist = persist
    dask.base.DaskMethodsMixin.persist = persist_method


def _with_references(collections, kwargs):
    """The arguments of a scheduler; other schedulers than ours get theirs as they are."""
    import dask

    from manta.util.dask.scheduler import ray_dask_get

    scheduler = dask.base.get_scheduler(scheduler=kwargs.get("scheduler"), collections=list(collections))
    return {**kwargs, "ray_persist": True} if scheduler is ray_dask_get else kwargs


def ray_dask_persist(*collections, **kwargs):
    """dask.persist, with this scheduler."""
    import dask

    from manta.util.dask.scheduler import ray_dask_get

    return dask.persist(*collections, **{"scheduler": ray_dask_get, **kwargs})
