"""Programs that say `import ray` (python -m manta.as_ray)."""

import os
import subprocess
import sys

PROGRAM = """
import sys

import ray
from ray import remote
from ray.util import ActorPool
import ray.exceptions


@remote
def where():
    import ray

    return ray.__name__, ray.get(ray.put(3))


class Mine(Exception):
    pass


@remote
def fail():
    raise Mine("x")


if __name__ == "__main__":
    ray.init()
    print(sys.argv[1:], ray.get(where.remote()))
    try:
        ray.get(fail.remote())
    except ray.exceptions.RayTaskError as error:
        print(type(error).__name__, isinstance(error, Mine))
    assert "ray.autoscaler" not in sys.modules
    assert ray.autoscaler is sys.modules["ray.autoscaler"]
    try:
        import ray.train
    except ImportError as error:
        print(error)
"""


def run(*arguments, **options):
    return subprocess.run([sys.executable, "-m", *arguments], capture_output=True, text=True, timeout=60, **options)


def test_a_program_runs_unmodified(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    result = run("manta.as_ray", str(tmp_path / "program.py"), "a", "--b")
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == ["['a', '--b'] ('manta', 3)", "RayTaskError(Mine) True",
                                          "ray.train is not there yet in Manta (python -m manta.as_ray)"]
    as_module = run("manta.as_ray", "-m", "program", "c", cwd=tmp_path)
    assert as_module.stdout.startswith("['c'] ('manta', 3)"), as_module.stderr


TO_COME = """
import importlib.util
import ray

try:
    from ray import tune
except ImportError as error:
    print(error)
try:
    ray.serve.run
except AttributeError as error:
    print(error)
print(importlib.util.find_spec("ray.tune"), importlib.util.find_spec("ray.util") is not None, hasattr(ray, "rllib"))
try:
    from ray import nonsense
except ImportError as error:
    print(error.name, "not there yet" in str(error))
from ray._raylet import ObjectRef, ObjectRefGenerator, GcsClient
print(ObjectRef is ray.ObjectRef, ObjectRefGenerator is ray.ObjectRefGenerator)
try:
    GcsClient(address="x")
except NotImplementedError as error:
    print(error)
"""


VERSIONS = """
import importlib.metadata
import ray

if __name__ == "__main__":
    ask = ray.remote(lambda: importlib.metadata.version("ray"))
    print({importlib.metadata.version("ray"), ray.__version__, ray.get(ask.remote())} == {ray.__version__})
    print(importlib.metadata.distribution("ray").metadata["Name"], importlib.metadata.distribution("pip").metadata["Name"])
"""


def test_packages_find_the_version_of_ray(tmp_path):
    (tmp_path / "program.py").write_text(VERSIONS)
    result = run("manta.as_ray", str(tmp_path / "program.py"))
    assert result.stdout.splitlines() == ["True", "ray pip"], result.stdout + result.stderr


def test_what_is_to_come_says_so(tmp_path):
    (tmp_path / "program.py").write_text(TO_COME)
    result = run("manta.as_ray", str(tmp_path / "program.py"))
    assert result.stdout.splitlines() == [
        "ray.tune is not there yet in Manta", "ray.serve is not there yet in Manta", "None True False", "manta False", "True True",
        "ray._raylet.GcsClient is not there yet in Manta: it is of Ray's own implementation; manta.util.state and "
        "manta.experimental.internal_kv tell of the cluster."], result.stdout + result.stderr


def test_manta_under_its_own_name_does_not_take_ray(tmp_path):
    (tmp_path / "test_it.py").write_text("import manta, sys\n\ndef test():\n    manta.util.ActorPool\n"
                                         "    assert not any(name == 'ray' or name.startswith('ray.') for name in sys.modules)\n"
                                         "    assert 'manta.as_ray' not in sys.modules\n")
    result = run("pytest", "-q", "-p", "no:cacheprovider", str(tmp_path), cwd=tmp_path)
    assert "1 passed" in result.stdout, result.stdout + result.stderr


def test_a_traceback_begins_where_the_program_does(tmp_path):
    path = tmp_path / "program.py"
    path.write_text("def fail():\n    raise ValueError('mine')\n\nfail()\n")
    plain = subprocess.run([sys.executable, str(path)], capture_output=True, text=True)
    assert run("manta.as_ray", str(path)).stderr == plain.stderr and "ValueError: mine" in plain.stderr


def test_wrong_arguments_are_told(tmp_path):
    assert run("manta.as_ray").returncode == 2
    missing = run("manta.as_ray", "nothing.py", cwd=tmp_path)
    assert missing.returncode == 2 and "nothing.py" in missing.stderr


def test_as_a_plugin_of_pytest(tmp_path):
    (tmp_path / "test_it.py").write_text("import ray\n\ndef test():\n    assert ray.__name__ == 'manta'\n"
                                         "    assert ray.get(ray.put(1)) == 1\n")
    result = run("pytest", "-q", "-p", "manta.as_ray", "-p", "no:cacheprovider", str(tmp_path), cwd=tmp_path, env={**os.environ})
    assert "1 passed" in result.stdout, result.stdout + result.stderr


SPAWNS = """
import multiprocessing
import subprocess
import sys

import ray


def double(x):
    return ray.__name__, 2 * x


if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.map_async(double, [1, 2]).get(30))
    print(subprocess.run([sys.executable, "-c", "from ray.util import ActorPool; import ray; print(ray.__name__)"], capture_output=True,
                         text=True).stdout.strip(), __file__)
"""


def test_processes_that_the_program_starts_have_it_too(tmp_path):
    (tmp_path / "program.py").write_text(SPAWNS)
    result = run("manta.as_ray", "program.py", cwd=tmp_path)
    assert result.stdout.splitlines() == ["[('manta', 2), ('manta', 4)]", f"manta {tmp_path / 'program.py'}"], result.stderr
