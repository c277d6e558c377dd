"""ray.types: what annotations use."""

from manta._native import ObjectRef

__all__ = ["ObjectRef"]
