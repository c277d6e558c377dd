"""Errors of the runtime as exceptions, and what tasks raise as errors of the runtime."""

from __future__ import annotations

import pickle
import sys
import traceback

from manta._ids import ActorID, TaskID
from manta.exceptions import (
    ActorAlreadyExistsError, ActorDiedError, ActorPlacementGroupRemoved, ActorUnavailableError, ActorUnschedulableError,
    AuthenticationError, CrossLanguageError, GetTimeoutError, LocalRayletDiedError, ObjectLostError,
    ObjectRefStreamEndOfStreamError, ObjectStoreFullError, OwnerDiedError, PendingCallsLimitExceeded, RaySystemError,
    RayTaskError, TaskCancelledError, TaskPlacementGroupRemoved, TaskUnschedulableError, UnserializableException,
    WorkerCrashedError)

# manta_error_kind in manta_c.h.
_TASK, _CRASHED, _ACTOR_DIED, _CANCELLED = 5, 6, 7, 9
# By this name the runtime knows an exception that the task is tried again for; whoever unpickles the payload sees its own.
_RETRIABLE = "manta.retriable"
_OF_KIND = {
    1: ValueError,
    2: RaySystemError,
    3: NotImplementedError,
    4: GetTimeoutError,
    6: WorkerCrashedError,
    7: ActorDiedError,
    8: ActorUnavailableError,
    9: TaskCancelledError,
    10: OwnerDiedError,
    11: ObjectLostError,
    12: ObjectStoreFullError,
    13: ObjectStoreFullError,
    14: LocalRayletDiedError,
    15: TaskUnschedulableError,
    16: ActorUnschedulableError,
    17: PendingCallsLimitExceeded,
    18: ActorAlreadyExistsError,
    19: ValueError,
    20: RaySystemError,
    21: ConnectionError,
    22: AuthenticationError,
    23: RaySystemError,
    24: ObjectRefStreamEndOfStreamError,
    25: TaskPlacementGroupRemoved,
    26: ActorPlacementGroupRemoved,
}


def make(kind, message, type_name, stack, payload, about):
    """The exception for an error of the runtime. `about`: the id of an actor or a task as bytes, or None."""
    if kind != _TASK:
        error = _OF_KIND.get(kind, RaySystemError)
        if error is ActorDiedError:
            return _actor_died(message, about and about.hex())
        if error is ActorUnavailableError:
            return error(message, about and about.hex())
        if issubclass(error, ObjectLostError):
            return error._of(message)
        return error(about and TaskID(about), message) if error is TaskCancelledError else error(message)
    if not payload:
        return CrossLanguageError(f"{type_name}: {message}\n{stack}".rstrip())
    try:
        told = pickle.loads(payload)
        return told.as_instanceof_cause() if isinstance(told, RayTaskError) else told
    except Exception as why:  # its class is not here, or does not accept what it was pickled with
        return UnserializableException(f"{type_name}: {message}\n{stack}\n(The exception itself could not be unpickled here: {why!r})")


def _actor_died(message, actor_id):
    """With the words that programs for Ray look for."""
    failed = "an error raised in its creation task" in message
    message = message.replace("the actor was killed", "the actor was killed by `ray.kill`")
    return ActorDiedError(actor_id=actor_id, error_msg=message, actor_init_failed=failed)


class ActorExit(SystemExit):
    """Leaves the method in which exit_actor was called."""


def describe(exception, actor):
    """(kind, type, message, traceback, payload) of what a task, or a method of `actor`, has raised."""
    from manta import _native, _serialization

    context = _native.context()
    name = context["task_name"]
    if actor is not None:
        name = name.removeprefix(type(actor).__name__ + ".")
    if isinstance(exception, ActorExit):
        return _ACTOR_DIED, "", "the actor exited: exit_actor() was called in " + name, "", b""
    if isinstance(exception, SystemExit):
        return _left(name, exception)
    if isinstance(exception, (KeyboardInterrupt, _coroutine_cancelled())):
        return _CANCELLED, "", f"the task {name} was cancelled while it ran", "", b""
    kind = type(exception)
    retriable = getattr(exception, "__manta_retriable__", False)
    if retriable:
        del exception.__manta_retriable__
    type_name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    text = "".join(traceback.format_exception(kind, exception, exception.__traceback__))
    cause = exception.cause if isinstance(exception, RayTaskError) else exception
    where = dict(proctitle=f"ray::{type(actor).__name__}.{name}" if actor is not None else None, actor_repr=_repr_of(actor),
                 actor_id=ActorID(context["actor_id"]).hex() if context["actor_id"] != (0, 0) else None)
    error = RayTaskError(name, text, _without_frames(cause), **where)
    try:
        payload = _serialization.dumps_alone(error)
        pickle.loads(payload)  # one that cannot be made again is of no use to anybody
    except Exception as why:
        reason = f"{type_name}: {exception}\n{text}\n(The exception itself cannot be pickled: {why!r})"
        payload = _serialization.dumps_alone(RayTaskError(name, text, UnserializableException(reason), **where))
    return _TASK, _RETRIABLE if retriable else type_name, str(exception), text, payload


def _repr_of(actor):
    try:
        return None if actor is None else repr(actor)
    except Exception:
        return object.__repr__(actor)


def _left(name, exception):
    """As describe, of sys.exit: it ends an actor, and would end the worker of a task."""
    from manta import _native

    text = "".join(traceback.format_exception(exception))
    said = f"sys.exit({', '.join(map(repr, exception.args))}) was called in {name}"
    if _native.context()["actor_id"] == (0, 0):
        return _CRASHED, "", f"{said}\n{text}", "", b""
    _native.exit_actor()
    return _ACTOR_DIED, "", f"the actor exited: {said}\n{text}", "", b""


def _coroutine_cancelled():
    """asyncio's exception for it, without importing asyncio into each worker."""
    asyncio = sys.modules.get("asyncio")
    return asyncio.CancelledError if asyncio is not None else ()


def _without_frames(exception):
    """The exception and those that it stands on, without tracebacks, which hold frames."""
    seen = set()
    at = exception
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        at.__traceback__ = None
        at = at.__cause__ or at.__context__
    return exception
