"""What Ray has under ray.experimental."""

from manta.experimental.locations import get_local_object_locations, get_object_locations

__all__ = ["get_local_object_locations", "get_object_locations"]
