"""Packages whose modules are loaded when they are first used."""

from __future__ import annotations


def modules_of(package, names):
    """The __getattr__ of `package`: `import ray` is enough to find its modules `names`."""

    def __getattr__(name):
        if name in names:
            import importlib  # not needed by programs that use none of them

            return importlib.import_module(f"{package}.{name}")
        raise AttributeError(f"module '{package}' has no attribute '{name}'")

    return __getattr__
