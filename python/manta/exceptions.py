"""What Manta raises, under Ray's names and in Ray's hierarchy (ray.exceptions)."""

from __future__ import annotations

import os
import pickle
import sys
import traceback

__all__ = [
    "RayError", "RayTaskError", "CrossLanguageError", "TaskCancelledError", "RayActorError", "ActorDiedError",
    "ActorUnavailableError", "AsyncioActorExit", "ActorAlreadyExistsError", "LocalRayletDiedError", "WorkerCrashedError",
    "NodeDiedError", "RaySystemError", "AuthenticationError", "UnserializableException", "ObjectStoreFullError",
    "OutOfDiskError", "OutOfMemoryError", "ObjectLostError", "ObjectFetchTimedOutError", "ReferenceCountingAssertionError",
    "ObjectFreedError", "OwnerDiedError", "ObjectReconstructionFailedError",
    "ObjectReconstructionFailedMaxAttemptsExceededError", "ObjectReconstructionFailedLineageEvictedError",
    "GetTimeoutError", "PlasmaObjectNotAvailable", "PendingCallsLimitExceeded", "TaskUnschedulableError",
    "ActorUnschedulableError", "TaskPlacementGroupRemoved", "ActorPlacementGroupRemoved", "RuntimeEnvSetupError",
    "RayChannelError", "RayChannelTimeoutError", "RayCgraphCapacityExceeded", "ObjectRefStreamEndOfStreamError",
    "UserCodeException",
]


class RayError(Exception):
    """The base of all that Manta raises for what went wrong elsewhere."""


class CrossLanguageError(RayError):
    """A task of another language has failed."""


class UserCodeException(RayError):
    pass


class TaskCancelledError(RayError):
    """The task was cancelled."""


class RayTaskError(RayError):
    """A task has raised an exception: `cause`, if it could travel, and the traceback where it ran."""

    def __init__(self, function_name, traceback_str, cause, proctitle=None, pid=None, ip=None, actor_repr=None, actor_id=None):
        super().__init__(function_name, traceback_str, cause, proctitle, pid, ip, actor_repr, actor_id)
        self.function_name = function_name
        self.traceback_str = traceback_str
        self.cause = cause
        self.proctitle = proctitle
        self.pid = pid if pid is not None else os.getpid()
        self.ip = ip or "127.0.0.1"
        self.actor_repr = actor_repr
        self.actor_id = actor_id

    def __str__(self):
        return f"{self.function_name}() (pid={self.pid}, ip={self.ip})\n{self.traceback_str}".rstrip()

    def as_instanceof_cause(self):
        """This error as an instance of its cause's class, too; itself when there is no such class."""
        cause = self.cause
        if cause is None or isinstance(cause, RayTaskError):
            return self
        double = _double_type(type(cause))
        if double is None:
            return self
        return double(self)


_double_types: dict[type, type | None] = {}


def _double_type(cause_type):
    """The class RayTaskError(<cause_type>); None if nothing can be derived from it together with RayTaskError."""
    if cause_type in _double_types:
        return _double_types[cause_type]

    def init(self, error):
        self._error = error
        self.cause = error.cause
        self.args = error.cause.args

    def new(cls, error):
        # Neither constructor of the bases is known to take what there is.
        return cause_type.__new__(cls)

    def getattribute(self, name):
        error = self.__dict__.get("_error")
        if error is not None and name in error.__dict__:
            return getattr(error, name)
        return getattr(self.cause, name)

    name = f"RayTaskError({cause_type.__name__})"
    members = {
        "__init__": init,
        "__new__": new,
        "__getattr__": getattribute,
        "__str__": lambda self: str(self._error),
        "__reduce__": lambda self: (_rebuild_double, (self._error,)),
        "as_instanceof_cause": lambda self: self,
        "__module__": "ray.exceptions",
        "__qualname__": name,
    }
    try:
        made = type(name, (RayTaskError, cause_type), members)
    except TypeError:
        made = None
    _double_types[cause_type] = made
    return made


def _rebuild_double(error):
    return error.as_instanceof_cause()


class WorkerCrashedError(RayError):
    """The worker that ran the task has died."""


class RayActorError(RayError):
    """The actor could not run the call."""

    def __init__(self, cause=None, actor_id=None, error_msg="The actor died unexpectedly before finishing this task.",
                 actor_init_failed=False, preempted=False):
        message = cause if isinstance(cause, str) else error_msg
        super().__init__(message)
        self.actor_id = actor_id
        self.error_msg = message
        self.actor_init_failed = actor_init_failed
        self.preempted = preempted


class ActorDiedError(RayActorError):
    """The actor is dead for good."""


class ActorUnavailableError(RayActorError):
    """The actor cannot be reached, or starts again; it may have run the call."""


class AsyncioActorExit(RayError):
    pass


class RaySystemError(RayError):
    """Something below the user's code went wrong."""


class NodeDiedError(RayError):
    pass


class LocalRayletDiedError(NodeDiedError):
    """The daemon of this node, and with it the cluster of a local driver, is gone."""


class AuthenticationError(RayError):
    pass


class UnserializableException(RayError):
    """A task has raised an exception that cannot travel; its traceback is here."""


class ObjectStoreFullError(RayError):
    pass


class OutOfDiskError(RayError):
    pass


class OutOfMemoryError(RayError):
    pass


class ActorAlreadyExistsError(ValueError, RayError):
    """Another actor has that name."""


class ObjectLostError(RayError):
    pass


class ObjectFetchTimedOutError(ObjectLostError):
    pass


class ReferenceCountingAssertionError(ObjectLostError, AssertionError):
    pass


class ObjectFreedError(ObjectLostError):
    pass


class OwnerDiedError(ObjectLostError):
    """The process that owned the object has died."""


class ObjectReconstructionFailedError(ObjectLostError):
    pass


class ObjectReconstructionFailedMaxAttemptsExceededError(ObjectReconstructionFailedError):
    pass


class ObjectReconstructionFailedLineageEvictedError(ObjectReconstructionFailedError):
    pass


class GetTimeoutError(RayError, TimeoutError):
    """A time limit is over before the value was there."""


class PlasmaObjectNotAvailable(RayError):
    pass


class PendingCallsLimitExceeded(RayError):
    """As many calls to the actor are pending as its max_pending_calls allows."""


class TaskUnschedulableError(RayError):
    pass


class ActorUnschedulableError(RayError):
    pass


class TaskPlacementGroupRemoved(RayError):
    pass


class ActorPlacementGroupRemoved(RayError):
    pass


class RuntimeEnvSetupError(RayError):
    pass


class RayChannelError(RaySystemError):
    pass


class RayChannelTimeoutError(RayChannelError, TimeoutError):
    pass


class RayCgraphCapacityExceeded(RaySystemError):
    pass


class ObjectRefStreamEndOfStreamError(RayError):
    pass


# ---- Between the runtime and these classes

# manta_error_kind in manta_c.h.
_TASK, _CANCELLED, _ACTOR_DIED = 5, 9, 7
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
}


def _make(kind, message, type_name, stack, payload):
    """The exception for an error of the runtime."""
    if kind != _TASK:
        error = _OF_KIND.get(kind, RaySystemError)
        if issubclass(error, RayActorError):
            return error(error_msg=message, actor_init_failed="constructor failed" in message)
        return error(message)
    if not payload:
        return CrossLanguageError(f"{type_name}: {message}\n{stack}".rstrip())
    try:
        told = pickle.loads(payload)
        return told.as_instanceof_cause() if isinstance(told, RayTaskError) else told
    except Exception as why:  # its class is not here, or does not accept what it was pickled with
        return UnserializableException(f"{type_name}: {message}\n{stack}\n(The exception itself could not be unpickled here: {why!r})")


class _ActorExit(SystemExit):
    """Leaves the method in which exit_actor was called."""


def _describe(exception):
    """(kind, type, message, traceback, payload) of what a task has raised."""
    from manta import _native, _serialization

    name = _native.context()["task_name"]
    if isinstance(exception, _ActorExit):
        return _ACTOR_DIED, "", "the actor exited: exit_actor() was called in " + name, "", b""
    if isinstance(exception, (KeyboardInterrupt, _coroutine_cancelled())):
        return _CANCELLED, "", f"the task {name} was cancelled while it ran", "", b""
    kind = type(exception)
    retriable = getattr(exception, "__manta_retriable__", False)
    if retriable:
        del exception.__manta_retriable__
    type_name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    text = "".join(traceback.format_exception(kind, exception, exception.__traceback__))
    cause = exception.cause if isinstance(exception, RayTaskError) else exception
    error = RayTaskError(name, text, _without_frames(cause))
    try:
        payload = _serialization.dumps_alone(error)
        pickle.loads(payload)  # one that cannot be made again is of no use to anybody
    except Exception as why:
        reason = f"{type_name}: {exception}\n{text}\n(The exception itself cannot be pickled: {why!r})"
        payload = _serialization.dumps_alone(RayTaskError(name, text, UnserializableException(reason)))
    return _TASK, _RETRIABLE if retriable else type_name, str(exception), text, payload


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
