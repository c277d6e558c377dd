"""What Manta raises, under Ray's names and in Ray's hierarchy (ray.exceptions)."""

from __future__ import annotations

import os
import traceback
import warnings

from manta import _doubles

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
    "UserCodeException", "RpcError", "ActorHandleNotFoundError", "StreamingGeneratorReplayInconsistentError", "RayDirectTransportError",
    "OufOfBandObjectRefSerializationException",
]


class RayError(Exception):
    """The base of all that Manta raises for what went wrong elsewhere."""


class CrossLanguageError(RayError):
    """A task of another language has failed."""


class UserCodeException(RayError):
    """The user's code has raised where the runtime called it."""


class _Told(RayError):
    """One that is made of its message."""

    _BASE = ""

    def __init__(self, error_message=None):
        super().__init__(error_message if error_message is not None else self._BASE)
        self.error_message = self.args[0]


class _ToldAsMessage(_Told):
    """One whose text is in `message`, too."""

    def __init__(self, message=None):
        super().__init__(message)
        self.message = self.error_message


class TaskCancelledError(RayError):
    """The task was cancelled."""

    def __init__(self, task_id=None, error_message=None):
        super().__init__(task_id, error_message)
        self.task_id = task_id
        self.error_message = error_message

    def __str__(self):
        if self.error_message is not None:
            return self.error_message
        return "The task was cancelled." if self.task_id is None else f"The task {_hex(self.task_id)} was cancelled."


class RayTaskError(RayError):
    """A task has raised an exception: `cause`, if it could travel, and the traceback where it ran."""

    def __init__(self, function_name, traceback_str, cause, proctitle=None, pid=None, ip=None, actor_repr=None, actor_id=None):
        super().__init__(function_name, traceback_str, cause, proctitle, pid, ip, actor_repr, actor_id)
        self.function_name = function_name
        self.traceback_str = traceback_str
        self.cause = cause
        self.proctitle = proctitle if proctitle is not None else f"ray::{function_name}"
        self.pid = pid if pid is not None else os.getpid()
        self.ip = ip or "127.0.0.1"
        self.actor_repr = actor_repr
        self.actor_id = actor_id

    def __str__(self):
        actor = f", actor_id={self.actor_id}, repr={self.actor_repr}" if self.actor_id is not None else ""
        return f"{self.proctitle}() (pid={self.pid}, ip={self.ip}{actor})\n{self.traceback_str}".rstrip()

    def as_instanceof_cause(self):
        """This error as an instance of its cause's class, too; itself when there is no such class."""
        cause = self.cause
        if cause is None or isinstance(cause, RayTaskError):
            return self
        if isinstance(cause, _LEAVING):  # it would leave the caller, too
            return self
        double = _doubles.type_of(RayTaskError, type(cause))
        try:
            if double is not None:
                return double(self)
        except Exception:  # it is not made without what its constructor wants
            double = None
        if double is None:
            warnings.warn(f"{type(cause).__name__} cannot be derived from, so that the error of {self.function_name} is a "
                          "RayTaskError only: its `cause` is what was raised.", stacklevel=2)
        return self


# What ends a thread or a program that does not catch it.
_LEAVING = SystemExit, KeyboardInterrupt, GeneratorExit


def _hex(id):
    return id.hex() if hasattr(id, "hex") else str(id)


class WorkerCrashedError(_Told):
    """The worker that ran the task has died."""

    _BASE = "The worker died while it ran the task."


class RayActorError(RayError):
    """The actor could not run the call. `actor_init_failed`: its constructor has raised; `preempted`: its node was taken away."""

    _BASE = "The actor died before it finished the call."

    def __init__(self, actor_id=None, error_msg=None, actor_init_failed=False, preempted=False):
        message = self._BASE if error_msg is None else error_msg
        super().__init__(actor_id, message, actor_init_failed, preempted)
        self.actor_id = actor_id
        self.error_msg = message
        self.actor_init_failed = actor_init_failed
        self.preempted = preempted

    def __str__(self):
        return self.error_msg

    def __reduce__(self):
        return _rebuild_actor_error, (type(self), self.args, {"cause": self.__dict__.get("cause")})


class ActorDiedError(RayActorError):
    """The actor is dead for good. `cause`: what its constructor has raised, as a RayTaskError; or a message."""

    def __init__(self, cause=None, *, actor_id=None, error_msg=None, actor_init_failed=False, preempted=False):
        self.cause = cause
        if isinstance(cause, RayTaskError):
            actor_init_failed = True
            actor_id = cause.actor_id if actor_id is None else actor_id
            error_msg = f"The actor died because of an error raised in its creation task, {cause}"
        elif isinstance(cause, str):
            error_msg = cause
        super().__init__(actor_id, error_msg, actor_init_failed, preempted)


class ActorUnavailableError(RayActorError):
    """The actor cannot be reached, or starts again; it may have run the call."""

    _BASE = "The actor is unavailable: it is restarting, or cannot be reached. The call may have run."

    def __init__(self, error_message=None, actor_id=None):
        super().__init__(actor_id, error_message)


def _rebuild_actor_error(kind, arguments, state):
    error = kind.__new__(kind)
    RayActorError.__init__(error, *arguments)
    error.__dict__.update({key: value for key, value in state.items() if kind is ActorDiedError})
    return error


class AsyncioActorExit(RayError):
    """Leaves the method of an asyncio actor in which exit_actor was called."""


class RaySystemError(RayError):
    """Something below the user's code went wrong."""

    def __init__(self, client_exc="", traceback_str=None):
        super().__init__(client_exc, traceback_str)
        self.client_exc = client_exc
        self.traceback_str = traceback_str

    def __str__(self):
        return f"{self.client_exc}" + (f"\ntraceback: {self.traceback_str}" if self.traceback_str else "")


class NodeDiedError(_ToldAsMessage):
    """The node is gone."""

    _BASE = "The node died."


class LocalRayletDiedError(NodeDiedError):
    """The daemon of this node, and with it the cluster of a local driver, is gone."""

    _BASE = "The daemon of this node died."


class AuthenticationError(_ToldAsMessage):
    """The secret is not that of the cluster."""


class UnserializableException(RayError):
    """A task has raised an exception that cannot travel; its traceback is here."""

    def __init__(self, original_stack_trace=""):
        super().__init__(original_stack_trace)
        self.original_stack_trace = original_stack_trace


class ObjectStoreFullError(_Told):
    """There is no room for the object, and none can be made."""

    _BASE = "The object store is full."


class OutOfDiskError(_Told):
    """There is no room on the disk that objects would go to."""

    _BASE = "The local disk is full."


class OutOfMemoryError(_ToldAsMessage):
    """The worker was ended because the node had too little memory."""

    _BASE = "The node ran out of memory."


class ActorAlreadyExistsError(ValueError, RayError):
    """Another actor has that name."""


class ObjectLostError(RayError):
    """All copies of the object are gone."""

    _WHY = "all its copies are gone"

    def __init__(self, object_ref_hex=None, owner_address="", call_site=""):
        super().__init__(object_ref_hex, owner_address, call_site)
        self.object_ref_hex = object_ref_hex
        self.owner_address = owner_address
        self.call_site = call_site
        self.error_message = None

    @classmethod
    def _of(cls, message):
        error = cls()
        error.error_message = message
        return error

    def __str__(self):
        if self.error_message is not None:
            return self.error_message
        made = f" It was made at {self.call_site}." if self.call_site else ""
        return f"The object {self.object_ref_hex} is lost: {self._WHY}.{made}"


class ObjectFetchTimedOutError(ObjectLostError):
    """The object was not there in time, though its owner knows of a copy."""

    _WHY = "it could not be fetched in time"


class ReferenceCountingAssertionError(ObjectLostError, AssertionError):
    """The object was deleted while there was a reference."""

    _WHY = "it was deleted while there was a reference to it"


class ObjectFreedError(ObjectLostError):
    """The object was freed by hand."""

    _WHY = "it was freed by hand"


class OwnerDiedError(ObjectLostError):
    """The process that owned the object has died."""

    _WHY = "the process that owned it has died"


class ObjectReconstructionFailedError(ObjectLostError):
    """The object is lost, and cannot be made again."""

    _WHY = "it cannot be made again"


class ObjectReconstructionFailedMaxAttemptsExceededError(ObjectReconstructionFailedError):
    """The task that makes the object has been tried as often as it may."""

    _WHY = "its task has been tried as often as max_retries allows"


class ObjectReconstructionFailedLineageEvictedError(ObjectReconstructionFailedError):
    """How the object was made is not known any more."""

    _WHY = "how it was made is not known any more"


class GetTimeoutError(RayError, TimeoutError):
    """A time limit is over before the value was there."""


class PlasmaObjectNotAvailable(RayError):
    """The object is not in the store."""


class PendingCallsLimitExceeded(_Told):
    """As many calls to the actor are pending as its max_pending_calls allows."""


class TaskUnschedulableError(_Told):
    """The task can run nowhere."""


class ActorUnschedulableError(_Told):
    """The actor can run nowhere."""


class TaskPlacementGroupRemoved(_Told):
    """The placement group that the task was to run in is gone."""

    _BASE = "The placement group that the task was to run in was removed."


class ActorPlacementGroupRemoved(_Told):
    """The placement group that the actor ran in is gone."""

    _BASE = "The placement group that the actor ran in was removed."


class RuntimeEnvSetupError(_Told):
    """The runtime environment of the task or the actor could not be made."""

    _BASE = "The runtime environment could not be set up."


class RayChannelError(RaySystemError):
    """A channel of a compiled graph failed."""


class RayChannelTimeoutError(RayChannelError, TimeoutError):
    """A channel of a compiled graph was not ready in time."""


class RayCgraphCapacityExceeded(RaySystemError):
    """A compiled graph has as many executions under way as it may."""


class ObjectRefStreamEndOfStreamError(RayError):
    """A generator has no more items."""


# What Ray's programs may name in an except clause, and Manta has no cause to raise.


class RpcError(RayError):
    """A call between processes of the cluster has failed."""

    def __init__(self, message, rpc_code=None):
        super().__init__(message, rpc_code)
        self.message = message
        self.rpc_code = rpc_code

    def __str__(self):
        return str(self.message)


class ActorHandleNotFoundError(ValueError, RayError):
    """The process knows no such actor."""


class StreamingGeneratorReplayInconsistentError(RaySystemError):
    """A generator that ran again gave another number of items."""


class RayDirectTransportError(RaySystemError):
    """A tensor did not arrive from device to device."""


class OufOfBandObjectRefSerializationException(RayError):
    """A reference was pickled by hand, which the cluster does not allow. (The name is Ray's.)"""
