"""multiprocessing.Pool on actors (ray.util.multiprocessing)."""

from multiprocessing import TimeoutError

from manta.util.multiprocessing.pool import Pool

__all__ = ["Pool", "TimeoutError"]
