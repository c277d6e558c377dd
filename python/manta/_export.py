"""Functions and classes travel once: under the hash of their pickle, in a key-value table of the cluster."""

from __future__ import annotations

import hashlib
import pickle

from manta import _manta

_TABLE = "functions"
# As Ray: a closure of this size is a mistake.
_WARN_BYTES = 10 << 20


def export_caller(caller):
    """Makes what `caller` calls known to the cluster, and its options to the runtime."""
    source = caller.source
    digest = source._exported()
    caller.set_exported(digest, source._options_number())


class Exported:
    """A function or class with its pickle, made at the first use: what is in its globals then counts."""

    def __init__(self, target):
        self.target = target
        self._data = None
        self._digest = None
        self._job = None

    def digest(self):
        """Where the cluster has it, as 16 bytes."""
        if self._data is None:
            from manta import _serialization

            try:
                self._data = _serialization.dumps_alone(self.target)
            except Exception as error:
                raise _serialization._explained(self.target, error) from error
            self._digest = hashlib.blake2b(self._data, digest_size=16).digest()
            if len(self._data) > _WARN_BYTES:
                import warnings

                warnings.warn(f"The function or class {self.target!r} is {len(self._data) >> 20} MiB large, because of what it refers to; "
                              "put large values into the object store (put) and pass the reference.")
        job = _manta.context()["job_id"], _manta.context()["session_directory"]
        if self._job != job:
            _manta.kv_put(_TABLE, self._digest, self._data, False, True)
            self._job = job
        return self._digest


def load_function(digest):
    """In a worker: what was exported under `digest`."""
    data = _manta.kv_get(_TABLE, digest)
    if data is None:
        raise RuntimeError(f"the function {digest.hex()} is not in the cluster any more: the job that exported it has ended")
    try:
        return pickle.loads(data)
    except Exception as error:
        raise RuntimeError(f"The function or class failed to import in the worker: {error!r}. Is a module missing there?") from error
