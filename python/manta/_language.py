"""Languages and modes by name."""

import enum


class Language(enum.Enum):
    """Of a task or an actor."""

    PYTHON = 0
    JAVA = 1
    CPP = 2


# What a process is in ray._private.worker.global_worker.mode.
SCRIPT_MODE, WORKER_MODE, LOCAL_MODE = 0, 1, 2
