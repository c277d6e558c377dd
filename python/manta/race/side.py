"""One side of a race: the program under one of the two systems, and what is known of it at any moment."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

from manta.race import supervisor
from manta.race.recordings import TaskCount

_HERE = pathlib.Path(__file__).parent
# A cluster that runs already is none of the race.
_ADDRESSES = ("RAY_ADDRESS", "MANTA_ADDRESS")
_LAST_LINES = 200


def memory_of(pid):
    """Bytes: its own pages, and of the shared ones its part (PSS)."""
    try:
        with open(f"/proc/{pid}/smaps_rollup") as file:
            for line in file:
                if line.startswith("Pss:"):
                    return int(line.split()[1]) << 10
    except OSError:
        pass  # it has ended
    return 0


class Side:
    """`name`: ray or manta. `folder`: its own, for sessions, output and events."""

    def __init__(self, name, python, arguments, folder):
        self.name = name
        self.label = name.capitalize()
        self.python = python
        self.began = None
        self.init_returned = None    # when, as all times: of the monotonic clock
        self.init_seconds = None
        self.left = None             # when the program has left the cluster, or has come to its end
        self.ended = None
        self.status = None           # as of subprocess: negative for a signal
        self.gone = False            # with all its processes
        self.killed = 0              # processes that had to be
        self.tasks = None
        self.tasks_exact = True
        self.tasks_missing = None    # why there is no figure
        self.asking = 0.0            # seconds that the race itself has cost the program
        self.processes = self.most_processes = 0
        self.memory = self.most_memory = 0
        self.lines = []              # of output, the last ones
        self.num_lines = 0
        self._arguments = arguments
        self._folder = folder
        self._events_read = 0
        self._output_read = 0
        self._rest = b""
        self._asks_since = None
        self._count = None
        self._process = None

    # ---- Its life

    def start(self):
        # Short: sockets are in there.
        sessions = os.path.join(self._folder, "s")
        os.mkdir(sessions)
        environment = {name: value for name, value in os.environ.items() if name not in _ADDRESSES}
        environment.update(PYTHONUNBUFFERED="1")
        if self.name == "ray":
            environment.update(RAY_TMPDIR=sessions, RAY_USAGE_STATS_ENABLED="0",
                               PATH=f"{os.path.dirname(self.python)}:{environment.get('PATH', '')}")
        else:
            environment.update(MANTA_TMPDIR=sessions)
        command = [sys.executable, "-S", "-E", str(_HERE / "supervisor.py"), self._path("events"),
                   self.python, str(_HERE / "program.py"), self._path("events"), self.name, *self._arguments]
        with open(self._path("output"), "wb") as output:
            self.began = time.monotonic()
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment,
                                             start_new_session=True)

    def end(self):
        """Begins to end everything."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def look(self):
        """Brings everything up to date but processes and memory."""
        for event in self._new_events():
            getattr(self, "_on_" + event.pop("event"))(**event)
        if self._count is not None:
            self.tasks = self._count.update()
            self.tasks_exact = self._count.exact
        self._read_output()
        if not self.gone and self._process.poll() is not None:
            self._on_gone(time.monotonic(), 0)

    def measure(self):
        """Processes and memory."""
        if self.gone or self._asks_since is not None:
            return
        pids = supervisor.descendants(self._process.pid)
        self.processes = len(pids)
        self.memory = sum(map(memory_of, pids))
        if self.ended is None:
            self.most_processes = max(self.most_processes, self.processes)
            self.most_memory = max(self.most_memory, self.memory)

    # ---- Its figures

    @property
    def state(self):
        if self.gone or self.ended is not None:
            how = f"ended ({self.exit_code})" if self.status is not None else "ended"
            return how if self.gone else how + ", its cluster ends"
        return "runs" if self.init_returned is not None else "starts"

    @property
    def elapsed(self):
        """Seconds from the start to the end of the program."""
        now = self._asks_since or (time.monotonic() if self.ended is None else self.ended)
        return now - self.began - self.asking

    @property
    def start_up(self):
        """Seconds until init had returned, or None."""
        return None if self.init_returned is None else self.init_returned - self.began

    @property
    def work(self):
        """Seconds from there until the program has left the cluster, or None."""
        if self.init_returned is None:
            return None
        return (self.left or self._asks_since or self.ended or time.monotonic()) - self.init_returned

    @property
    def tasks_per_second(self):
        """Meanwhile."""
        return self.tasks / max(self.work, 1e-9) if self.tasks and self.work is not None else None

    @property
    def exit_code(self):
        """As of a shell."""
        if self.status is None:
            return None
        return 128 - self.status if self.status < 0 else self.status

    def figures(self):
        return {
            "python": self.python, "exit_code": self.exit_code, "elapsed_seconds": round(self.elapsed, 4),
            "start_up_seconds": self.start_up and round(self.start_up, 4),
            "init_seconds": self.init_seconds and round(self.init_seconds, 4), "work_seconds": self.work and round(self.work, 4),
            "tasks": self.tasks,
            "tasks_exact": self.tasks_exact if self.tasks is not None else None, "tasks_missing": self.tasks_missing,
            "tasks_per_second": self.tasks_per_second and round(self.tasks_per_second, 1), "peak_memory_bytes": self.most_memory,
            "peak_processes": self.most_processes, "processes_killed": self.killed, "output": self.lines,
        }

    # ---- What comes from its processes

    def _path(self, name):
        return os.path.join(self._folder, name)

    def _new_events(self):
        try:
            with open(self._path("events"), "rb") as file:
                file.seek(self._events_read)
                content = file.read()
        except FileNotFoundError:
            return []
        whole = content[:content.rfind(b"\n") + 1]
        self._events_read += len(whole)
        return [json.loads(line) for line in whole.splitlines()]

    def _on_imported(self, time):
        pass

    def _on_init(self, time, seconds, session):
        self.init_returned, self.init_seconds = time, seconds
        if self.name == "manta" and session:
            self._count = TaskCount(session)

    def _on_leaves(self, time, asks):
        self.left = time
        if asks:
            self._asks_since = time

    def _on_tasks(self, time, tasks, reason, seconds):
        self.tasks, self.tasks_missing, self.asking = tasks, reason, seconds
        self._asks_since = None

    def _on_exit(self, time, status):
        self.ended, self.status = time, status

    def _on_gone(self, time, killed):
        self.gone, self.killed = True, killed
        self.processes = self.memory = 0
        if self.ended is None:
            self.ended = time

    def _read_output(self):
        with open(self._path("output"), "rb") as file:
            file.seek(self._output_read)
            content = file.read(1 << 20)
        self._output_read += len(content)
        whole, newline, rest = (self._rest + content).rpartition(b"\n")
        self._rest = rest
        if self.gone and rest:
            whole, newline, self._rest = whole + newline + rest, b"\n", b""
        if newline:
            new = whole.decode(errors="replace").split("\n")
            self.num_lines += len(new)
            self.lines = (self.lines + new)[-_LAST_LINES:]
