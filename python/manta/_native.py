"""The extension, connected to its Python half."""

from manta import _errors, _event_loops, _export, _output, _references, _serialization
from manta._manta import *  # noqa: F401,F403
from manta._manta import Caller, Dependency, NativeActor, ObjectRef, ObjectRefGenerator, connect  # noqa: F401


def _collect_items(items):
    from manta import _generators

    return _generators.collect_items(items)


def _prepare_worker():
    from manta import _environments

    _environments.prepare_worker()


def _find_named(module, name, is_class):
    from manta import _named_code

    return _named_code.find(module, name, is_class)


connect(
    dumps=_serialization.dumps,
    loads=_serialization.loads,
    make_error=_errors.make,
    describe_error=_errors.describe,
    actor_made=_output.name_actor,
    load_function=_export.load_function,
    export_caller=_export.export_caller,
    start_event_loops=_event_loops.start,
    run_stream=_event_loops.run_stream,
    collect_items=_collect_items,
    find_named=_find_named,
    prepare_worker=_prepare_worker,
)
_references.complete(ObjectRef)
