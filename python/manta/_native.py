"""The extension, connected to its Python half."""

from manta import _event_loops, _export, _references, _serialization, exceptions
from manta._manta import *  # noqa: F401,F403
from manta._manta import Caller, Dependency, NativeActor, ObjectRef, connect  # noqa: F401

connect(
    dumps=_serialization.dumps,
    loads=_serialization.loads,
    make_error=exceptions._make,
    describe_error=exceptions._describe,
    load_function=_export.load_function,
    export_caller=_export.export_caller,
    start_event_loops=_event_loops.start,
)
_references.complete(ObjectRef)
