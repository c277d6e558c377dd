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


# The most that travels with an error; one that is larger would arrive without its payload (execution.cc).
_MOST_PAYLOAD = 4 << 20
# Of a text or a value in an exception that would be too large.
_MOST_OF_EACH = 64 << 10


def describe(exception, actor):
    """(kind, type, message, traceback, payload) of what a task, or a method of `actor`, has raised."""
    from manta import _native, _retries

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
    retriable = _retries.take_mark(exception)
    type_name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    text = "".join(traceback.format_exception(kind, exception, exception.__traceback__))
    cause = exception.cause if isinstance(exception, RayTaskError) else exception
    where = dict(proctitle=f"ray::{type(actor).__name__}.{name}" if actor is not None else None, actor_repr=_repr_of(actor),
                 actor_id=ActorID(context["actor_id"]).hex() if context["actor_id"] != (0, 0) else None)
    message = _text_of(exception)

    def error_of(cause, text):
        return RayTaskError(name, text, cause, **where)

    payload = _payload_of(error_of, _without_frames(cause), text, f"{type_name}: {_cut(message)}")
    return _TASK, _RETRIABLE if retriable else type_name, message, text, payload


def _payload_of(error_of, cause, text, description):
    """The pickle of error_of(cause, text), or of the same with as much of the two as can travel."""
    from manta import _serialization

    try:
        payload = _serialization.dumps_alone(error_of(cause, text))
        if len(payload) > _MOST_PAYLOAD:
            payload = _serialization.dumps_alone(error_of(_smaller(cause, len(payload)), _cut(text)))
        pickle.loads(payload)  # one that cannot be made again is of no use to anybody
        if len(payload) > _MOST_PAYLOAD:
            raise ValueError(f"its pickle has {len(payload)} bytes; {_MOST_PAYLOAD} are the most that travel with an error")
        return payload
    except Exception as why:
        reason = f"{description}\n{_cut(text)}\n(The exception itself cannot be pickled: {why!r})"
        return _serialization.dumps_alone(error_of(UnserializableException(reason), _cut(text)))


def _smaller(cause, size):
    """One of the same class, without what is large in it."""
    from manta import _serialization

    kind = type(cause)
    made = kind.__new__(kind, *map(_cut, cause.args))
    made.args = tuple(map(_cut, cause.args))
    left_out = []
    for name, value in vars(cause).items():
        if len(_serialization.dumps_alone(value)) > _MOST_OF_EACH:
            left_out.append(name)
        else:
            vars(made)[name] = value
    told = f"{size} bytes are too many to travel with an error ({_MOST_PAYLOAD} at most): long texts were cut"
    told += f", and left out: {', '.join(left_out)}" if left_out else ""
    vars(made)["__notes__"] = [*vars(made).get("__notes__", ()), told]
    return made


def _cut(value):
    """Texts and bytes that are very long lose their middle."""
    if not isinstance(value, (str, bytes)) or len(value) <= _MOST_OF_EACH:
        return value
    half = _MOST_OF_EACH // 2
    told = f"... {len(value) - 2 * half} more ..."
    return value[:half] + (told if isinstance(value, str) else told.encode()) + value[-half:]


def _text_of(exception):
    try:
        return str(exception)
    except Exception as why:
        return f"(its __str__ has raised {type(why).__name__})"


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
        BaseException.__traceback__.__set__(at, None)  # its class may allow no assignment
        at = at.__cause__ or at.__context__
    return exception
