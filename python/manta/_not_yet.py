"""Names of Ray's that can be imported, and say at their first use that they are not there yet."""

from __future__ import annotations

import sys


def error(what, instead=""):
    """What use of it raises."""
    return NotImplementedError(f"{what} is not there yet in Manta{': ' + instead if instead else ''}.")


def attribute(what):
    """What a look-up of it raises: hasattr is False."""
    return AttributeError(f"{what} is not there yet in Manta: it is of Ray's own implementation.")


def function(name, instead="", module=None):
    """A function that raises."""
    module = module or _caller()

    def refuse(*args, **kwargs):
        raise error(f"{module}.{name}", instead)

    refuse.__name__ = refuse.__qualname__ = name
    refuse.__module__ = module
    refuse.__doc__ = "Not there yet."
    refuse.__manta_not_there_yet__ = True
    return refuse


def kind(name, instead="", module=None):
    """A class for annotations and isinstance, of which nothing can be made."""
    module = module or _caller()

    def refuse(cls, *args, **kwargs):
        raise error(f"{module}.{name}", instead)

    return type(name, (), {"__new__": refuse, "__module__": module, "__doc__": "Not there yet.", "__manta_not_there_yet__": True})


def _caller():
    return _as_ray(sys._getframe(2).f_globals["__name__"])


def _as_ray(module):
    """Users know the names as Ray's."""
    return "ray" + module[len("manta"):]


def declare(namespace, *, functions=(), classes=(), instead=""):
    """All these in the namespace of a module: declare(globals(), ...). Gives their names, for __all__."""
    module = _as_ray(namespace["__name__"])
    for name in functions:
        namespace[name] = function(name, instead, module)
    for name in classes:
        namespace[name] = kind(name, instead, module)
    return [*functions, *classes]
