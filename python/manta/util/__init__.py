"""Helpers around tasks and actors (ray.util)."""

from __future__ import annotations

import manta
from manta import _lazy
from manta.util import accelerators, annotations, client, debug, iter, rpdb as pdb
from manta.util.actor_pool import ActorPool
from manta.util.client_connect import connect, disconnect
from manta.util.debug import disable_log_once_globally, enable_periodic_logging, log_once
from manta.util.named_actors import list_named_actors
from manta.util.placement_group import (
    get_current_placement_group,
    get_placement_group,
    placement_group,
    placement_group_table,
    remove_placement_group,
)
from manta.util.serialization import deregister_serializer, register_serializer

__all__ = [
    "ActorPool", "accelerators", "annotations", "as_completed", "client", "connect", "debug", "deregister_serializer",
    "disable_log_once_globally", "disconnect", "enable_periodic_logging", "get_current_placement_group", "get_node_ip_address",
    "get_placement_group", "inspect_serializability", "iter", "list_named_actors", "log_once", "map_unordered", "pdb", "placement_group",
    "placement_group_table", "register_serializer", "remove_placement_group",
]

__getattr__ = _lazy.modules_of("manta.util", (
    "collective", "dask", "joblib", "metrics", "multiprocessing", "queue", "scheduling_strategies", "spark", "state", "tracing"))


def as_completed(refs, *, chunk_size=10, yield_obj_refs=False):
    """The values of `refs`, or the references themselves: `chunk_size` at a time as soon as those are there, within them in the order of `refs`."""
    if chunk_size < 1:
        raise ValueError(f"chunk_size has to be at least 1, not {chunk_size}")
    pending = list(refs)
    while pending:
        ready, pending = manta.wait(pending, num_returns=min(chunk_size, len(pending)))
        if yield_obj_refs:
            yield from ready
        else:
            for ref in ready:
                yield manta.get(ref)


def map_unordered(fn, items, *, backpressure_size=100, chunk_size=10, yield_obj_refs=False):
    """Applies a remote function to each item, with at most `backpressure_size` calls under way (None: all); values as of as_completed."""
    if backpressure_size is not None and backpressure_size < 1:
        raise ValueError(f"backpressure_size has to be at least 1, not {backpressure_size}")
    if chunk_size < 1:
        raise ValueError(f"chunk_size has to be at least 1, not {chunk_size}")
    if not hasattr(fn, "remote"):
        raise TypeError(f"map_unordered takes a remote function, not {fn!r}")
    pending = []
    for item in items:
        pending.append(fn.remote(item))
        if backpressure_size is not None and len(pending) >= backpressure_size:
            ready, pending = manta.wait(pending, num_returns=1)
            yield from ready if yield_obj_refs else map(manta.get, ready)
    yield from as_completed(pending, chunk_size=chunk_size, yield_obj_refs=yield_obj_refs)


def get_node_ip_address():
    """Of the node that this process belongs to."""
    if not manta.is_initialized():
        return "127.0.0.1"
    here = manta.get_runtime_context().get_node_id()
    return next((node["NodeManagerAddress"] for node in manta.nodes() if node["NodeID"] == here), "127.0.0.1")


def inspect_serializability(base_obj, name=None, depth=3, print_file=None):
    """(whether it pickles, the members that do not). Prints what it finds."""
    from manta.util.check_serialize import inspect_serializability as inspect

    return inspect(base_obj, name=name, depth=depth, print_file=print_file)
