"""connect and disconnect of Ray Client (ray.util): not there yet."""

from manta import _not_yet

__all__ = _not_yet.declare(globals(), functions=["connect", "disconnect"], instead="ray.init(address='auto') and ray.shutdown()")
