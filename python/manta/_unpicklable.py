"""Finds what in a value keeps it from being pickled."""

from __future__ import annotations

import types

from manta import _manta, _serialization

# How far below a value its members are looked at, and how many of them.
_DEEPEST, _MOST_MEMBERS = 6, 1000
_HEAP_TYPE, _IMMUTABLE_TYPE = 1 << 9, 1 << 8  # Py_TPFLAGS_* of a type


def error_of(value, cause):
    """What is raised where `value` was to be pickled."""
    name = value.__qualname__ if isinstance(value, (type, types.FunctionType)) else "value"
    return TypeError(f"Could not serialize {repr_of(value)}: {cause}\nWhat cannot be pickled: {_offender(value, name, [value]) or name}")


def argument_error(task, args, kwargs, error):
    """The same for the arguments of a call; `error`: what pickling all of them has raised."""
    places = [*((f"args[{i}]", value) for i, value in enumerate(args)), *((f"kwargs[{name!r}]", value) for name, value in kwargs.items())]
    for place, value in places:
        if not pickles(value):
            return TypeError(f"Could not serialize the argument {repr_of(value)} for a task or actor {task}: {error.__cause__ or error}\n"
                             f"What cannot be pickled: {_offender(value, place, [value]) or place}")
    return error


def repr_of(value):
    try:
        text = repr(value)
    except Exception:
        text = object.__repr__(value)
    return text if len(text) <= 200 else text[:200] + "..."


def _offender(value, name, path):
    """The smallest member of `value` that does not pickle, and how it is reached; None: `value` fails only for what it is in, its `path`."""
    members = unpicklable_members_of(value) if len(path) < _DEEPEST else []
    is_smallest = True
    for suffix, _, item in members:
        is_smallest = False
        found = None if contains(path, item) else _offender(item, name + suffix, [*path, item])
        if found:
            return found
    return f"{name} = {repr_of(value)}" if is_smallest else None


def contains(path, item):
    return any(item is former for former in path)


def unpicklable_members_of(value):
    return (member for member in members_of(value)[:_MOST_MEMBERS] if not pickles(member[2]))


def pickles(value):
    return pickling_error(value) is None


def pickling_error(value):
    """What pickling it raises, or None. References in it are not kept alive by that."""
    try:
        _manta.collect_refs(lambda: _serialization.dumps_alone(value))
    except Exception as error:
        return error
    return None


def members_of(value):
    """(how it is reached from `value`, its name, the member) of what a pickle of `value` would contain."""
    if isinstance(value, types.FunctionType):
        return _members_of_function(value)
    if isinstance(value, type):
        return _members_of_class(value)
    if isinstance(value, dict):
        return [(f"[{key!r}]", str(key), item) for key, item in value.items()]
    if isinstance(value, (list, tuple, set, frozenset)):
        return [(f"[{i}]", str(i), item) for i, item in enumerate(value)]
    names = {"__func__": (staticmethod, classmethod, types.MethodType), "__self__": types.MethodType, "fget": property, "fset": property}
    members = [("." + name, name, getattr(value, name)) for name, kinds in names.items() if isinstance(value, kinds)]
    members += [("." + name, name, item) for name, item in getattr(value, "__dict__", {}).items()]
    kind = type(value)
    if kind.__flags__ & _HEAP_TYPE and not kind.__flags__ & _IMMUTABLE_TYPE:
        members.append((f", class {kind.__qualname__}", kind.__qualname__, kind))
    return members


def _members_of_function(function):
    from cloudpickle import cloudpickle

    code = function.__code__
    positional = code.co_varnames[:code.co_argcount]
    variables = {name: cell.cell_contents for name, cell in zip(code.co_freevars, function.__closure__ or ()) if _is_set(cell)}
    variables |= {name: function.__globals__[name] for name in cloudpickle._extract_code_globals(code) if name in function.__globals__}
    defaults = {**dict(zip(reversed(positional), reversed(function.__defaults__ or ()))), **(function.__kwdefaults__ or {})}
    return [*((f", variable '{name}'", name, item) for name, item in variables.items()),
            *((f", default of '{name}'", name, item) for name, item in defaults.items()),
            *(("." + name, name, item) for name, item in vars(function).items())]


def _is_set(cell):
    try:
        cell.cell_contents
    except ValueError:
        return False
    return True


def _members_of_class(cls):
    # The two are made anew with each class.
    own = {name: item for name, item in vars(cls).items() if name not in ("__dict__", "__weakref__")}
    return [*(("." + name, name, item) for name, item in own.items()),
            *((f", base class {base.__qualname__}", base.__qualname__, base) for base in cls.__bases__)]
