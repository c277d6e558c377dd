"""Finds what keeps a value from being pickled."""

from __future__ import annotations

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


def inspect_serializability(base_obj, name=None, depth=3, print_file=None):
    """(whether `base_obj` pickles, the set of the smallest members that do not), with an account on `print_file` (default: stdout)."""
    out = print_file or sys.stdout
    name = name or getattr(base_obj, "__name__", str(base_obj))
    failures = {}

    def look(value, name, parent, left):
        if _serialization.pickles(value):
            return True
        print(f"{'    ' * (depth - left)}!!! FAIL serialization of {name}: {_serialization.repr_of(value)}", file=out)
        members = _serialization.members_of(value) if left > 0 else []
        deeper = [(key, member) for _, key, member in members if not _serialization.pickles(member)]
        for key, member in deeper:
            look(member, key, value, left - 1)
        if not deeper:
            failures[id(value)] = FailureTuple(value, name, parent)
        return False

    fine = look(base_obj, name, None, depth)
    if not fine:
        print(f"Variables that cannot be serialized: {sorted(f.name for f in failures.values())}", file=out)
    return fine, set(failures.values())
