"""Waiting for what other processes do."""

import os
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
