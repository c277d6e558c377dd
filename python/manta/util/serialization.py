"""Serializers of the user's own for classes."""

from __future__ import annotations

from manta import _serialization


def register_serializer(cls, *, serializer, deserializer):
    """Values of `cls` travel as serializer(value), and are made again by deserializer there. In the process that calls this."""
    if not isinstance(cls, type):
        raise TypeError(f"register_serializer takes a class, not {cls!r}")
    _serialization.custom[cls] = lambda value: (_make, (deserializer, serializer(value)))


def deregister_serializer(cls):
    """Without effect for a class that has none."""
    _serialization.custom.pop(cls, None)


def _make(deserializer, data):
    return deserializer(data)


