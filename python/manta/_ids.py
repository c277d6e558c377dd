"""Names of things as Ray shows them: bytes with a hex form."""

from __future__ import annotations

import os
import struct


class BaseID:
    __slots__ = ("_bytes",)
    SIZE = 16

    @classmethod
    def from_hex(cls, text):
        return cls(bytes.fromhex(text))

    @classmethod
    def from_binary(cls, value):
        return cls(value)

    @classmethod
    def from_random(cls):
        return cls(os.urandom(cls.SIZE))

    @classmethod
    def nil(cls):
        return cls(bytes(cls.SIZE))

    @classmethod
    def size(cls):
        return cls.SIZE

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


class UniqueID(BaseID):
    __slots__ = ()


class ActorID(BaseID):
    __slots__ = ()


class TaskID(BaseID):
    __slots__ = ()


class JobID(BaseID):
    __slots__ = ()
    SIZE = 4

    @classmethod
    def from_int(cls, value):
        return cls(value.to_bytes(cls.SIZE, "big"))

    def int(self):
        return int.from_bytes(self._bytes, "big")


class NodeID(UniqueID):
    __slots__ = ()


class WorkerID(UniqueID):
    __slots__ = ()
    SIZE = 8


class FunctionID(UniqueID):
    __slots__ = ()


class ActorClassID(UniqueID):
    __slots__ = ()


class PlacementGroupID(BaseID):
    __slots__ = ()
    SIZE = 18

    def __init__(self, value):
        if isinstance(value, tuple):
            value = struct.pack("<QQ", *value) + bytes(self.SIZE - 16)
        super().__init__(value)

    def pair(self):
        """As the runtime names it."""
        return struct.unpack("<QQ", self._bytes[:16])
