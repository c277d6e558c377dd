"""What references can tell beside what the extension says of them."""

from __future__ import annotations

import os
import struct

from manta import _manta, exceptions
from manta._ids import JobID

_ID = struct.Struct("<QII")  # owner, index, generation
# Those that were pickled outside of values. They are kept for the process's life, as in Ray: nobody can know when their copies go.
_carried = set()


def carry(ref):
    """What __reduce__ gives where no value of ours is being made: the pickle goes wherever its owner takes it."""
    if os.environ.get("RAY_allow_out_of_band_object_ref_serialization") == "0":
        raise exceptions.OufOfBandObjectRefSerializationException(
            f"{ref!r} is pickled outside of what tasks, actors and manta.put take, which RAY_allow_out_of_band_object_ref_serialization=0 forbids: "
            "pass the reference to them as it is, inside any value")
    _carried.add(ref)
    return take_in, (_manta.context()["node_id"], *_ID.unpack(ref.binary()))


def take_in(node_id, owner, index, generation):
    """The reference in a pickle that has been made on that node."""
    if node_id != _manta.context()["node_id"]:
        from manta import _introspection  # needed by few

        if node_id.hex() not in (node["NodeID"] for node in _introspection.nodes()):
            raise exceptions.ObjectLostError._of(
                f"the pickle holds a reference to an object of another cluster, or of one that has ended (node {node_id.hex()}): "
                "references can be carried within their cluster only; carry the value, which manta.get gives")
    return _manta.import_ref(owner, index, generation)


def forget_carried():
    """The cluster is left, and its objects with it."""
    _carried.clear()


def _job_id(self):
    """The job that this process works for."""
    return JobID.from_int(_manta.context()["job_id"])


def _owner_address(self):
    """The owner's worker id, as bytes."""
    return self.binary()[7::-1]


def _call_site(self):
    """Where the object was made: empty, for that is not recorded."""
    return ""


def _from_binary(value):
    """The reference with this id. If it names no object of the cluster, it fails as that to one that is lost."""
    if len(value) != _ID.size:
        raise ValueError(f"an ObjectRef's id has {_ID.size} bytes, not {len(value)}")
    return _manta.import_ref(*_ID.unpack(value))


def _from_hex(text):
    return _from_binary(bytes.fromhex(text))


def _from_random():
    """One that names no object."""
    return _from_binary(os.urandom(_ID.size))


def _nil():
    """The one that names no object by its id, which is 0."""
    return _from_binary(bytes(_ID.size))


def complete(kind):
    """Adds these to the extension's type."""
    of_references, of_the_type = (_job_id, _owner_address, _call_site), (_from_binary, _from_hex, _from_random, _nil)
    for method in (*of_references, *of_the_type):
        method.__name__ = method.__name__.lstrip("_")
        method.__qualname__ = "ObjectRef." + method.__name__
        setattr(kind, method.__name__, method if method in of_references else staticmethod(method))
