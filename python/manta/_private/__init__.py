"""What packages for Ray take from ray._private, though it is not for them."""

_LAZY = ("client_mode_hook", "internal_api", "ray_constants", "ray_logging", "services", "state", "test_utils", "usage", "utils", "worker")


def __getattr__(name):
    """As with Ray, `import ray` is enough to find them; modules are loaded when they are first used."""
    if name in _LAZY:
        import importlib

        return importlib.import_module("manta._private." + name)
    raise AttributeError(f"module 'manta._private' has no attribute '{name}'")
