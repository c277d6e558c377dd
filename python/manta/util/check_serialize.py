"""Finds what keeps a value from being pickled."""

from __future__ import annotations

import sys

from manta import _unpicklable


class FailureTuple:
    """A member that does not pickle: the object, its name, and what it is a member of."""

    def __init__(self, obj, name, parent):
        self.obj = obj
        self.name = name
        self.parent = parent

    def __repr__(self):
        return f"FailTuple({self.name} [obj={_unpicklable.repr_of(self.obj)}, parent={_unpicklable.repr_of(self.parent)}])"


def inspect_serializability(base_obj, name=None, depth=3, print_file=None):
    """(whether `base_obj` pickles, the set of the smallest members that do not), with an account on `print_file` (default: stdout)."""
    out = print_file or sys.stdout
    name = name or getattr(base_obj, "__name__", str(base_obj))
    failures = {}

    def look(value, name, path):
        if _unpicklable.pickles(value):
            return True
        print(f"{'    ' * len(path)}!!! FAIL serialization of {name}: {_unpicklable.repr_of(value)}", file=out)
        members = list(_unpicklable.unpicklable_members_of(value)) if len(path) < depth else []
        for _, key, member in members:
            if not _unpicklable.contains([*path, value], member):
                look(member, key, [*path, value])
        if not members:
            failures[id(value)] = FailureTuple(value, name, path[-1] if path else None)
        return False

    fine = look(base_obj, name, [])
    if not fine:
        print(f"Variables that cannot be serialized: {sorted(f.name for f in failures.values())}", file=out)
    return fine, set(failures.values())
