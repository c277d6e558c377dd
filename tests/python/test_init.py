"""What init takes and gives (the contract's section 1.2)."""

import concurrent.futures
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading

import pytest

import manta as ray
from manta import _command
from manta._private.worker import RayContext
from manta.job_config import JobConfig
from manta.runtime_env import RuntimeEnv, RuntimeEnvConfig
from waiting import eventually


@pytest.fixture(autouse=True)
def disconnected():
    yield
    ray.shutdown()


def run(program, arguments=()):
    return subprocess.run([sys.executable, "-c", textwrap.dedent(program), *arguments], capture_output=True, text=True, timeout=60)


def test_what_it_gives_is_a_mapping_and_a_context():
    with ray.init(num_cpus=1) as context:
        assert isinstance(context, RayContext)
        assert context["node_id"] == context.address_info["node_id"] == ray.get_runtime_context().get_node_id()
        assert set(context) == set(context.address_info) and len(context) == len(context.address_info)
        assert os.path.isdir(context["session_dir"]) and context["node_ip_address"] == "127.0.0.1"
        assert context.dashboard_url is None
        assert context.ray_version == ray.__version__ and context.python_version.startswith("3.")
    assert not ray.is_initialized()
    ray.init(num_cpus=1).disconnect()
    assert not ray.is_initialized()


def test_addresses(monkeypatch):
    with pytest.raises(ConnectionError, match="no cluster of yours listens at 127.0.0.1:1 "):
        ray.init("127.0.0.1:1")
    with pytest.raises(NotImplementedError, match="Ray Client"):
        ray.init("ray://127.0.0.1:10001")
    with pytest.raises(ValueError, match="is no address"):
        ray.init("host:port")
    with pytest.raises(TypeError, match="address"):
        ray.init(6379)
    monkeypatch.setenv("RAY_ADDRESS", "ray://127.0.0.1:10001")
    with pytest.raises(NotImplementedError):
        ray.init()
    for address in ("auto", "127.0.0.1:1"):
        monkeypatch.setenv("RAY_ADDRESS", address)
        with pytest.raises(ConnectionError):
            ray.init()
        with pytest.raises(ConnectionError):
            ray.put(1)
    ray.init("local")  # what is given counts more than the environment


def test_a_cluster_that_runs_already(other_cluster, monkeypatch):
    address, session = other_cluster
    for chosen in (address, address.replace("127.0.0.1", "localhost"), "auto", session, os.path.basename(session)):
        with ray.init(chosen) as context:
            assert context["session_dir"] == session and context["gcs_address"] == address
            assert ray.get_runtime_context().gcs_address == address
    for variable in ("RAY_ADDRESS", "MANTA_ADDRESS"):
        monkeypatch.setenv(variable, address)
        with ray.init() as context:
            assert context["session_dir"] == session
        monkeypatch.delenv(variable)
    with pytest.raises(ValueError, match="num_cpus, resources size a cluster that init starts"):
        ray.init(address, num_cpus=2, resources={"x": 1})
    with ray.client("auto").namespace("shared").connect():
        assert ray.get_runtime_context().namespace == "shared"


def test_the_address_of_the_node_that_a_program_is_on(sessions):
    with ray.init(num_cpus=1) as context:
        assert context["node_ip_address"] == ray.util.get_node_ip_address() == "127.0.0.1"

    def start(*arguments):
        done = subprocess.run([_command.executable(), "start", "--num-cpus=1", "--json", *arguments], capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    head = start("--head", "--port=0", "--node-ip-address=127.0.0.2")
    other = start("--address", head["node_address"], "--node-ip-address=127.0.0.3", "--secret-file", os.path.join(head["session"], "secret"))
    try:
        for node, address in ((head, "127.0.0.2"), (other, "127.0.0.3")):
            with ray.init(node["session"]) as context:
                assert context["node_ip_address"] == ray.util.get_node_ip_address() == address
    finally:
        for node in (other, head):
            subprocess.run([_command.executable(), "stop", "--session", node["session"]], check=True, capture_output=True)


def test_a_client_of_this_machine():
    with ray.client().namespace("mine").env({"env_vars": {"SAID": "yes"}}).connect():
        assert ray.get_runtime_context().namespace == "mine"
    with pytest.raises(NotImplementedError, match="Ray Client"):
        ray.ClientBuilder("10.0.0.1:10001").connect()


def test_arguments_without_effect_are_accepted():
    ray.init(num_cpus=1, include_dashboard=False, dashboard_host="0.0.0.0", dashboard_port=8265, _system_config={"num_heartbeats": 1},
             _redis_password="x", _redis_username="y", _driver_object_store_memory=1 << 20)


def test_memory_to_offer():
    size = (1 << 34) + 4097  # more digits than a float's usual ones
    with ray.init(num_cpus=1, _memory=size):
        assert ray.cluster_resources()["memory"] == size


@pytest.mark.parametrize("arguments, kind, says", [
    (dict(dashboard_port="8265"), TypeError, "dashboard_port"), (dict(system_reserved_cpu=1), ValueError, "enable_resource_isolation"),
    (dict(system_reserved_memory=1), ValueError, "enable_resource_isolation"), (dict(logging_level="loud"), ValueError, "loud"),
    (dict(logging_config="INFO"), TypeError, "LoggingConfig"), (dict(job_config=5), TypeError, "JobConfig"),
    (dict(resources={"CPU": 1}), ValueError, "num_cpus"), (dict(resources={"memory": 1}), ValueError, "_memory"),
    (dict(_memory="1"), TypeError, "_memory"), (dict(_memory=-1), ValueError, "_memory"), (dict(_system_config=[1]), TypeError, "_system_config"),
    (dict(_nonsense=1), TypeError, "_nonsense"), (dict(include_dashboard=True), NotImplementedError, "manta status"),
    (dict(labels=["a"]), TypeError, "labels has to be a dict"), (dict(labels={"a": 1}), TypeError, "'a': 1: names and values"),
    (dict(labels={"ray.io/a": "b"}), ValueError, "'ray.io/' are set by the system"), (dict(labels={"a b": "c"}), ValueError, "'a b'"),
    (dict(labels={"a": "b c"}), ValueError, "'b c'"), (dict(local_mode=True), NotImplementedError, "local_mode"),
    (dict(_node_ip_address="10.0.0.1"), NotImplementedError, "_node_ip_address"),
    (dict(runtime_env={"env_vars": {"A": 1}}), TypeError, "env_vars"), (dict(runtime_env={"nonsense": 1}), ValueError, "nonsense"),
    (dict(runtime_env={"env_vars": {"A": "b"}}, job_config=JobConfig(runtime_env={"env_vars": {"A": "c"}})), ValueError, "twice")])
def test_wrong_ones_are_told(arguments, kind, says):
    with pytest.raises(kind, match=says):
        ray.init(**arguments)
    assert not ray.is_initialized()


def test_a_place_for_the_session(tmp_path):
    with ray.init(num_cpus=1, _temp_dir=str(tmp_path / "here")) as context:
        assert context["session_dir"].startswith(str(tmp_path / "here"))
        assert ray.nodes()[0]["Alive"]


def test_environment_variables_of_a_job(monkeypatch):
    monkeypatch.setenv("BEFORE", "/bin")

    @ray.remote
    def look():
        return os.environ.get("NEW"), os.environ.get("BEFORE"), ray.get_runtime_context().runtime_env

    environment = RuntimeEnv(env_vars={"NEW": "value", "BEFORE": "/new:${BEFORE}"}, config=RuntimeEnvConfig(setup_timeout_seconds=5))
    with ray.init(num_cpus=1, runtime_env=environment):
        new, before, known = ray.get(look.remote())
        assert (new, before) == ("value", "/new:/bin") and known["env_vars"] == environment.env_vars()
        assert json.loads(ray.get_runtime_context().get_runtime_env_string()) == known
    assert "NEW" not in os.environ
    with pytest.raises(NotImplementedError, match="pip"):
        RuntimeEnv(pip=["x"])
    with pytest.raises(ValueError, match="setup_timeout_seconds"):
        RuntimeEnvConfig(setup_timeout_seconds=0)


def test_a_job_config(tmp_path):
    (tmp_path / "module_of_the_job.py").write_text("value = 42\n")
    config = JobConfig(metadata={"who": "me"}, ray_namespace="of the job", runtime_env={"env_vars": {"A": "b"}},
                       default_actor_lifetime="non_detached", py_driver_sys_path=[str(tmp_path)])

    @ray.remote
    def look():
        import module_of_the_job

        return module_of_the_job.value, os.environ["A"], ray.get_runtime_context().namespace

    with ray.init(num_cpus=1, job_config=config):
        assert ray.get(look.remote()) == (42, "b", "of the job")
    config = JobConfig.from_json({"ray_namespace": "other"})
    config.set_metadata("key", "value")
    config.set_ray_namespace("third")
    config.set_runtime_env({"env_vars": {"A": "c"}})
    config.set_default_actor_lifetime("non_detached")
    assert (config.metadata, config.ray_namespace, config.runtime_env) == ({"key": "value"}, "third", {"env_vars": {"A": "c"}})
    with pytest.raises(TypeError, match="metadata"):
        config.set_metadata("key", 1)
    with pytest.raises(ValueError, match="default_actor_lifetime"):
        JobConfig(default_actor_lifetime="forever")
    with pytest.raises(NotImplementedError, match="lifetime='detached'"):
        JobConfig(default_actor_lifetime="detached")


LOGS = """
    import logging
    import sys
    import manta as ray

    ray.init(num_cpus=1, **eval(sys.argv[1], {"LoggingConfig": ray.LoggingConfig}))

    @ray.remote
    def work():
        logging.getLogger("mine").info("from a task", extra={"step": 3})
        logging.getLogger("mine").debug("not shown")
        logging.getLogger("ray.library").warning("from a library")

    logging.getLogger("mine").info("from the driver")
    ray.get(work.remote())
    """


def logs(**arguments):
    """What the program writes on stderr when it gives these arguments to init."""
    result = run(LOGS, arguments=[repr(arguments)])
    assert result.returncode == 0, result.stderr
    return result.stderr


def test_logging_of_driver_and_workers():
    shown = logs(logging_config=ray.LoggingConfig(encoding="JSON", log_level="INFO", additional_log_standard_attrs=["name"]))
    rows = {}
    for line in shown.splitlines():
        if "{" in line and "message" in line:
            row = json.loads(line[line.index("{"):line.rindex("}") + 1])
            rows[row["message"]] = row
    assert rows["from the driver"]["name"] == "mine", shown
    assert "not shown" not in rows
    assert rows["from a task"]["step"] == 3 and rows["from a task"]["task_name"].endswith("work")
    assert rows["from a task"]["task_id"] and rows["from a task"]["job_id"] == rows["from the driver"]["job_id"]

    text = logs(logging_config=ray.LoggingConfig(encoding="TEXT"))
    assert "INFO" in text and "from a task" in text and "step=3" in text

    # The logger "ray", and what reaches the driver.
    plain = logs(configure_logging=True, logging_level="warning", logging_format="<%(message)s>", log_to_driver=True)
    assert "<from a library>" in plain and "from a task" not in plain
    assert "<from a library>" not in logs(configure_logging=False, log_to_driver=False)


def test_wrong_logging_is_told():
    for wrong in (dict(encoding="XML"), dict(log_level="LOUD"), dict(additional_log_standard_attrs=["nonsense"])):
        with pytest.raises(ValueError):
            ray.LoggingConfig(**wrong)


def test_a_driver_that_is_terminated_ends_in_order(tmp_path):
    program = """
        import atexit, os, signal, sys, time
        import manta as ray
        ray.init(num_cpus=1)
        atexit.register(lambda: print("ended in order", flush=True))
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(30)
        """
    result = run(program)
    assert result.stdout == "ended in order\n" and result.returncode == signal.SIGTERM


def test_an_accelerator_is_a_resource_of_its_nodes():
    @ray.remote(num_cpus=0, accelerator_type="A100")
    def task():
        return ray.get_runtime_context().get_assigned_resources()

    @ray.remote(accelerator_type="A100")
    class Actor:
        def ready(self):
            return True

    with ray.init(num_cpus=1, resources={"accelerator_type:A100": 1}):
        assert ray.get(task.remote()) == {"accelerator_type:A100": 0.001}
        assert ray.get(Actor.remote().ready.remote())
        with pytest.raises(ray.exceptions.TaskUnschedulableError, match="accelerator_type:H100"):
            ray.get(task.options(accelerator_type="H100").remote())


def test_threads_connect_at_once():
    @ray.remote
    def same(x):
        return x

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda x: ray.get(same.remote(x)), range(8))) == list(range(8))
    ray.shutdown()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        contexts = list(pool.map(lambda _: ray.init(ignore_reinit_error=True), range(8)))
    assert len({context["session_dir"] for context in contexts}) == 1


def test_sessions_with_futures_leave_no_thread_and_no_descriptor():
    @ray.remote
    def same(x):
        return x

    def held():
        return threading.active_count(), len(os.listdir("/proc/self/fd"))

    def session():
        ray.init(num_cpus=1)
        assert same.remote(3).future().result(timeout=30) == 3
        ray.shutdown()

    threads = threading.active_count()
    session()
    assert eventually(lambda: threading.active_count() == threads)
    before = held()
    for _ in range(3):
        session()
    assert eventually(lambda: held() == before), (before, held())
