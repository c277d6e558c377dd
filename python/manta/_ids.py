"""Names of things as Ray shows them: bytes with a hex form."""

from __future__ import annotations

import struct


class BaseID:
    __slots__ = ("_bytes",)

    def __init__(self, value):
        if isinstance(value, tuple):
            value = struct.pack("<QQ", *value)
        self._bytes = bytes(value)

    def binary(self):
        return self._bytes

    def hex(self):
        return self._bytes.hex()

    def is_nil(self):
        return not any(self._bytes)

    def __eq__(self, other):
        return type(self) is type(other) and self._bytes == other._bytes

    def __hash__(self):
        return hash(self._bytes)

    def __repr__(self):
        return f"{type(self).__name__}({self.hex()})"

    def __reduce__(self):
        return type(self), (self._bytes,)


class ActorID(BaseID):
    __slots__ = ()


class TaskID(BaseID):
    __slots__ = ()


class JobID(BaseID):
    __slots__ = ()


class NodeID(BaseID):
    __slots__ = ()


class WorkerID(BaseID):
    __slots__ = ()
