"""Looking at a cluster: nodes, timeline, ray.util.state (the contract's sections 1.10, 1.11)."""

import json
import os
import signal
import time

import pytest

import manta as ray
from manta.util import get_node_ip_address, list_named_actors, state
from manta.util.state.exception import RayStateApiException

pytestmark = pytest.mark.usefixtures("cluster")


@ray.remote
def wait_for(path):
    while not os.path.exists(path):
        time.sleep(0.01)


@ray.remote(num_cpus=0)
class Named:
    def pid(self):
        return os.getpid()

    def say(self, text):
        print(text, flush=True)


def eventually(find):
    """What `find` gives as soon as it is true."""
    deadline = time.monotonic() + 20
    while not (found := find()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


def test_nodes():
    [node] = ray.nodes()
    assert node["Alive"] and node["NodeID"] == ray.get_runtime_context().get_node_id()
    assert node["Resources"]["CPU"] == 2 and node["NodeManagerAddress"] == get_node_ip_address()
    assert node["Resources"]["node:" + get_node_ip_address()] == 1
    [row] = state.list_nodes()
    assert row.node_id == node["NodeID"] and row.state == "ALIVE" and row.is_head_node
    assert row["resources_total"]["CPU"] == 2
    assert state.get_node(row.node_id) == row and state.get_node("00") is None


def test_tasks(tmp_path):
    gate = tmp_path / "gate"
    refs = [wait_for.remote(str(gate)) for _ in range(5)]
    assert eventually(lambda: len(state.list_tasks(filters=[("state", "=", "running")])) == 2)
    rows = state.list_tasks(filters=[("name", "=", "wait_for"), ("type", "!=", "ACTOR_TASK")], detail=True)
    assert len(rows) == 5 and len(state.list_tasks(limit=3)) == 3
    running = [row for row in rows if row.state == "RUNNING"]
    waiting = [row for row in rows if row.state == "PENDING_NODE_ASSIGNMENT"]
    assert len(running) == 2 and len(waiting) == 3
    assert {row.task_id for row in rows} == {ref.task_id().hex() for ref in refs}
    assert running[0].job_id == ray.get_runtime_context().get_job_id()
    worker = state.get_worker(running[0].worker_id)
    assert worker.pid == running[0].worker_pid and worker.worker_type == "WORKER"
    assert state.get_task(refs[0]).task_id == state.get_task(refs[0].task_id().hex()).task_id == refs[0].task_id().hex()
    counts = state.summarize_tasks()["cluster"]["summary"]["wait_for"]["state_counts"]
    assert counts["RUNNING"] == 2 and counts["PENDING_NODE_ASSIGNMENT"] == 3
    assert running[0].start_time_ms <= time.time() * 1000 and running[0].end_time_ms is None
    gate.touch()
    ray.get(refs)
    ids = {row.task_id for row in rows}
    ended = {row.task_id: row for row in state.list_tasks(limit=10_000) if row.task_id in ids}
    assert set(ended) == ids and {row.state for row in ended.values()} == {"FINISHED"}
    for row in ended.values():
        assert (row.name, row.type, row.error_type) == ("wait_for", "NORMAL_TASK", None)
        assert row.job_id == running[0].job_id and row.start_time_ms <= row.end_time_ms <= time.time() * 1000
    assert ended[running[0].task_id].worker_pid == running[0].worker_pid
    assert not state.list_tasks(filters=[("state", "!=", "FINISHED"), ("name", "=", "wait_for")])
    assert state.summarize_tasks()["cluster"]["summary"]["wait_for"]["state_counts"]["FINISHED"] >= 5


def test_tasks_that_failed(tmp_path):
    @ray.remote(max_retries=1)
    def dies_once(path):
        if not os.path.exists(path):
            open(path, "w").close()
            os.kill(os.getpid(), signal.SIGKILL)

    @ray.remote
    def raises():
        raise ValueError("on purpose")

    died, raised = dies_once.remote(str(tmp_path / "died")), raises.remote()
    ray.get(died)
    with pytest.raises(ValueError, match="on purpose"):
        ray.get(raised)

    def attempts(ref):
        found = state.list_tasks(filters=[("task_id", "=", ref.task_id().hex())])
        return sorted((row.attempt_number, row.state, row.error_type) for row in found)

    assert attempts(raised) == [(0, "FAILED", "TASK_EXECUTION_EXCEPTION")]
    # Whether the daemon hears of the death before its owner has the second result is open.
    assert eventually(lambda: attempts(died) == [(0, "FAILED", "WORKER_DIED"), (1, "FINISHED", None)])
    assert state.get_task(died).state == "FINISHED"


def test_a_call_of_a_method_with_a_name_of_its_own(tmp_path):
    @ray.remote
    class Waits:
        def wait_for(self, path):
            while not os.path.exists(path):
                time.sleep(0.01)

    gate = tmp_path / "gate"
    waits = Waits.remote()
    ref = waits.wait_for.options(name="custom").remote(str(gate))
    assert eventually(lambda: [row.actor_id for row in state.list_tasks(filters=[("name", "=", "custom")])] == [waits._actor_id.hex()])
    gate.touch()
    ray.get(ref)


@pytest.mark.parametrize("lifetime", [None, "detached"])
def test_tasks_of_actors_name_their_class(lifetime):
    actor = Named.options(name=f"for names {lifetime}", lifetime=lifetime).remote()
    ray.get(actor.pid.remote())
    rows = state.list_tasks(filters=[("type", "!=", "NORMAL_TASK")])
    assert [(row.name, row.type) for row in rows[:2]] == [("Named.pid", "ACTOR_TASK"), ("Named.__init__", "ACTOR_CREATION_TASK")]
    assert not [row for row in [*rows, *state.list_actors()] if "manta::" in str(row)], "what is Manta's own is not shown"
    ray.kill(actor)


def test_actors():
    actor = Named.options(name="one").remote()
    elsewhere = Named.options(name="two", namespace="elsewhere").remote()
    pid = ray.get(actor.pid.remote())
    ray.get(elsewhere.pid.remote())
    row = state.get_actor(actor._actor_id.hex())
    assert (row.name, row.state, row.pid, row.is_detached, row.num_restarts) == ("one", "ALIVE", pid, False, 0)
    assert row["actor_id"] == row.get("actor_id") == row.asdict()["actor_id"] == actor._actor_id.hex()
    assert "pid" in row and row.get("nonsense") is None
    with pytest.raises(KeyError):
        row["nonsense"]
    assert [row.name for row in state.list_actors(filters=[("ray_namespace", "=", "elsewhere")])] == ["two"]
    assert state.summarize_actors()["cluster"]["total_actors"] >= 2
    assert "one" in list_named_actors() and "two" not in list_named_actors()
    assert {"name": "two", "namespace": "elsewhere"} in list_named_actors(all_namespaces=True)
    ray.kill(actor)
    assert eventually(lambda: "one" not in list_named_actors())


def test_objects_workers_and_jobs():
    ref = ray.put(bytes(300_000))
    [row] = state.list_objects(filters=[("object_size", "!=", 0), ("type", "=", "DRIVER")])
    assert row.object_size >= 300_000 and row.pid == os.getpid()
    assert row.object_id == ref.hex() and state.get_objects(ref.hex()) == [row]
    assert state.summarize_objects()["cluster"]["total_objects"] == 1
    del ref
    assert eventually(lambda: not state.list_objects())
    context = ray.get_runtime_context()
    me = state.get_worker(context.get_worker_id())
    assert me.worker_type == "DRIVER" and me.pid == os.getpid() and me in state.list_workers()
    [job] = state.list_jobs()
    assert job.job_id == state.get_job(context.get_job_id()).job_id == context.get_job_id()
    assert job.status == "RUNNING" and job.driver_info["pid"] == str(os.getpid())
    assert 0 <= time.time() - job.start_time / 1000 < 600


def test_logs():
    actor = Named.remote()
    pid = ray.get(actor.pid.remote())
    ray.get(actor.say.remote("first\nsecond"))
    assert eventually(lambda: "second\n" in list(state.get_log(pid=pid)))
    assert list(state.get_log(pid=pid, tail=1)) == ["second\n"]
    logs = state.list_logs()
    assert logs["worker_out"] and set(state.list_logs(glob_filter="worker-*.err")) == {"worker_err"}
    assert "".join(state.get_log(filename=logs["daemon"][-1])) is not None
    with pytest.raises(RayStateApiException, match="no worker"):
        list(state.get_log(pid=1))
    actor_id = actor._actor_id.hex()
    assert list(state.get_log(actor_id=actor_id, tail=1)) == ["second\n"]
    lines = state.get_log(actor_id=actor_id, tail=1, follow=True)
    assert next(lines) == "second\n"
    ray.get(actor.say.remote("third"))
    assert next(lines) == "third\n"
    with pytest.raises(RayStateApiException, match="has a process now"):
        list(state.get_log(actor_id="0" * 32))
    with pytest.raises(NotImplementedError, match="not there yet"):
        list(state.get_log(task_id="0" * 48))


def test_wrong_questions_are_told():
    with pytest.raises(RayStateApiException, match="cannot be for 'nonsense'"):
        state.list_tasks(filters=[("nonsense", "=", 1)])
    with pytest.raises(ValueError, match="operator"):
        state.list_tasks(filters=[("name", "<", 1)])
    with pytest.raises(ValueError, match="limit"):
        state.list_tasks(limit=-1)
    with pytest.raises(RayStateApiException, match="no running cluster"):
        state.list_tasks(address="session_that_is_not", timeout=20, raise_on_missing_output=False)
    here = ray.get_runtime_context().get_session_name()
    assert state.list_nodes(address=here) == state.list_nodes()


def test_a_list_from_inside_of_a_task():
    @ray.remote
    def names():
        return [row.name for row in state.list_tasks()]

    assert "names" in ray.get(names.options(name="names").remote())


def test_the_timeline(tmp_path):
    ray.get([wait_for.remote(str(tmp_path)) for _ in range(3)])

    def spans(events):
        return [event for event in events if event.get("ph") == "X" and event.get("cat") == "task"]

    assert eventually(lambda: len(spans(ray.timeline())) >= 3)
    assert "wait_for" in {event["name"] for event in spans(ray.timeline())}
    assert ray.timeline(filename=tmp_path / "trace.json") is None
    written = json.loads((tmp_path / "trace.json").read_text())
    assert len(spans(written["traceEvents"] if isinstance(written, dict) else written)) >= 3
