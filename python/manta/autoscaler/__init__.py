"""Clusters that grow and shrink (ray.autoscaler): not there yet."""

from manta.autoscaler import sdk

__all__ = ["sdk"]
