"""Clusters inside of Spark's (ray.util.spark): not there yet."""

from manta import _not_yet

MAX_NUM_WORKER_NODES = -1
__all__ = ["MAX_NUM_WORKER_NODES"] + _not_yet.declare(globals(),
                                                      functions=["setup_ray_cluster", "setup_global_ray_cluster", "shutdown_ray_cluster"])
