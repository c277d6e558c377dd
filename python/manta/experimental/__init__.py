"""What Ray has under ray.experimental."""

from manta.experimental.locations import get_local_object_locations, get_object_locations

_LAZY = ("channel", "collective", "compiled_dag_ref", "internal_kv", "tqdm_ray")


def __getattr__(name):
    """Modules are loaded when they are first used."""
    if name in _LAZY:
        import importlib

        return importlib.import_module("manta.experimental." + name)
    raise AttributeError(f"module 'manta.experimental' has no attribute '{name}'")


__all__ = ["get_local_object_locations", "get_object_locations"]
