"""Every name of the contract is there, as `ray` (its section 1; the list is tools/python_surface.txt)."""

import os
import pathlib
import subprocess
import sys
import types

import pytest

import manta as ray
from manta import _not_yet

TOOLS = pathlib.Path(__file__).parents[2] / "tools"
SURFACE = TOOLS / "python_surface.txt"


def names():
    """The dotted names of the list."""
    lines = (line.partition(" | ")[0].strip() for line in SURFACE.read_text().splitlines())
    return sorted({line for line in lines if line.startswith("ray.") and line.replace(".", "").replace("_", "").isalnum()})


IMPORTS = """
import importlib, sys

def resolve(name):
    module, _, rest = name.partition(".")
    found = importlib.import_module(module)
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:end]))
            break
        except ModuleNotFoundError:
            pass
    for part in parts[end:]:
        found = getattr(found, part)
    return found

for name in sys.argv[1:]:
    resolve(name)
import ray.util
from ray.util.placement_group import PlacementGroup
import ray.util.placement_group
print(len(sys.argv[1:]), ray.util.placement_group.__name__)
try:
    ray.show_in_dashboard("here")
except NotImplementedError as error:
    print(error)
"""


def test_all_can_be_imported_as_ray(tmp_path):
    (tmp_path / "program.py").write_text(IMPORTS)
    result = subprocess.run([sys.executable, "-m", "manta.as_ray", str(tmp_path / "program.py"), *names()], capture_output=True, text=True,
                            timeout=60)
    assert result.returncode == 0, result.stderr
    count, says = result.stdout.splitlines()
    assert count == f"{len(names())} placement_group" and len(names()) > 300
    assert says.startswith("ray.show_in_dashboard is not there yet in Manta")


def test_the_module_has_no_more_than_it_should():
    for name, value in vars(ray).items():
        if isinstance(value, types.ModuleType):
            assert value.__name__.startswith("manta"), name
        if isinstance(value, str):
            assert name.startswith("__"), name
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        ray.nonsense
    with pytest.raises(ImportError):
        import manta.nonsense  # noqa: F401


def test_sub_packages_are_loaded_at_their_first_use():
    program = """
import sys
import manta as ray
from manta import _not_yet
assert "manta.autoscaler" not in sys.modules
ray.autoscaler
assert "manta.autoscaler" in sys.modules
for name in ("util", "experimental", "dag", "cross_language", "cluster_utils", "job_config", "runtime_env"):
    assert getattr(ray, name).__name__ == "manta." + name
print(ray.util.state.__name__, ray.util.collective.__name__)
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, env=os.environ)
    assert result.stdout == "manta.util.state manta.util.collective\n", result.stderr


def test_versions_and_languages():
    assert ray.__version__.count(".") == 2 and ray.__commit__
    assert [language.name for language in ray.Language] == ["PYTHON", "JAVA", "CPP"]
    assert len({ray.SCRIPT_MODE, ray.WORKER_MODE, ray.LOCAL_MODE}) == 3


@pytest.mark.parametrize("kind, size", [(ray.ActorID, 16), (ray.TaskID, 16), (ray.JobID, 4), (ray.NodeID, 16), (ray.WorkerID, 8),
                                        (ray.FunctionID, 16), (ray.ActorClassID, 16), (ray.PlacementGroupID, 18), (ray.UniqueID, 16)])
def test_ids(kind, size):
    one = kind.from_random()
    assert kind.size() == len(one.binary()) == size
    assert kind.from_hex(one.hex()) == one == kind(one.binary()) and hash(kind.from_binary(one.binary())) == hash(one)
    assert kind.nil().is_nil() and not one.is_nil()
    assert one.hex() in repr(one)


def test_what_is_not_there_yet_says_so():
    from manta.util import collective

    for use in (ray.java_function, collective.allreduce, ray.cluster_utils.Cluster,
                ray.dag.InputNode, ray.cross_language.java_actor_class):
        with pytest.raises(NotImplementedError, match="not there yet in Manta"):
            use()
    assert not isinstance(ray.put, ray.ObjectRefGenerator)


def test_the_table_of_names_tries_members_of_classes(monkeypatch):
    monkeypatch.syspath_prepend(TOOLS)
    import python_table

    monkeypatch.setattr(ray.ObjectRef, "later", staticmethod(_not_yet.function("later")), raising=False)
    names = [python_table.Entry("", f"ray.ObjectRef.{name}", "") for name in ("later", "from_random")]
    assert [python_table.is_refused(name) for name in names] == [True, False]


def test_importing_ray_is_enough_for_its_private_modules():
    program = "import manta as ray; ray._private.worker.global_worker; ray._private.state; ray.experimental.internal_kv; ray.experimental.tqdm_ray"
    subprocess.run([sys.executable, "-c", program], check=True)
