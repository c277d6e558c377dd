"""Directories and files that travel to workers: packed by the submitter, named by their content, unpacked once per node and session."""

from __future__ import annotations

import fcntl
import io
import os
import stat
import threading

from manta import _ignore, _native
from manta._content_hash import content_hash

_TABLE = "packages"
_SCHEME = "gcs://_manta_package_"
# A part of a package in the cluster's table of keys and values, which has room for values of 8 MiB.
_PART_BYTES = 4 << 20
_MOST_BYTES = 100 << 20
# Below the session's directory, from where they go when the cluster ends.
_UNPACKED = "runtime"
_NO_GITIGNORE = "RAY_RUNTIME_ENV_IGNORE_GITIGNORE"

# Of this process: (path, in_folder, excludes) of what was packed -> its name, in this session. What is in a directory at its first use counts.
_packed = {}
_lock = threading.Lock()


def is_package(uri):
    return uri.startswith(_SCHEME)


def upload(path, *, excludes=(), in_folder=False):
    """Makes the directory or zip file `path` known to the cluster, and gives its name. `in_folder`: the directory itself, not just
    what is in it, as modules need it."""
    session = _native.context()["session_directory"]
    key = session, os.path.abspath(path), in_folder, tuple(excludes)
    with _lock:
        if key not in _packed:
            data = _zip_file(path) if os.path.isfile(path) and path.endswith((".zip", ".whl")) else _zip_of(path, excludes, in_folder)
            _packed[key] = _put(data, path)
        return _packed[key]


def directory_of(uri):
    """In a worker: where the package is unpacked on this node."""
    digest = uri[len(_SCHEME):].removesuffix(".zip")
    root = os.path.join(_native.context()["session_directory"], _UNPACKED)
    target = os.path.join(root, digest)
    if os.path.isdir(target):
        return target
    os.makedirs(root, mode=0o700, exist_ok=True)
    # One worker of the node unpacks, the others wait for it. The lock goes with its process.
    with open(os.path.join(root, digest + ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.isdir(target):
            _unpack(_get(digest, uri), target)
    return target


# zipfile is imported where it is used: that takes milliseconds, and most programs have no packages.
def _unpack(data, target):
    import shutil
    import zipfile

    fresh = target + ".new"
    shutil.rmtree(fresh, ignore_errors=True)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for entry in archive.infolist():
            made = archive.extract(entry, fresh)
            mode = entry.external_attr >> 16
            if mode and not entry.is_dir():
                os.chmod(made, stat.S_IMODE(mode) | stat.S_IRUSR)
    os.makedirs(fresh, exist_ok=True)  # of an empty directory
    os.rename(fresh, target)


def _put(data, path):
    if len(data) > _MOST_BYTES:
        raise ValueError(f"{path} comes to {len(data) >> 20} MiB when packed, and {_MOST_BYTES >> 20} MiB is the most: leave files out with "
                         "`excludes` or a .gitignore, and put large data into the object store or into a file system that all nodes see")
    digest = content_hash(data).hexdigest()
    parts = max(1, -(-len(data) // _PART_BYTES))
    # Each part is kept for this job, too, though another has put it.
    for part in range(parts):
        begin = part * _PART_BYTES
        _native.kv_put(_TABLE, f"{digest}:{part}".encode(), bytes(data[begin:begin + _PART_BYTES]), False, True)
    _native.kv_put(_TABLE, digest.encode(), str(parts).encode(), False, True)
    return f"{_SCHEME}{digest}.zip"


def _get(digest, uri):
    parts = _native.kv_get(_TABLE, digest.encode())
    data = [_native.kv_get(_TABLE, f"{digest}:{part}".encode()) for part in range(int(parts))] if parts is not None else [None]
    if None in data:
        raise LookupError(f"the package {uri} is not in the cluster: the job that uploaded it has ended")
    return b"".join(data)


def _zip_file(path):
    import zipfile

    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path} is no zip file")
    with open(path, "rb") as file:
        return file.read()


def _zip_of(path, excludes, in_folder):
    """The same bytes for the same content, whenever and wherever it was packed."""
    import zipfile

    out = io.BytesIO()
    above = os.path.dirname(os.path.abspath(path)) if in_folder else os.path.abspath(path)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for file in sorted(_files(path, excludes)):
            entry = zipfile.ZipInfo(os.path.relpath(file, above))  # of 1980
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (stat.S_IFREG | stat.S_IMODE(os.stat(file).st_mode)) << 16
            with open(file, "rb") as source:
                archive.writestr(entry, source.read())
            if out.tell() > _MOST_BYTES:
                break  # it will be refused
    return out.getbuffer()


def _files(path, excludes):
    if os.path.isfile(path):
        yield os.path.abspath(path)
        return
    root = os.path.abspath(path)
    # What lies deeper says more: it is asked first.
    lists = {root: [_ignore.Patterns(excludes)]}
    seen = set()
    for directory, folders, files in os.walk(root, followlinks=True):
        patterns = lists.pop(directory)
        here = os.path.join(directory, ".gitignore")
        if os.path.isfile(here) and os.environ.get(_NO_GITIGNORE) != "1":
            with open(here, encoding="utf-8", errors="replace") as lines:
                patterns = [*patterns, (_ignore.Patterns(lines), directory)]
        seen.add(os.path.realpath(directory))
        folders[:] = [name for name in folders if name not in ("__pycache__", ".git") and
                      os.path.realpath(os.path.join(directory, name)) not in seen and
                      not _left_out(patterns, root, os.path.join(directory, name), True)]
        for name in folders:
            lists[os.path.join(directory, name)] = patterns
        for name in files:
            file = os.path.join(directory, name)
            if os.path.isfile(file) and not _left_out(patterns, root, file, False):
                yield file


def _left_out(patterns, root, path, is_directory):
    excludes, *ignores = patterns
    if excludes.verdict(os.path.relpath(path, root), is_directory):
        return True
    for ignore, where in reversed(ignores):
        verdict = ignore.verdict(os.path.relpath(path, where), is_directory)
        if verdict is not None:
            return verdict
    return False
