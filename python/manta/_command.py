"""The `manta` command, asked about the cluster of this process."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess

from manta import _native, exceptions


def executable():
    """As the runtime finds it: $MANTA_EXECUTABLE, else beside the library, else in the path."""
    chosen = os.environ.get("MANTA_EXECUTABLE")
    if chosen:
        return chosen
    for line in pathlib.Path("/proc/self/maps").read_text().splitlines():
        if "/libmanta.so" not in line:
            continue
        library = pathlib.Path(line.split(maxsplit=5)[5])
        for folder in library.parents[:2]:
            if os.access(folder.parent / "bin" / "manta", os.X_OK):
                return str(folder.parent / "bin" / "manta")
        break
    found = shutil.which("manta")
    if found is None:
        raise FileNotFoundError("the 'manta' command was found neither beside libmanta (../bin/manta) nor in PATH: set MANTA_EXECUTABLE")
    return found


def session():
    """The directory of the session that this process is connected to."""
    if not _native.is_initialized():
        raise RuntimeError("this process is connected to no cluster: call ray.init() first")
    return _native.context()["session_directory"]


def run(*arguments, timeout=30, session_directory=None):
    """What the command prints."""
    command = [executable(), *arguments, "--session", session_directory or session()]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, env={**os.environ, "LC_ALL": "C"})
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"`{' '.join(command)}` was not done within {timeout} s") from None
    if done.returncode != 0:
        raise exceptions.RaySystemError(done.stderr.strip() or f"`{' '.join(command)}` ended with status {done.returncode}")
    return done.stdout


def rows(what, **options):
    """`manta list WHAT` as a list of dicts."""
    return json.loads(run("list", what, "--json", **options))
