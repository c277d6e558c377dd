"""ray._private.ray_logging."""

from manta._logging import LoggingConfig  # noqa: F401
