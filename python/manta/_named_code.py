"""Functions and classes that programs in other languages call by their names."""

from __future__ import annotations

import importlib
import inspect
import sys

_found = {}


def find(module, name, is_class):
    """What is called there, without what @remote has made of it; of a class, what runs as an actor."""
    key = module, name, is_class
    if key not in _found:
        _found[key] = _found_now(*key)
    return _found[key]


def _found_now(module, name, is_class):
    from manta import actor, remote_function

    target = _imported(module)
    for part in name.split("."):
        try:
            target = getattr(target, part)
        except AttributeError:
            raise AttributeError(f"the Python module {module} ({getattr(target, '__file__', 'built in')}) has no {name}") from None
    if isinstance(target, actor.ActorClass):
        return target._exported_class.target if is_class else _refuse(f"{module}.{name} is an actor's class: create the actor")
    if isinstance(target, remote_function.RemoteFunction):
        target = target._function
    if not is_class:
        return target if callable(target) else _refuse(f"{module}.{name} cannot be called: it is {target!r}")
    return actor._runnable(target, {}) if inspect.isclass(target) else _refuse(f"{module}.{name} is no class: it is {target!r}")


def _imported(module):
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise  # what it imports is missing
        raise ModuleNotFoundError(f"there is no Python module {module} for {sys.executable} in {sys.path}: is its folder in the "
                                  "code_search_path?", name=error.name) from None


def _refuse(why):
    raise TypeError(why)
