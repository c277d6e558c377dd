"""Manta: Ray's interface on a native runtime. `import manta as ray` runs a Ray program."""

from manta import actor, exceptions
from manta._api import (
    available_resources,
    cancel,
    cluster_resources,
    get,
    get_actor,
    get_gpu_ids,
    kill,
    put,
    remote,
    wait,
)
from manta._ids import ActorID, JobID, NodeID, TaskID, WorkerID
from manta._native import ObjectRef
from manta._session import init, is_initialized, shutdown
from manta.actor import method
from manta.runtime_context import get_runtime_context

__version__ = "0.1.0"


def __getattr__(name):
    """Sub-packages are loaded when they are first used."""
    if name in ("experimental", "util"):
        import importlib

        return importlib.import_module("manta." + name)
    raise AttributeError(f"module 'manta' has no attribute '{name}'")


__all__ = [
    "ActorID", "JobID", "NodeID", "ObjectRef", "TaskID", "WorkerID", "actor", "available_resources", "cancel", "cluster_resources",
    "exceptions", "get", "get_actor", "get_gpu_ids", "get_runtime_context", "init", "is_initialized", "kill", "method", "put", "remote",
    "shutdown", "wait",
]
