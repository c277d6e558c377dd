"""How many tasks the processes of a session of Manta's have ended, from their flight recorders (src/shm/flight_recorder.h)."""

from __future__ import annotations

import glob
import os
import struct

_MAGIC = 0x3163655261746E4D  # "MntaRec1"
_VERSION = 2
_HEADER_BYTES, _WRITTEN_AT, _EVENT_BYTES = 256, 192, 32
# task, actor's call, actor's start, task in place (src/shm/recorder_events.h)
_KINDS = frozenset((1, 2, 3, 4))


class TaskCount:
    """Call `update` every now and then; what a ring has overwritten between two calls is taken to have been like the rest."""

    def __init__(self, session):
        self._files = os.path.join(session, "recorder", "process-*.rec")
        self._seen = {}  # file: (events written, tasks among them)
        self.exact = True

    @property
    def tasks(self):
        return sum(tasks for _, tasks in self._seen.values())

    def update(self):
        for name in glob.glob(self._files):
            try:
                with open(name, "rb") as file:
                    self._add(name, file.read())
            except OSError:
                pass  # the session has gone
        return self.tasks

    def _add(self, name, content):
        if len(content) < _HEADER_BYTES:
            return
        magic, version, log2_events = struct.unpack_from("<QII", content)
        if magic != _MAGIC or version != _VERSION or len(content) < _HEADER_BYTES + (_EVENT_BYTES << log2_events):
            return
        size = 1 << log2_events
        written, = struct.unpack_from("<Q", content, _WRITTEN_AT)
        before, tasks = self._seen.get(name, (0, 0))
        new = written - before
        there = min(new, size)
        if there <= 0:
            return
        found = sum(content[_HEADER_BYTES + (n & size - 1) * _EVENT_BYTES + 8] in _KINDS for n in range(written - there, written))
        if new > there:
            self.exact = False
            found = round(found * new / there)
        self._seen[name] = written, tasks + found
