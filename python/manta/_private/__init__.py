"""What packages for Ray take from ray._private, though it is not for them."""

from manta import _lazy

__getattr__ = _lazy.modules_of("manta._private", (
    "client_mode_hook", "internal_api", "ray_constants", "ray_logging", "services", "state", "test_utils", "usage", "utils", "worker"))
