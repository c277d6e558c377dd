"""What channels move between accelerators with: not there yet."""

from manta import _not_yet

__all__ = _not_yet.declare(globals(), classes=["AcceleratorContext"],
                           functions=["register_accelerator_context", "is_accelerator_context_registered"])
