"""One cluster per test module, and the proof at its end that nothing stays."""

import os
import pathlib
import tempfile
import time

import pytest


def _processes_of(root):
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


@pytest.fixture(scope="session", autouse=True)
def sessions():
    """A place of its own for the sessions of these tests."""
    with tempfile.TemporaryDirectory(prefix="manta-python-") as root:
        os.environ["MANTA_TMPDIR"] = root
        # What makes output come at once where it is set hides that it would not where it is not.
        os.environ.pop("PYTHONUNBUFFERED", None)
        os.environ.pop("RAY_ADDRESS", None)
        os.environ.pop("MANTA_ADDRESS", None)
        yield root
        deadline = time.monotonic() + 20
        while _processes_of(root) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert _processes_of(root) == [], "processes are left"


@pytest.fixture(scope="module")
def cluster():
    import manta as ray

    ray.init(num_cpus=2, address="local")
    yield ray
    ray.shutdown()
