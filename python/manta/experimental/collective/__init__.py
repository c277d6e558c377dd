"""Collectives of graphs and groups of actors: not there yet."""

from manta import _not_yet

__all__ = _not_yet.declare(
    globals(),
    functions=["create_collective_group", "destroy_collective_group", "destroy_all_collective_groups", "get_collective_groups"])


class _Bindings:
    """A collective operation of a graph: operation.bind(nodes)."""

    def __init__(self, name):
        self.bind = _not_yet.function(f"{name}.bind", module="ray.experimental.collective")


allreduce = _Bindings("allreduce")
allgather = _Bindings("allgather")
reducescatter = _Bindings("reducescatter")
__all__ += ["allreduce", "allgather", "reducescatter"]
