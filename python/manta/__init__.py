"""Manta: Ray's interface on a native runtime. `import manta as ray` runs a Ray program."""

from manta import _to_come, actor, exceptions
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
from manta._generators import DynamicObjectRefGenerator, ObjectRefGenerator
from manta._ids import (
    ActorClassID,
    ActorID,
    FunctionID,
    JobID,
    NodeID,
    PlacementGroupID,
    TaskID,
    UniqueID,
    WorkerID,
)
from manta._introspection import nodes, show_in_dashboard, timeline
from manta._language import LOCAL_MODE, SCRIPT_MODE, WORKER_MODE, Language
from manta._logging import LoggingConfig
from manta._native import ObjectRef
from manta._session import init, is_initialized, shutdown
from manta.actor import method
from manta.client_builder import ClientBuilder, client
from manta.cross_language import cpp_function, java_actor_class, java_function
from manta.runtime_context import get_runtime_context

ObjectID = ObjectRef  # its name of old

__version__ = "0.1.0"
__ray_version__ = "2.60.0"  # whose interface this is; what programs that say `import ray` see as the version (manta.as_ray)
__commit__ = "unknown"

_to_come.install()

_LAZY = ("_private", "_raylet", "autoscaler", "cloudpickle", "cluster_utils", "cross_language", "dag", "data", "experimental", "job_config",
         "runtime_env", "util")


def __getattr__(name):
    """Sub-packages are loaded when they are first used."""
    if name in _LAZY:
        import importlib
        import sys

        # Under the name that the program knows them by. (manta.as_ray is asked, and not imported: that alone has effects under pytest.)
        as_ray = sys.modules.get("manta.as_ray")
        return importlib.import_module(("ray." if as_ray is not None and as_ray.is_installed() else "manta.") + name)
    raise AttributeError(_to_come.message(name) if name in _to_come.NAMES else f"module 'manta' has no attribute '{name}'")


__all__ = [
    "ActorClassID", "ActorID", "ClientBuilder", "DynamicObjectRefGenerator", "FunctionID", "JobID", "LOCAL_MODE", "Language",
    "LoggingConfig", "NodeID", "ObjectID", "ObjectRef", "ObjectRefGenerator", "PlacementGroupID", "SCRIPT_MODE", "TaskID", "UniqueID", "WORKER_MODE",
    "WorkerID", "actor", "available_resources", "cancel", "client", "cluster_resources", "cpp_function", "exceptions", "get", "get_actor",
    "get_gpu_ids", "get_runtime_context", "init", "is_initialized", "java_actor_class", "java_function", "kill", "method", "nodes", "put",
    "remote", "show_in_dashboard", "shutdown", "timeline", "wait",
]
