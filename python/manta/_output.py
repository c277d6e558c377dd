"""What a worker prints."""

from __future__ import annotations

import io
import os
import sys
import threading

from manta import _manta

_LONGEST_LINE = 64 << 10
_LONGEST_NAME = 128  # characters of an actor's; the daemon takes 512 bytes for one (node/log_parts.h)
_streams = []        # of a worker


class _Named(io.RawIOBase):
    """A standard stream that says which task writes, in a line ahead of what it writes: the daemon shows it to the driver as a prefix."""

    def __init__(self, descriptor):
        self._descriptor = descriptor
        self._lock = threading.RLock()
        self._line = b""  # not whole yet
        self._task = None

    def fileno(self):
        return self._descriptor

    def writable(self):
        return True

    def write(self, data):
        task = _manta.running_task_name()
        with self._lock:
            if task is not None and task != self._task:
                self._task = task
                self._mark("task", task)
            self._line += data
            end = self._line.rfind(b"\n") + 1
            if end > 0 or len(self._line) > _LONGEST_LINE:
                self._send(end or len(self._line))
        return len(data)

    def name_actor(self, name):
        with self._lock:
            self._mark("actor", name)
            self._send(len(self._line))

    def _mark(self, kind, name):
        self._line += (b"\n" if self._line else b"") + f":{kind}_name:{name}\n".encode(errors="replace")

    def flush(self):
        with self._lock:
            self._send(len(self._line))

    def _send(self, size):
        whole, self._line = self._line[:size], self._line[size:]
        while whole:
            whole = whole[os.write(self._descriptor, whole):]


def begin_in_worker():
    """Each line goes out when it is whole, wherever that is: a worker's output is a file, which Python would fill in blocks."""
    for name, descriptor, errors in (("stdout", 1, "strict"), ("stderr", 2, "backslashreplace")):
        named = _Named(descriptor)
        _streams.append(named)
        stream = io.TextIOWrapper(named, encoding="utf-8", errors=errors, write_through=True)
        stream.mode = "w"
        setattr(sys, name, stream)


def name_actor(actor):
    """What the actor prints from now on is shown under its own name, if its class gives it one by __repr__."""
    if type(actor).__repr__ is object.__repr__:
        return
    try:
        name = " ".join(repr(actor).split())[:_LONGEST_NAME]
    except Exception:  # one that is not ready for it has the name of its class
        return
    for stream in _streams:
        stream.name_actor(name)
