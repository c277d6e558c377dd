"""What other processes do, and waiting for it."""

import os
import pathlib
import time


def eventually(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def ends(pid):
    return eventually(lambda: not os.path.exists(f"/proc/{pid}"))


def processes_of(root):
    """Pids of processes that belong to a cluster with its sessions below `root`."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            environment = (entry / "environ").read_bytes()
        except OSError:
            continue
        if f"MANTA_TMPDIR={root}\0".encode() in environment:
            found.append(int(entry.name))
    return found
