"""Dask's graphs on tasks (ray.util.dask): not there yet."""

from manta import _not_yet

__all__ = _not_yet.declare(
    globals(),
    functions=["ray_dask_get", "ray_dask_get_sync", "enable_dask_on_ray", "disable_dask_on_ray", "dataframe_optimize"],
    classes=["RayDaskCallback", "ProgressBarCallback"])
