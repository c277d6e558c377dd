"""Runtime environments (contract section 1.3, and 4.4 of the cluster's): of a job, of tasks, and of actors."""

import json
import os
import subprocess
import sys
import zipfile

import manta as ray
import pytest
from manta import _ignore, _packages
from manta.exceptions import RuntimeEnvSetupError
from manta.runtime_env import RuntimeEnv


@pytest.fixture
def cluster():
    with ray.init(num_cpus=2):
        yield


@ray.remote
def variable(name):
    return os.environ.get(name)


@ray.remote
def process():
    return os.getpid()


def write(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return str(folder)


# ---- Of tasks and actors


def test_a_task_has_its_own_variables(cluster):
    colors = [variable.options(runtime_env={"env_vars": {"COLOR": color}}).remote("COLOR") for color in ("red", "blue", "red")]
    assert ray.get(colors) == ["red", "blue", "red"]
    assert ray.get(variable.remote("COLOR")) is None


def test_environments_never_share_a_process(cluster):
    red = process.options(runtime_env={"env_vars": {"COLOR": "red"}})
    blue = process.options(runtime_env=RuntimeEnv(env_vars={"COLOR": "blue"}))
    pids = {name: set(ray.get([task.remote() for _ in range(50)])) for name, task in (("red", red), ("blue", blue), ("none", process))}
    assert not pids["red"] & pids["blue"] and not pids["red"] & pids["none"] and not pids["blue"] & pids["none"]


def test_the_decorator_takes_one_too(cluster):
    @ray.remote(runtime_env={"env_vars": {"COLOR": "green"}})
    def color():
        return os.environ["COLOR"]

    @ray.remote(runtime_env={"env_vars": {"COLOR": "black"}})
    class Painter:
        def color(self):
            return os.environ["COLOR"]

    painter = Painter.remote()
    other = Painter.options(runtime_env={"env_vars": {"COLOR": "white"}}).remote()
    assert ray.get([color.remote(), painter.color.remote(), other.color.remote()]) == ["green", "black", "white"]


def test_an_actor_with_one_takes_no_cpu_to_run(cluster):
    @ray.remote(runtime_env={"env_vars": {"A": "B"}})
    class Idle:
        def ready(self):
            return os.environ["A"]

    actors = [Idle.remote() for _ in range(5)]
    assert ray.get([actor.ready.remote() for actor in actors]) == ["B"] * 5


def test_a_detached_actor_keeps_its_own_when_it_restarts(cluster):
    @ray.remote(lifetime="detached", name="keeper", max_restarts=1, max_task_retries=1, runtime_env={"env_vars": {"A": "kept"}})
    class Keeper:
        def variable(self):
            return os.environ.get("A"), os.getpid()

    keeper = Keeper.remote()
    value, pid = ray.get(keeper.variable.remote())
    os.kill(pid, 9)
    again, other = ray.get(keeper.variable.remote())
    assert (value, again) == ("kept", "kept") and pid != other
    ray.kill(keeper)


def test_threads_of_openmp_fit_the_cpus(monkeypatch):
    @ray.remote
    class Actor:
        def __init__(self):
            self.threads = os.environ["OMP_NUM_THREADS"]

        def number(self):
            return self.threads

    name = "OMP_NUM_THREADS"
    monkeypatch.delenv(name, raising=False)
    with ray.init(num_cpus=2):
        assert ray.get(variable.options(num_cpus=2).remote(name)) == "2"
        assert ray.get(Actor.remote().number.remote()) == "1"
        assert ray.get(Actor.options(num_cpus=2).remote().number.remote()) == "2"
        assert ray.get(variable.options(runtime_env={"env_vars": {name: "7"}}).remote(name)) == "7"
    monkeypatch.setenv(name, "5")
    with ray.init(num_cpus=2):
        assert ray.get(variable.remote(name)) == "5" and ray.get(Actor.options(num_cpus=2).remote().number.remote()) == "5"


def test_children_inherit_what_they_do_not_replace(cluster):
    @ray.remote
    def parent():
        child = variable.options(runtime_env={"env_vars": {"OWN": "child"}})
        return ray.get([variable.remote("COMMON"), child.remote("COMMON"), child.remote("OWN"), variable.remote("OWN")])

    task = parent.options(runtime_env={"env_vars": {"COMMON": "of the parent", "OWN": "parent"}})
    assert ray.get(task.remote()) == ["of the parent", "of the parent", "child", "parent"]


def test_the_context_knows_it(cluster):
    @ray.remote
    def known():
        return ray.get_runtime_context().runtime_env

    assert ray.get(known.options(runtime_env={"env_vars": {"A": "1"}}).remote()) == {"env_vars": {"A": "1"}}
    assert ray.get(known.remote()) == {}


# ---- Directories and modules


@ray.remote
def look():
    sys.dont_write_bytecode = True
    import of_the_directory

    with open("data.txt") as data:
        return of_the_directory.VALUE, data.read(), sorted(os.listdir("."))


def test_a_working_directory_of_a_job(tmp_path):
    folder = write(tmp_path / "work", {"of_the_directory.py": "VALUE = 1", "data.txt": "read me", "skipped.log": "x" * 1000, "sub/kept.py": ""})
    with ray.init(num_cpus=1, runtime_env={"working_dir": folder, "excludes": ["*.log"]}):
        value, data, files = ray.get(look.remote())
        assert (value, data) == (1, "read me") and files == ["data.txt", "of_the_directory.py", "sub"]
        assert ray.get_runtime_context().runtime_env["working_dir"].startswith("gcs://")
        write(tmp_path / "work", {"data.txt": "changed"})
        assert ray.get(look.remote())[1] == "read me", "what was there when the job began"
    assert os.getcwd() != folder


def test_a_working_directory_of_a_task(cluster, tmp_path):
    first = write(tmp_path / "first", {"of_the_directory.py": "VALUE = 1", "data.txt": "one"})
    second = write(tmp_path / "second", {"of_the_directory.py": "VALUE = 2", "data.txt": "two"})
    refs = [look.options(runtime_env={"working_dir": folder}).remote() for folder in (first, second)]
    assert [(value, data) for value, data, _ in ray.get(refs)] == [(1, "one"), (2, "two")]


def test_a_working_directory_that_is_a_zip_file(cluster, tmp_path):
    with zipfile.ZipFile(tmp_path / "work.zip", "w") as archive:
        archive.writestr("of_the_directory.py", "VALUE = 3")
        archive.writestr("data.txt", "zipped")
    assert ray.get(look.options(runtime_env={"working_dir": str(tmp_path / "work.zip")}).remote())[:2] == (3, "zipped")


def test_programs_of_tasks_find_the_modules(cluster, tmp_path):
    folder = write(tmp_path / "work", {"of_the_directory.py": "VALUE = 4"})

    @ray.remote(runtime_env={"working_dir": folder})
    def run():
        return subprocess.check_output([sys.executable, "-c", "import of_the_directory; print(of_the_directory.VALUE)"], cwd="/", text=True)

    assert ray.get(run.remote()) == "4\n"


def test_programs_in_a_package_may_be_run(cluster, tmp_path):
    folder = write(tmp_path / "work", {"hello.sh": "#!/bin/sh\necho hello"})
    os.chmod(tmp_path / "work" / "hello.sh", 0o755)
    run = ray.remote(runtime_env={"working_dir": folder})(lambda: subprocess.check_output(["./hello.sh"], text=True))
    assert ray.get(run.remote()) == "hello\n"


def test_modules(cluster, tmp_path):
    package = write(tmp_path / "a_package", {"__init__.py": "NAME = 'a package'"})
    (tmp_path / "a_module.py").write_text("NAME = 'a module'")
    with zipfile.ZipFile(tmp_path / "a_wheel-1-py3-none-any.whl", "w") as archive:
        archive.writestr("in_a_wheel.py", "NAME = 'in a wheel'")

    @ray.remote(runtime_env={"py_modules": [package, str(tmp_path / "a_module.py"), str(tmp_path / "a_wheel-1-py3-none-any.whl")]})
    def names():
        import a_module
        import a_package
        import in_a_wheel

        return a_package.NAME, a_module.NAME, in_a_wheel.NAME

    assert ray.get(names.remote()) == ("a package", "a module", "in a wheel")


def test_a_module_as_an_object(cluster, tmp_path, monkeypatch):
    write(tmp_path / "imported_here", {"__init__.py": "class Thing:\n    value = 5\n"})
    monkeypatch.syspath_prepend(str(tmp_path))
    import imported_here

    @ray.remote(runtime_env={"py_modules": [imported_here]})
    def value(thing):  # an argument of a class in that module
        return thing.value

    assert ray.get(value.remote(imported_here.Thing())) == 5


def test_equal_content_is_one_package(cluster, tmp_path):
    one = _packages.upload(write(tmp_path / "one", {"x.py": "1"}))
    os.utime(tmp_path / "one" / "x.py", (1, 1))
    assert _packages.upload(write(tmp_path / "two", {"x.py": "1"})) == one
    assert _packages.upload(write(tmp_path / "three", {"x.py": "2"})) != one


def test_nothing_stays_behind(tmp_path):
    folder = write(tmp_path / "work", {"of_the_directory.py": "VALUE = 1", "data.txt": "x"})
    with ray.init(num_cpus=1, runtime_env={"working_dir": folder}) as context:
        ray.get(look.remote())
        session = context["session_dir"]
        assert os.path.isdir(os.path.join(session, "runtime"))
    assert not os.path.exists(os.path.join(session, "runtime"))


def test_a_hook_runs_in_each_worker(cluster):
    def hook():
        os.environ["HOOKED"] = "yes"

    assert ray.get(variable.options(runtime_env={"worker_process_setup_hook": hook}).remote("HOOKED")) == "yes"
    assert ray.get(variable.remote("HOOKED")) is None


# ---- Bad input


@pytest.mark.parametrize(("fields", "error", "words"), [
    ({"nonsense": 1}, ValueError, "nonsense"), ({"pip": ["x"]}, NotImplementedError, "pip"), ({"conda": "x"}, NotImplementedError, "conda"),
    ({"working_dir": "/nowhere"}, ValueError, "/nowhere"), ({"working_dir": 1}, TypeError, "working_dir"),
    ({"working_dir": "s3://bucket/x.zip"}, NotImplementedError, "s3"), ({"py_modules": "x"}, TypeError, "py_modules"),
    ({"py_modules": [1]}, TypeError, "py_modules"), ({"py_modules": [sys]}, ValueError, "sys"), ({"excludes": "*.log"}, TypeError, "excludes"),
    ({"env_vars": {"A": 1}}, TypeError, "env_vars"), ({"worker_process_setup_hook": "x"}, TypeError, "hook"), ({"config": 5}, TypeError, "config")])
def test_what_is_wrong_is_said_at_once(fields, error, words):
    for use in (lambda: RuntimeEnv(**fields), lambda: variable.options(runtime_env=fields), lambda: ray.remote(runtime_env=fields)(len)):
        with pytest.raises(error, match=words):
            use()


def test_a_package_that_is_too_large(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(_packages, "_MOST_BYTES", 1 << 20)
    (tmp_path / "large.bin").write_bytes(os.urandom(3 << 20))
    with pytest.raises(ValueError, match="excludes"):
        _packages.upload(str(tmp_path))


def test_an_environment_that_cannot_be_made(cluster):
    def hook():
        raise KeyError("no such thing")

    broken = {"worker_process_setup_hook": hook}
    with pytest.raises(RuntimeEnvSetupError, match="no such thing"):
        ray.get(variable.options(runtime_env=broken).remote("A"))

    @ray.remote(runtime_env=broken)
    class Never:
        def ready(self):
            return True

    with pytest.raises(ray.exceptions.RayError, match="no such thing"):
        ray.get(Never.remote().ready.remote())
    assert ray.get(variable.remote("PATH")), "others work"


# ---- What is left out


@pytest.mark.parametrize(("pattern", "left_out", "kept"), [
    ("*.log", ["a.log", "sub/b.log"], ["a.txt", "log"]), ("/top", ["top"], ["sub/top"]), ("sub/*.py", ["sub/a.py"], ["a.py", "sub/sub/a.py"]),
    ("**/cache", ["cache", "a/b/cache"], ["cached"]), ("a/**/z", ["a/z", "a/b/c/z"], ["z"]), ("data/**", ["data/x", "data/y/z"], ["data"]),
    ("file[0-9]", ["file1"], ["files", "file10"]), ("file[!0-9]", ["files"], ["file1"]), ("?.c", ["a.c"], ["ab.c"]), (r"\#x", ["#x"], ["x"]),
    ("# a comment", [], ["# a comment"]), ("", [], [""]), ("a.b", ["a.b"], ["axb"])])
def test_patterns(pattern, left_out, kept):
    patterns = _ignore.Patterns([pattern])
    assert all(patterns.verdict(path, False) for path in left_out)
    assert not any(patterns.verdict(path, False) for path in kept)


def test_patterns_decide_in_order_and_for_directories():
    patterns = _ignore.Patterns(["*.log", "!keep.log", "build/"])
    assert patterns.verdict("a.log", False) is True and patterns.verdict("keep.log", False) is False
    assert patterns.verdict("build", True) is True and patterns.verdict("build", False) is None


def test_gitignores_count_at_every_level(cluster, tmp_path, monkeypatch):
    folder = write(tmp_path / "work", {".gitignore": "*.tmp\n/secret/\n", "a.py": "", "a.tmp": "", "secret/key": "", "sub/secret/ok": "",
                                         "sub/.gitignore": "!b.tmp\n", "sub/b.tmp": "", "sub/c.tmp": ""})

    @ray.remote
    def files():
        return sorted(os.path.relpath(os.path.join(where, name), ".") for where, _, names in os.walk(".") for name in names)

    task = files.options(runtime_env={"working_dir": folder})
    assert ray.get(task.remote()) == [".gitignore", "a.py", "sub/.gitignore", "sub/b.tmp", "sub/secret/ok"]
    monkeypatch.setenv("RAY_RUNTIME_ENV_IGNORE_GITIGNORE", "1")
    (tmp_path / "work" / "more.py").touch()
    other = str(tmp_path / "work") + "/../work/."
    monkeypatch.setattr(_packages, "_packed", {})
    assert "a.tmp" in ray.get(files.options(runtime_env={"working_dir": other}).remote())


def test_links_are_followed_once(cluster, tmp_path):
    write(tmp_path / "elsewhere", {"linked.py": "VALUE = 6"})
    folder = write(tmp_path / "work", {"data.txt": "x"})
    os.symlink(tmp_path / "elsewhere", tmp_path / "work" / "link")
    os.symlink(tmp_path / "work", tmp_path / "work" / "loop")
    found = ray.remote(runtime_env={"working_dir": folder})(lambda: (os.path.exists("link/linked.py"), os.path.exists("loop/data.txt")))
    assert ray.get(found.remote()) == (True, False)


def test_of_a_job_config(tmp_path):
    folder = write(tmp_path / "work", {"of_the_directory.py": "VALUE = 7", "data.txt": "x"})
    with ray.init(num_cpus=1, job_config=ray.job_config.JobConfig(runtime_env={"working_dir": folder})):
        assert ray.get(look.remote())[0] == 7
        assert json.loads(ray.get_runtime_context().get_runtime_env_string())["working_dir"].startswith("gcs://")
