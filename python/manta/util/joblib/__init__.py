"""joblib's backend on a cluster (ray.util.joblib)."""

from __future__ import annotations


def register_ray():
    """After this, `with joblib.parallel_backend("ray"):` runs joblib's jobs, such as scikit-learn's, as calls of a pool of actors."""
    try:
        import joblib
    except ImportError as error:
        raise ImportError("joblib is not installed: pip install joblib") from error
    from manta.util.joblib.ray_backend import RayBackend

    joblib.register_parallel_backend("ray", RayBackend)


__all__ = ["register_ray"]
