"""What Ray has under ray.experimental."""

from manta import _lazy
from manta.experimental.locations import get_local_object_locations, get_object_locations

__getattr__ = _lazy.modules_of("manta.experimental", ("channel", "collective", "compiled_dag_ref", "internal_kv", "tqdm_ray"))

__all__ = ["get_local_object_locations", "get_object_locations"]
