"""Dask's graphs on tasks (ray.util.dask): a scheduler for dask.compute and dask.persist."""

from manta.util.dask import persistence
from manta.util.dask.scheduler import dataframe_optimize, disable_dask_on_ray, enable_dask_on_ray, ray_dask_get, ray_dask_get_sync

__all__ = [
    "ProgressBarCallback", "RayDaskCallback", "dataframe_optimize", "disable_dask_on_ray", "enable_dask_on_ray", "local_ray_callbacks",
    "ray_dask_get", "ray_dask_get_sync", "ray_dask_persist", "unpack_ray_callbacks",
]

persistence.install()
_OF_CALLBACKS = ("ProgressBarCallback", "RayDaskCallback", "local_ray_callbacks", "unpack_ray_callbacks")


def __getattr__(name):
    """Classes that are Dask's as well are made when they are first used."""
    if name in _OF_CALLBACKS:
        from manta.util.dask import callbacks

        return getattr(callbacks, name)
    if name == "ray_dask_persist":
        return persistence.ray_dask_persist
    raise AttributeError(f"module 'ray.util.dask' has no attribute '{name}'")
