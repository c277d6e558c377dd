"""Where code runs (the contract's section 1.10)."""

import asyncio
import os
import subprocess
import sys

import pytest

import manta as ray

pytestmark = pytest.mark.usefixtures("cluster")

GETTERS = ["get_job_id", "get_node_id", "get_worker_id", "get_task_id", "get_task_name", "get_task_function_name", "get_actor_id",
           "get_actor_name", "get_placement_group_id", "get_assigned_resources", "get_accelerator_ids", "get_resource_ids",
           "get_runtime_env_string", "get_node_labels", "get_session_name"]
PROPERTIES = ["namespace", "gcs_address", "was_current_actor_reconstructed", "should_capture_child_tasks_in_placement_group", "runtime_env"]


def told():
    """All that the context says here."""
    context = ray.get_runtime_context()
    return {**{name: getattr(context, name)() for name in GETTERS}, **{name: getattr(context, name) for name in PROPERTIES}}


@ray.remote
def in_a_task():
    return {**told(), "is_canceled": ray.get_runtime_context().is_canceled(), "ids": ray.get_runtime_context().get()}


@ray.remote(num_cpus=0)
class Actor:
    def told(self):
        return told()

    def me(self):
        return ray.get_runtime_context().current_actor

    def ask_me_by_a_task(self):
        return call.remote(ray.get_runtime_context().current_actor)

    def number(self):
        return 42

    def actor_id(self):
        return ray.get_runtime_context().actor_id, ray.get_runtime_context().get()["actor_id"]


@ray.remote(num_cpus=0)
def call(actor):
    return ray.get(actor.number.remote())


def test_in_a_driver():
    here = told()
    for name in ("get_task_id", "get_task_name", "get_actor_id", "get_actor_name", "get_placement_group_id"):
        assert here[name] is None
    assert here["get_node_id"] == ray.nodes()[0]["NodeID"] == here["get_node_labels"]["ray.io/node-id"]
    assert here["get_session_name"].startswith("session_") and here["gcs_address"]
    assert here["get_runtime_env_string"] == "{}" and here["runtime_env"] == {}
    assert not here["was_current_actor_reconstructed"] and not here["should_capture_child_tasks_in_placement_group"]
    with pytest.raises(RuntimeError, match="this is a driver"):
        ray.get_runtime_context().is_canceled()
    with pytest.raises(RuntimeError, match="current_actor is for methods"):
        ray.get_runtime_context().current_actor


def test_in_a_task():
    ref = in_a_task.options(num_cpus=0.5).remote()
    there, here = ray.get(ref), told()
    for name in ("get_job_id", "get_node_id", "get_session_name", "namespace", "gcs_address"):
        assert there[name] == here[name]
    assert there["get_task_id"] == ref.task_id().hex() == there["ids"]["task_id"].hex()
    assert there["get_worker_id"] != here["get_worker_id"]
    assert there["get_task_name"] == there["get_task_function_name"] == "in_a_task"
    assert there["get_assigned_resources"] == {"CPU": 0.5}
    assert there["get_accelerator_ids"] == there["get_resource_ids"] == {"GPU": []}
    assert there["is_canceled"] is False


def test_the_name_of_a_task_and_that_of_its_function():
    def names():
        context = ray.get_runtime_context()
        return context.get_task_name(), context.get_task_function_name()

    @ray.remote
    def outer(inner):
        return names(), ray.get(inner.remote()), names()

    @ray.remote
    def task():
        return names()

    @ray.remote
    class Threaded:
        def names(self):
            return names()

    @ray.remote
    class OnALoop:
        async def names(self):
            await asyncio.sleep(0.01)
            return names()

    own = task._function.__qualname__
    assert ray.get(task.options(name="other").remote()) == ("other", own)
    outer_own = outer._function.__qualname__
    assert ray.get(outer.options(name="out").remote(task)) == (("out", outer_own), (own, own), ("out", outer_own))
    for actor, own in ((Threaded.remote(), "Threaded.names"), (OnALoop.remote(), "OnALoop.names")):
        calls = [actor.names.options(name="custom").remote(), actor.names.remote(), actor.names.options(name="third").remote(),
                 actor.names.options(name="fourth", retry_exceptions=[KeyError]).remote()]
        assert ray.get(calls) == [("custom", own), (own, own), ("third", own), ("fourth", own)]


def test_in_an_actor():
    actor = Actor.options(name="where", namespace="elsewhere").remote()
    there = ray.get(actor.told.remote())
    assert there["get_actor_id"] == actor._actor_id.hex() and there["get_actor_name"] == "where"
    assert ray.get(Actor.remote().told.remote())["get_actor_name"] == ""
    assert ray.get(actor.actor_id.remote()) == (actor._actor_id, actor._actor_id)
    assert ray.get(actor.me.remote()) == actor
    assert ray.get(ray.get(actor.ask_me_by_a_task.remote())) == 42
    assert ray.get_actor("where", namespace="elsewhere") == actor


def test_a_coroutine_does_not_ask_whether_it_is_cancelled():
    @ray.remote
    class OnALoop:
        async def ask(self):
            return ray.get_runtime_context().is_canceled()

    with pytest.raises(RuntimeError, match="asyncio.CancelledError"):
        ray.get(OnALoop.remote().ask.remote())


def test_ids_as_objects():
    context = ray.get_runtime_context()
    assert context.job_id.hex() == context.get_job_id() and context.node_id.hex() == context.get_node_id()
    assert context.task_id.is_nil() and context.actor_id.is_nil()
    ref = ray.put(1)
    assert ref.job_id() == context.job_id == ray.JobID.from_int(context.job_id.int())
    assert ref.owner_address().hex() == context.get_worker_id()
    assert ref.call_site() == "" and not ref.is_nil()


def test_without_a_connection():
    program = """
import manta as ray
from manta.runtime_context import RuntimeContext
for use in (RuntimeContext().get_job_id, ray.nodes, ray.timeline):
    try:
        use()
    except RuntimeError as error:
        print("ray.init()" in str(error))
print(ray.get_runtime_context().get_job_id())
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, env=os.environ)
    assert result.stdout == "True\nTrue\nTrue\n00000001\n", result.stderr


def test_the_current_actor_is_a_handle_like_any_other():
    @ray.remote
    class Member:
        def __init__(self):
            self.early = ray.get_runtime_context().current_actor

        @ray.method(num_returns=2)
        def pair(self):
            return 1, 2

        def items(self):
            yield 1
            yield 2

        def handles(self):
            return self.early, ray.get_runtime_context().current_actor

    member = Member.remote()
    for handle in ray.get(member.handles.remote()):
        assert handle == member and repr(handle) == repr(member)
        assert ray.get(handle.pair.remote()) == [1, 2]
        assert [ray.get(item) for item in handle.items.remote()] == [1, 2]
        with pytest.raises(AttributeError, match="Member has no attribute 'mispelt'"):
            handle.mispelt
        with pytest.raises(TypeError, match="too many"):
            handle.pair.remote(1)
