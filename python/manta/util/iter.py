"""Iterators over shards in actors (ray.util.iter): not there yet."""

from manta import _not_yet

__all__ = _not_yet.declare(
    globals(),
    functions=["from_items", "from_iterators", "from_range", "from_actors"],
    classes=["ParallelIterator", "LocalIterator", "ParallelIteratorWorker"],
    instead="ray.util.map_unordered and ray.util.ActorPool go over items in parallel")
