"""Names of accelerators (ray.util.accelerators)."""

from manta.util.accelerators.accelerators import *  # noqa: F401,F403
