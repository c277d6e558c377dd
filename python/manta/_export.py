"""Functions and classes travel once: under the hash of their pickle, in a key-value table of the cluster."""

from __future__ import annotations

import pickle

from manta import _manta
from manta._content_hash import content_hash

_TABLE = "functions"
# As Ray: a closure of this size is a mistake.
_WARN_BYTES = 10 << 20
# Larger ones are objects, and the table has a reference.
_MOST_IN_TABLE = 1 << 20


def export_caller(caller):
    """Makes what `caller` calls known to the cluster, and its options to the runtime: (digest, number of the options, captured references)."""
    source = caller.source
    digest, captured = source._exported()
    return digest, source._options_number(), captured


class _Elsewhere:
    """Stands in the table for a pickle that is too large for it."""

    def __init__(self, ref):
        self.ref = ref


class Exported:
    """A function or class with its pickle, made at the first use: what is in its globals then counts."""

    def __init__(self, target, made_of=None):
        self.target = target
        self._made_of = made_of or target  # the user's
        self._made = None  # (pickle, references in it), at once: other threads may ask meanwhile
        self._job = None
        self._exported = None

    def exported(self):
        """(where the cluster has it, as 16 bytes; the references that it contains, which have to come with each call)"""
        job = _manta.context()["job_id"], _manta.context()["session_directory"]
        if self._job != job:
            self._exported = self._put_with_captured()
            self._job = job
        return self._exported

    def digest(self):
        """Where the cluster has it, for what is no call, and so carries no references: whatever its size, it is in the table."""
        return _put(self._pickled()[0])

    def _pickled(self):
        if self._made is None:
            self._made = self._make()
        return self._made

    def _make(self):
        from manta import _serialization

        try:
            data, captured = _manta.collect_refs(lambda: _serialization.dumps_alone(self.target))
        except Exception as error:
            from manta import _unpicklable

            raise _unpicklable.error_of(self._made_of, error) from error
        if len(data) > _WARN_BYTES:
            import warnings

            warnings.warn(f"The function or class {self._made_of!r} is {len(data) >> 20} MiB large, because of what it refers to; "
                          "put large values into the object store (put) and pass the reference.")
        return data, captured

    def _put_with_captured(self):
        data, captured = self._pickled()
        if len(data) > _MOST_IN_TABLE:
            ref = _manta.put(data)
            data, _ = _manta.collect_refs(lambda: pickle.dumps(_Elsewhere(ref)))
            captured = *captured, ref
        return _put(data), captured


def _put(data):
    digest = content_hash(data).digest()
    _manta.kv_put(_TABLE, digest, data, False, True)
    return digest


def load_function(digest):
    """In a worker: what was exported under `digest`."""
    data = _manta.kv_get(_TABLE, digest)
    if data is None:
        raise RuntimeError(f"the function {digest.hex()} is not in the cluster any more: the job that exported it has ended")
    try:
        target = pickle.loads(data)
        return pickle.loads(_manta.get([target.ref], None)[0]) if type(target) is _Elsewhere else target
    except Exception as error:
        raise RuntimeError(f"The function or class failed to import in the worker: {error!r}. Is a module missing there?") from error
