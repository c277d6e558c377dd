"""Collective communication between actors (ray.util.collective): not there yet."""

from manta import _not_yet

__all__ = _not_yet.declare(
    globals(),
    functions=["init_collective_group", "create_collective_group", "destroy_collective_group", "is_group_initialized",
               "nccl_available", "gloo_available", "get_rank", "get_collective_group_size", "allreduce", "allreduce_multigpu", "barrier",
               "reduce", "reduce_multigpu", "broadcast", "broadcast_multigpu", "allgather", "allgather_multigpu", "reducescatter",
               "reducescatter_multigpu", "send", "send_multigpu", "recv", "recv_multigpu", "get_group_handle"])
