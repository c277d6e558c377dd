"""The `manta` command, asked about the cluster of this process."""

from __future__ import annotations

import json
import os

from manta import _native, exceptions


def executable():
    """As the runtime finds it: $MANTA_EXECUTABLE, else beside the library, else in the path."""
    chosen = os.environ.get("MANTA_EXECUTABLE")
    if chosen:
        return chosen
    import shutil  # as subprocess below: both load much, and most programs need neither

    folder = os.path.dirname(_library() or "")
    for _ in range(2):
        beside = os.path.join(os.path.dirname(folder), "bin", "manta")
        if folder and os.access(beside, os.X_OK):
            return beside
        folder = os.path.dirname(folder)
    found = shutil.which("manta")
    if found is None:
        raise FileNotFoundError("the 'manta' command was found neither beside libmanta (../bin/manta) nor in PATH: set MANTA_EXECUTABLE")
    return found


def _library():
    """The path of libmanta in this process, or None."""
    with open("/proc/self/maps") as maps:
        return next((line.rstrip("\n").split(maxsplit=5)[5] for line in maps if "/libmanta.so" in line), None)


def session():
    """The directory of the session that this process is connected to."""
    if not _native.is_initialized():
        raise RuntimeError("this process is connected to no cluster: call ray.init() first")
    return _native.context()["session_directory"]


def run(*arguments, timeout=30, session_directory=None):
    """What the command prints."""
    import subprocess

    command = [executable(), *arguments, "--session", session_directory or session()]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, env={**os.environ, "LC_ALL": "C"})
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"`{' '.join(command)}` was not done within {timeout} s") from None
    if done.returncode != 0:
        raise exceptions.RaySystemError(done.stderr.strip() or f"`{' '.join(command)}` ended with status {done.returncode}")
    return done.stdout


def rows(*what, **options):
    """`manta list WHAT` as a list of dicts."""
    return json.loads(run("list", *what, "--json", **options))
