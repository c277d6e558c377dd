"""The parent of all processes of one side, also of those that detach from theirs; it ends them when the side is over.

    supervisor.py EVENTS COMMAND...

A program of its own, of the standard library alone: everything of the side, and nothing else, is below it. SIGTERM ends the side early,
and so does the end of its own parent. Lines of JSON go to the file EVENTS.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
import time

_SET_PARENT_DEATH_SIGNAL, _SET_CHILD_SUBREAPER = 1, 36
_SIGNALS = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
# What the program leaves behind has so long to end by itself (a cluster ends with its driver), and so long after SIGTERM.
_BY_ITSELF = 5.0
_AFTER_SIGTERM = 3.0


def _adopt_orphans():
    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getppid()
    if libc.prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0 or libc.prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGTERM, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    return parent


def descendants(root):
    """Pids of what is below `root`, without zombies."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat") as file:
                    state, parent = file.read().rpartition(")")[2].split()[:2]
            except OSError:
                continue  # it has ended
            if state not in "ZX":
                parents[int(name)] = int(parent)
    found, new = set(), {root}
    while new:
        new = {pid for pid, parent in parents.items() if parent in new} - found
        found |= new
    return found


def _send(pids, number):
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


class Supervisor:
    def __init__(self, events, command):
        self._events = events
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        unblock = lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)  # noqa: E731
        self._program = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=unblock).pid
        self._runs = True
        self._deadline = None   # when what is left gets the next signal
        self._kills = False     # the next one
        self._killed = set()

    def run(self):
        while self._reap():
            received = signal.sigtimedwait(_SIGNALS, 0.05)
            if received is not None and received.si_signo != signal.SIGCHLD:
                # The program first, which ends its cluster in order.
                if self._runs:
                    _send([self._program], signal.SIGTERM)
                self._deadline = time.monotonic() + (_AFTER_SIGTERM if self._runs else 0)
            if self._deadline is not None and time.monotonic() >= self._deadline:
                self._end_what_is_left()
        self.tell("gone", killed=len(self._killed))

    def tell(self, event, **facts):
        os.write(self._events, (json.dumps({"event": event, "time": time.monotonic(), **facts}) + "\n").encode())

    def _reap(self):
        """Whether there are children yet."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self._program:
                self._runs = False
                self.tell("exit", status=os.waitstatus_to_exitcode(status))
                if self._deadline is None:
                    self._deadline = time.monotonic() + _BY_ITSELF

    def _end_what_is_left(self):
        left = descendants(os.getpid())
        if self._kills:
            self._killed |= left
            self._deadline = time.monotonic()  # for those that they start meanwhile
        else:
            self._deadline = time.monotonic() + _AFTER_SIGTERM
        _send(left, signal.SIGKILL if self._kills else signal.SIGTERM)
        self._kills = True


def main(events, *command):
    parent = _adopt_orphans()
    if os.getppid() != parent:
        return 1  # it has ended before it could be watched
    supervisor = Supervisor(os.open(events, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), command)
    supervisor.run()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
