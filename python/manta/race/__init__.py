"""One program under Ray and under Manta at the same time, side by side (`manta race`)."""

from manta.race.command import main

__all__ = ["main"]
