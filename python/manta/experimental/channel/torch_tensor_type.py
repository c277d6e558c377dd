"""Tensors in channels: not there yet."""

from manta import _not_yet

__all__ = _not_yet.declare(globals(), classes=["TorchTensorType"])
