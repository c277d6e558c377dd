"""Finds what keeps a value from being pickled."""

from __future__ import annotations

import inspect
import sys

from manta import _serialization


class FailureTuple:
    """A member that does not pickle: the object, its name, and what it is a member of."""

    def __init__(self, obj, name, parent):
        self.obj = obj
        self.name = name
        self.parent = parent

    def __repr__(self):
        return f"FailTuple({self.name} [obj={_serialization.repr_of(self.obj)}, parent={_serialization.repr_of(self.parent)}])"


def _pickles(value):
    try:
        _serialization.dumps_alone(value)
    except Exception:
        return False
    return True


def _members(value):
    """(name, member) of what a pickle of `value` would contain."""
    if inspect.isfunction(value):
        closure = inspect.getclosurevars(value)
        return list({**closure.globals, **closure.nonlocals}.items())
    if isinstance(value, dict):
        return [(str(key), item) for key, item in value.items()]
    if isinstance(value, (list, tuple, set, frozenset)):
        return [(str(i), item) for i, item in enumerate(value)]
    return list(vars(value).items()) if hasattr(value, "__dict__") else []


def inspect_serializability(base_obj, name=None, depth=3, print_file=None):
    """(whether `base_obj` pickles, the set of the smallest members that do not), with an account on `print_file` (default: stdout)."""
    out = print_file or sys.stdout
    name = name or getattr(base_obj, "__name__", str(base_obj))
    failures = {}

    def look(value, name, parent, left):
        if _pickles(value):
            return True
        print(f"{'    ' * (depth - left)}!!! FAIL serialization of {name}: {_serialization.repr_of(value)}", file=out)
        deeper = [(key, member) for key, member in _members(value) if left > 0 and not _pickles(member)]
        for key, member in deeper:
            look(member, key, value, left - 1)
        if not deeper:
            failures[id(value)] = FailureTuple(value, name, parent)
        return False

    fine = look(base_obj, name, None, depth)
    if not fine:
        print(f"Variables that cannot be serialized: {sorted(f.name for f in failures.values())}", file=out)
    return fine, set(failures.values())
