"""ray._raylet: what packages for Ray take from its extension, though it is not for them."""

from manta import _not_yet
from manta._generators import DynamicObjectRefGenerator, ObjectRefGenerator  # noqa: F401
from manta._ids import (  # noqa: F401
    ActorClassID,
    ActorID,
    BaseID,
    FunctionID,
    JobID,
    NodeID,
    PlacementGroupID,
    TaskID,
    UniqueID,
    WorkerID,
)
from manta._native import ObjectRef

ObjectID = ObjectRef
StreamingObjectRefGenerator = ObjectRefGenerator  # its name of old

_not_yet.declare(globals(), classes=("Config", "CoreWorker", "GcsClient", "SerializedObject"),
                 instead="it is of Ray's own implementation; manta.util.state and manta.experimental.internal_kv tell of the cluster")
