"""Key-value tables of the cluster (ray.experimental.internal_kv). Keys and values are bytes, of at most 4 KiB and 8 MiB."""

from __future__ import annotations

from manta import _native, _not_yet

_DEFAULT = "default"


def _bytes(value, what):
    if isinstance(value, str):
        value = value.encode()
    if not isinstance(value, bytes):
        raise TypeError(f"{what} has to be bytes or str, not {value!r}")
    return value


def _table(namespace):
    if namespace is None:
        return "kv:" + _DEFAULT
    return "kv:" + _bytes(namespace, "namespace").decode("utf-8", "backslashreplace")


def _initialize_internal_kv(gcs_client):
    """Does nothing: the tables are those of the cluster that this process is connected to."""


def _internal_kv_reset():
    """Does nothing."""


internal_kv_get_gcs_client = _not_yet.function("internal_kv_get_gcs_client", "the other functions of this module need no client")


def _internal_kv_initialized():
    return _native.is_initialized()


def _internal_kv_get(key, *, namespace=None):
    """The value, or None."""
    return _native.kv_get(_table(namespace), _bytes(key, "key"))


def _internal_kv_exists(key, *, namespace=None):
    return _internal_kv_get(key, namespace=namespace) is not None


def _internal_kv_put(key, value, overwrite=True, *, namespace=None):
    """Whether the key was there before."""
    return not _native.kv_put(_table(namespace), _bytes(key, "key"), _bytes(value, "value"), overwrite, False)


def _internal_kv_del(key, *, del_by_prefix=False, namespace=None):
    """How many were there."""
    return _native.kv_delete(_table(namespace), _bytes(key, "key"), del_by_prefix)


def _internal_kv_list(prefix, *, namespace=None):
    return _native.kv_keys(_table(namespace), _bytes(prefix, "prefix"))
