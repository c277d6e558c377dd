"""Placement groups (the contract's sections 1.3, 1.8, 1.9)."""

import json
import os
import pickle
import signal
import subprocess
import sys
import time
import warnings

import pytest

import manta as ray
from manta.exceptions import ActorDiedError, ActorPlacementGroupRemoved, GetTimeoutError, TaskPlacementGroupRemoved
from manta.util import get_current_placement_group, get_placement_group, placement_group, placement_group_table, remove_placement_group
from manta.util import state
from manta.util.placement_group import PlacementGroup
from manta.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from waiting import eventually


@pytest.fixture(scope="module", autouse=True)
def cluster():
    ray.init(num_cpus=4, num_gpus=2, resources={"disk": 2}, address="local", namespace="groups")
    yield
    ray.shutdown()


@pytest.fixture(autouse=True)
def nothing_stays():
    yield
    for row in placement_group_table().values():
        if row["state"] != "REMOVED":
            remove_placement_group(PlacementGroup(ray.PlacementGroupID.from_hex(row["placement_group_id"])))
    assert eventually(lambda: available("CPU") == 4 and available("GPU") == 2), ray.available_resources()


def available(name):
    return ray.available_resources().get(name, 0)


def in_group(group, index=-1, capture=None):
    return PlacementGroupSchedulingStrategy(group, index, capture)


def state_of(group):
    return placement_group_table(group)["state"]


@ray.remote
def where():
    context = ray.get_runtime_context()
    return context.get_placement_group_id(), context.should_capture_child_tasks_in_placement_group, os.getpid()


@ray.remote
def sleep(seconds):
    time.sleep(seconds)
    return seconds


@ray.remote
def parent():
    return ray.get(where.remote())


@ray.remote
class Actor:
    def where(self):
        return ray.get_runtime_context().get_placement_group_id()

    def of_child(self):
        return ray.get(where.remote())[0]

    def pid(self):
        return os.getpid()


# ---- Creation


def test_is_created_and_ready():
    group = placement_group([{"CPU": 1}, {"CPU": 1, "GPU": 1}], strategy="PACK", name="first")
    assert ray.get(group.ready(), timeout=20) == group
    assert group.wait(timeout_seconds=20)
    assert not group.is_empty and group.bundle_count == 2 and group.bundle_specs == [{"CPU": 1}, {"CPU": 1, "GPU": 1}]
    assert available("CPU") == 2 and available("GPU") == 1
    assert ray.cluster_resources()["CPU"] == 4, "what there is stays what there is"
    assert not any("group" in name for name in ray.cluster_resources())


def test_ready_resolves_even_if_the_bundles_are_in_use():
    group = placement_group([{"CPU": 1}])
    actor = Actor.options(scheduling_strategy=in_group(group), num_cpus=1).remote()
    assert ray.get(actor.where.remote()) == group.id.hex()
    assert ray.get(group.ready(), timeout=10) == group


@pytest.mark.parametrize("strategy", ["PACK", "SPREAD", "STRICT_PACK"])
def test_strategies_on_one_node(strategy):
    group = placement_group([{"CPU": 1}, {"CPU": 1}], strategy=strategy)
    assert group.wait(20)
    row = placement_group_table(group)
    assert row["strategy"] == strategy and set(row["bundles_to_node_id"].values()) == {ray.get_runtime_context().get_node_id()}


def test_waits_for_its_resources():
    first = placement_group([{"CPU": 3}])
    assert first.wait(20)
    second = placement_group([{"CPU": 2}])
    assert not second.wait(0.1) and state_of(second) == "PENDING"
    assert "not reserved" in placement_group_table(second)["stats"]["scheduling_state"]
    with pytest.raises(GetTimeoutError):
        ray.get(second.ready(), timeout=0.1)
    remove_placement_group(first)
    assert second.wait(20) and state_of(second) == "CREATED" and state_of(first) == "REMOVED"


def test_does_not_starve_behind_a_stream_of_tasks():
    tasks = [sleep.remote(0.02) for _ in range(800)]
    group = placement_group([{"CPU": 4}])
    assert group.wait(20)
    assert ray.wait(tasks, num_returns=len(tasks), timeout=0)[1], "the stream goes on"
    remove_placement_group(group)
    ray.get(tasks)


def test_strict_spread_over_more_nodes_than_there_are_stays_pending():
    group = placement_group([{"CPU": 1}, {"CPU": 1}], strategy="STRICT_SPREAD")
    assert not group.wait(0.3)
    assert "STRICT_SPREAD needs 2 nodes" in placement_group_table(group)["stats"]["scheduling_state"]


@pytest.mark.parametrize("bundles", [[], None, "CPU", {"CPU": 1}, [{}], [{"CPU": 0}], [{"CPU": 1}, {"GPU": 0}], ["CPU"], [{"CPU": -1}],
                                     [{"CPU": float("inf")}], [{"CPU": "1"}], [{1: 1}], [{"bundle": 1}], [{"CPU": True}]])
def test_bundles_that_cannot_be_are_refused(bundles):
    with pytest.raises(ValueError):
        placement_group(bundles)


@pytest.mark.parametrize("options", [{"strategy": "pack"}, {"strategy": 1}, {"lifetime": "non_detached"}, {"lifetime": "x"}, {"name": 5},
                                     {"_soft_target_node_id": "ab"}, {"_soft_target_node_id": "ab", "strategy": "STRICT_PACK"}])
def test_options_that_cannot_be_are_refused(options):
    with pytest.raises(ValueError):
        placement_group([{"CPU": 1}], **options)


def test_a_node_can_be_preferred():
    group = placement_group([{"CPU": 1}], "STRICT_PACK", _soft_target_node_id=ray.get_runtime_context().get_node_id())
    assert group.wait(20)


def test_many_bundles_and_many_groups():
    began = time.monotonic()
    group = placement_group([{"CPU": 0.001}] * 1000)
    assert group.wait(20) and group.bundle_count == 1000
    assert time.monotonic() - began < 5
    remove_placement_group(group)
    for _ in range(200):
        one = placement_group([{"CPU": 1}])
        assert one.wait(20)
        remove_placement_group(one)


# ---- Names, handles


def test_is_found_by_its_name():
    group = placement_group([{"CPU": 1}], name="named")
    assert get_placement_group("named") == group and get_placement_group("named").bundle_specs == [{"CPU": 1}]
    with pytest.raises(ValueError, match="choose another name"):
        placement_group([{"CPU": 1}], name="named")
    remove_placement_group(group)
    for name in ("named", "unknown", "", None):
        with pytest.raises(ValueError):
            get_placement_group(name)
    assert placement_group([{"CPU": 1}], name="named").wait(20)


def test_handles_travel():
    group = placement_group([{"CPU": 1}])
    assert pickle.loads(pickle.dumps(group)) == group and hash(group) == hash(pickle.loads(pickle.dumps(group)))

    @ray.remote(num_cpus=0)
    def use(group):
        assert group.wait(20) and group.bundle_specs == [{"CPU": 1}]
        return ray.get(where.options(scheduling_strategy=in_group(group)).remote())[0]

    assert ray.get(use.remote(group), timeout=20) == group.id.hex()
    assert PlacementGroup(group.id).bundle_specs == [{"CPU": 1}], "asked of the head"
    assert group.id.hex() in repr(group) and len(group.id.hex()) == 36


def test_the_empty_group_stands_for_none():
    empty = PlacementGroup.empty()
    assert empty.is_empty and empty.bundle_specs == []
    with pytest.raises(ValueError):
        empty.ready()
    remove_placement_group(empty)
    assert ray.get(where.options(scheduling_strategy=in_group(empty)).remote())[0] is None


def test_the_table_has_all_of_them():
    group = placement_group([{"CPU": 1, "disk": 0.5}], name="listed", lifetime="detached")
    assert group.wait(20)
    row = placement_group_table()[group.id.hex()]
    assert row == placement_group_table(group)
    assert (row["name"], row["state"], row["strategy"], row["bundles"]) == ("listed", "CREATED", "PACK", {0: {"CPU": 1, "disk": 0.5}})
    remove_placement_group(group)
    assert eventually(lambda: state_of(group) == "REMOVED")


def test_state_lists_them():
    group = placement_group([{"CPU": 1}], name="listed")
    assert group.wait(20)
    (found,) = state.list_placement_groups(filters=[("placement_group_id", "=", group.id.hex())])
    assert (found.name, found.state, found.strategy, found.is_detached) == ("listed", "CREATED", "PACK", False)
    assert found.bundles[0]["unit_resources"] == {"CPU": 1} and found.bundles[0]["node_id"] == ray.get_runtime_context().get_node_id()
    assert state.get_placement_group(group.id.hex()).name == "listed" and state.get_placement_group("00") is None
    remove_placement_group(group)
    assert eventually(lambda: state.get_placement_group(group.id.hex()).state == "REMOVED")


# ---- Tasks and actors


def test_tasks_run_in_the_group_they_name():
    group = placement_group([{"CPU": 1}, {"CPU": 1}])
    in_it = where.options(scheduling_strategy=in_group(group, 1))
    assert ray.get(in_it.remote())[0] == group.id.hex()
    assert ray.get(where.remote())[0] is None
    assert get_current_placement_group() is None and ray.get_runtime_context().get_placement_group_id() is None


def test_may_be_named_before_the_group_is_there():
    first = placement_group([{"CPU": 4}])
    assert first.wait(20)
    second = placement_group([{"CPU": 2}])
    task = where.options(scheduling_strategy=in_group(second)).remote()
    assert ray.wait([task], timeout=0.2)[1] == [task]
    remove_placement_group(first)
    assert ray.get(task, timeout=20)[0] == second.id.hex()


def test_a_bundle_bounds_what_runs_in_it():
    group = placement_group([{"CPU": 1}, {"CPU": 1}])
    began = time.monotonic()
    tasks = [sleep.options(scheduling_strategy=in_group(group, 0)).remote(0.3) for _ in range(2)]
    ray.get(tasks)
    assert time.monotonic() - began >= 0.6, "one after the other, though bundle 1 is free"


def test_each_bundle_has_gpus_of_its_own():
    @ray.remote(num_gpus=1, num_cpus=0)
    def gpus():
        return ray.get_gpu_ids()

    group = placement_group([{"GPU": 1}, {"GPU": 1}])
    one, other = (ray.get(gpus.options(scheduling_strategy=in_group(group, index)).remote()) for index in (0, 1))
    assert sorted(one + other) in ([0, 1], ["0", "1"])
    assert ray.get(gpus.options(scheduling_strategy=in_group(group, 0)).remote()) == one, "the same ones each time"


def test_tasks_without_resources_run_in_a_full_bundle():
    group = placement_group([{"CPU": 1}])
    busy = sleep.options(scheduling_strategy=in_group(group)).remote(2)
    assert ray.get(where.options(num_cpus=0, scheduling_strategy=in_group(group)).remote(), timeout=20)[0] == group.id.hex()
    ray.get(busy)


def test_assigned_resources_have_their_ordinary_names():
    @ray.remote
    def assigned():
        return ray.get_runtime_context().get_assigned_resources()

    group = placement_group([{"CPU": 1, "disk": 1}])
    assert ray.get(assigned.options(resources={"disk": 0.5}, scheduling_strategy=in_group(group)).remote()) == {"CPU": 1, "disk": 0.5}


def test_actors_live_in_the_group():
    group = placement_group([{"CPU": 1}, {"GPU": 1, "CPU": 1}])
    plain = Actor.options(scheduling_strategy=in_group(group, 0)).remote()
    with_gpu = Actor.options(num_gpus=1, num_cpus=1, scheduling_strategy=in_group(group, 1)).remote()
    assert ray.get([plain.where.remote(), with_gpu.where.remote()]) == [group.id.hex()] * 2
    assert available("CPU") == 2 and available("GPU") == 1


def test_restarted_actors_stay_in_the_group():
    group = placement_group([{"CPU": 1}])
    actor = Actor.options(scheduling_strategy=in_group(group), num_cpus=1, max_restarts=1, max_task_retries=2).remote()
    os.kill(ray.get(actor.pid.remote()), signal.SIGKILL)
    assert ray.get(actor.where.remote(), timeout=20) == group.id.hex()
    assert available("CPU") == 3


def test_detached_actors_can_be_in_a_group():
    group = placement_group([{"CPU": 1}], lifetime="detached")
    actor = Actor.options(name="in a group", lifetime="detached", scheduling_strategy=in_group(group), num_cpus=1).remote()
    assert ray.get(actor.where.remote(), timeout=20) == group.id.hex()
    remove_placement_group(group)
    with pytest.raises(ActorDiedError, match="placement group was removed"):
        for _ in range(1000):  # until the news of it has come
            ray.get(actor.where.remote(), timeout=20)


@pytest.mark.parametrize("index", [2, -2, 1.5])
def test_an_index_out_of_range_is_refused(index):
    group = placement_group([{"CPU": 1}, {"CPU": 1}])
    with pytest.raises(ValueError, match="index"):
        where.options(scheduling_strategy=in_group(group, index)).remote()


def test_what_fits_in_no_bundle_is_refused():
    group = placement_group([{"CPU": 1}, {"CPU": 2}])
    for options in ({"num_cpus": 3}, {"num_gpus": 1}, {"resources": {"disk": 1}}):
        with pytest.raises(ValueError, match="cannot fit into any bundle"):
            where.options(scheduling_strategy=in_group(group), **options).remote()
    with pytest.raises(ValueError, match="cannot fit into bundle 0"):
        where.options(num_cpus=2, scheduling_strategy=in_group(group, 0)).remote()
    with pytest.raises(ValueError, match="cannot fit"):
        Actor.options(num_gpus=1, scheduling_strategy=in_group(group)).remote()
    assert ray.get(where.options(num_cpus=2, scheduling_strategy=in_group(group)).remote(), timeout=20)[0] == group.id.hex()


# ---- The older options


def test_the_older_options_mean_the_same():
    group = placement_group([{"CPU": 1}, {"CPU": 1}])
    with pytest.warns(DeprecationWarning, match="placement_group is deprecated"):
        task = where.options(placement_group=group, placement_group_bundle_index=1, placement_group_capture_child_tasks=True)
    assert ray.get(task.remote())[:2] == (group.id.hex(), True)
    with pytest.warns(DeprecationWarning):
        actor = Actor.options(placement_group=group, placement_group_bundle_index=0).remote()
    assert ray.get(actor.where.remote()) == group.id.hex()
    assert ray.get(where.options(placement_group=None).remote())[0] is None
    assert ray.get(where.options(placement_group="default").remote())[0] is None


def test_both_at_once_are_refused():
    group = placement_group([{"CPU": 1}])
    with pytest.raises(ValueError, match="not by both"):
        where.options(placement_group=group, scheduling_strategy=in_group(group))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        both = where.options(placement_group=group).options(scheduling_strategy="DEFAULT")
    with pytest.raises(ValueError, match="not by both"):
        both.remote()
    with pytest.raises(ValueError, match="no placement group"):
        where.options(placement_group_bundle_index=0).remote()
    with pytest.raises(TypeError):
        where.options(placement_group="mine")


# ---- Children


def test_children_run_in_the_group_if_that_is_passed_on():
    group = placement_group([{"CPU": 2}])
    child = ray.get(parent.options(scheduling_strategy=in_group(group, capture=True)).remote(), timeout=20)
    assert child[:2] == (group.id.hex(), True)
    assert ray.get(parent.options(scheduling_strategy=in_group(group)).remote(), timeout=20)[0] is None
    actor = Actor.options(scheduling_strategy=in_group(group, capture=True)).remote()
    assert ray.get(actor.of_child.remote(), timeout=20) == group.id.hex()


def test_children_can_leave_the_group():
    group = placement_group([{"CPU": 1}])

    @ray.remote
    def outside():
        current = get_current_placement_group()
        return (current == group, ray.get(where.options(scheduling_strategy="DEFAULT").remote())[0],
                ray.get(where.options(placement_group_capture_child_tasks=False).remote())[0])

    assert ray.get(outside.options(scheduling_strategy=in_group(group, capture=True)).remote(), timeout=20) == (True, None, None)


def test_children_can_ask_for_their_parents_group():
    group = placement_group([{"CPU": 2}])

    @ray.remote
    def asks():
        return ray.get(where.options(placement_group_capture_child_tasks=True).remote())[0]

    assert ray.get(asks.options(scheduling_strategy=in_group(group)).remote(), timeout=20) == group.id.hex()


def test_a_child_that_does_not_fit_is_refused():
    group = placement_group([{"CPU": 1}])

    @ray.remote
    def too_large():
        with pytest.raises(ValueError, match="in the placement group of the task that submits it"):
            where.options(num_cpus=2).remote()
        return True

    assert ray.get(too_large.options(scheduling_strategy=in_group(group, capture=True)).remote(), timeout=20)


# ---- Removal


def test_removal_ends_what_runs_in_it():
    group = placement_group([{"CPU": 1}, {"CPU": 1}])
    running = sleep.options(scheduling_strategy=in_group(group, 0), max_retries=5).remote(60)
    queued = sleep.options(scheduling_strategy=in_group(group, 0)).remote(60)
    actor = Actor.options(scheduling_strategy=in_group(group, 1), num_cpus=1, max_restarts=-1, max_task_retries=-1).remote()
    assert ray.get(actor.where.remote(), timeout=20) == group.id.hex()
    remove_placement_group(group)
    for task in (running, queued):
        with pytest.raises(TaskPlacementGroupRemoved, match="removed"):
            ray.get(task, timeout=20)
    with pytest.raises(ActorDiedError, match="placement group was removed"):
        for _ in range(1000):
            ray.get(actor.where.remote(), timeout=20)
    with pytest.raises(TaskPlacementGroupRemoved):
        ray.get(sleep.options(scheduling_strategy=in_group(group)).remote(0), timeout=20)
    with pytest.raises(TaskPlacementGroupRemoved):
        ray.get(group.ready(), timeout=20)
    with pytest.raises(TaskPlacementGroupRemoved):
        group.wait(20)


def test_an_actor_that_was_not_placed_says_so():
    group = placement_group([{"CPU": 1}])
    assert group.wait(20)
    busy = sleep.options(scheduling_strategy=in_group(group)).remote(60)
    waiting = Actor.options(num_cpus=1, scheduling_strategy=in_group(group)).remote()
    call = waiting.where.remote()
    time.sleep(0.1)
    remove_placement_group(group)
    with pytest.raises(ActorPlacementGroupRemoved):
        ray.get(call, timeout=20)
    with pytest.raises(TaskPlacementGroupRemoved):
        ray.get(busy, timeout=20)


def test_a_pending_group_can_be_removed():
    group = placement_group([{"CPU": 1}, {"CPU": 1}], strategy="STRICT_SPREAD")
    ready = group.ready()
    task = where.options(scheduling_strategy=in_group(group)).remote()
    remove_placement_group(group)
    for reference in (ready, task):
        with pytest.raises(TaskPlacementGroupRemoved):
            ray.get(reference, timeout=20)


def test_removal_of_what_is_not_there_is_no_error():
    group = placement_group([{"CPU": 1}])
    remove_placement_group(group)
    remove_placement_group(group)
    remove_placement_group(PlacementGroup(ray.PlacementGroupID((1, 2))))
    assert placement_group_table(PlacementGroup(ray.PlacementGroupID((1, 2)))) == {}
    with pytest.raises(ValueError):
        remove_placement_group(None)


# ---- What dies


def test_a_killed_worker_leaves_its_bundle_to_the_group():
    group = placement_group([{"CPU": 1}])
    actor = Actor.options(scheduling_strategy=in_group(group), num_cpus=1).remote()
    os.kill(ray.get(actor.pid.remote(), timeout=20), signal.SIGKILL)
    with pytest.raises(ActorDiedError):
        ray.get(actor.where.remote(), timeout=20)
    assert available("CPU") == 3
    assert ray.get(where.options(scheduling_strategy=in_group(group)).remote(), timeout=20)[0] == group.id.hex()


DRIVER = """
import os, signal, sys, time
import manta as ray
from manta.util import placement_group
from manta.util.scheduling_strategies import PlacementGroupSchedulingStrategy

ray.init(address=sys.argv[1])
groups = [placement_group([{"CPU": 1}], name=str(i), lifetime=lifetime) for i, lifetime in enumerate((None, "detached"))]
assert all(group.wait(20) for group in groups)
ray.remote(time.sleep).options(scheduling_strategy=PlacementGroupSchedulingStrategy(groups[0])).remote(60)
print(groups[0].id.hex(), groups[1].id.hex(), flush=True)
time.sleep(0.2)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_group_goes_with_its_driver_unless_detached(tmp_path):
    (tmp_path / "driver.py").write_text(DRIVER)
    ray.shutdown()
    subprocess.run([os.environ["MANTA_EXECUTABLE"], "start", "--head", "--num-cpus", "4", "--num-gpus", "2", "--resource", "disk=2"],
                   check=True, capture_output=True)
    try:
        ray.init(address="auto", namespace="groups")
        done = subprocess.run([sys.executable, str(tmp_path / "driver.py"), "auto"], capture_output=True, text=True, timeout=60)
        assert done.returncode == -signal.SIGKILL, done.stderr
        gone, stays = (PlacementGroup(ray.PlacementGroupID.from_hex(text)) for text in done.stdout.split())
        assert eventually(lambda: state_of(gone) == "REMOVED")
        assert eventually(lambda: available("CPU") == 3)
        assert state_of(stays) == "CREATED" and placement_group_table(stays)["name"] == "1"
        listed = subprocess.run([os.environ["MANTA_EXECUTABLE"], "list", "placement-groups", "--json"], capture_output=True, text=True)
        assert {row["name"]: row["state"] for row in json.loads(listed.stdout)} == {"0": "REMOVED", "1": "CREATED"}
        remove_placement_group(stays)
        assert eventually(lambda: available("CPU") == 4)
    finally:
        ray.shutdown()
        subprocess.run([os.environ["MANTA_EXECUTABLE"], "stop"], capture_output=True)
        ray.init(num_cpus=4, num_gpus=2, resources={"disk": 2}, address="local", namespace="groups")


def test_says_what_it_waits_for(tmp_path):
    program = """
import time, manta as ray
from manta.util import placement_group
ray.init(num_cpus=1, address="local")
placement_group([{"CPU": 1}, {"CPU": 3}], name="large")
time.sleep(6)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert "the placement group 'large' has waited for 5 s: bundle 1 needs {CPU: 3} on one node but node 1 has {CPU: 1} in total" in \
        done.stderr
