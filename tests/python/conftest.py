"""One cluster per test module, and the proof at its end that nothing stays."""

import gc
import json
import os
import subprocess
import tempfile
import time

import pytest

from waiting import eventually, processes_of


def _used(ray):
    """Bytes of the object space."""
    name = "object_store_memory"
    return ray.cluster_resources()[name] - ray.available_resources()[name]


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
        while processes_of(root) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert processes_of(root) == [], "processes are left"


@pytest.fixture(scope="module")
def cluster(request):
    import manta as ray
    from manta.util import state

    ray.init(num_cpus=2, address="local")
    yield ray
    if not ray.is_initialized():
        return  # the last test has ended it
    # What tests have forgotten is given back. Tracebacks and frames may be in cycles. Only what exported functions refer to stays, for the job's
    # life: modules say how many such objects their tests make.
    gc.collect()
    most = getattr(request.module, "OBJECTS_OF_EXPORTED_FUNCTIONS", 0)
    given_back = eventually(lambda: len(state.list_objects()) <= most and (most > 0 or _used(ray) == 0))
    left = [] if given_back else [row.asdict() for row in state.list_objects()]
    ray.shutdown()
    assert given_back, f"objects are left: {left}"


@pytest.fixture
def other_cluster(sessions):
    """One that `manta start` has started: HOST:PORT, and its session."""
    from manta import _command

    manta = _command.executable()
    started = json.loads(subprocess.run([manta, "start", "--head", "--port=0", "--num-cpus=1", "--json"], capture_output=True, text=True,
                                        check=True).stdout)
    yield started["node_address"], started["session"]
    subprocess.run([manta, "stop", "--session", started["session"]], check=True, capture_output=True)
