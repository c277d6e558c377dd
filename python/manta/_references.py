"""What references can tell beside what the extension says of them."""

from __future__ import annotations

from manta import _manta, _not_yet
from manta._ids import JobID


def _job_id(self):
    """The job that this process works for."""
    return JobID.from_int(_manta.context()["job_id"])


def _owner_address(self):
    """The owner's worker id, as bytes."""
    return self.binary()[7::-1]


def _call_site(self):
    """Where the object was made: empty, for that is not recorded."""
    return ""


def complete(kind):
    """Adds these to the extension's type."""
    for method in (_job_id, _owner_address, _call_site):
        method.__name__ = method.__name__.lstrip("_")
        method.__qualname__ = "ObjectRef." + method.__name__
        setattr(kind, method.__name__, method)
    kind.from_random = staticmethod(_not_yet.function("from_random", "references name objects that there are", module="ray.ObjectRef"))
