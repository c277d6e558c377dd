"""Labels of nodes, label selectors and scheduling strategies (the contract's sections 1.2, 1.3, 1.9, 1.10 and 3.8), over two nodes."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

import manta as ray
from manta import _command
from manta.exceptions import ActorUnschedulableError, GetTimeoutError, TaskUnschedulableError
from manta.util import placement_group, placement_group_table, remove_placement_group, state
from manta.util.scheduling_strategies import (DoesNotExist, Exists, In, NodeAffinitySchedulingStrategy, NodeLabelSchedulingStrategy, NotIn,
                                              PlacementGroupSchedulingStrategy)

from waiting import eventually


class Cluster:
    """A head in zone near, with one CPU, and a node in zone far, with two and a disk, that it can lose."""

    def __init__(self):
        self.head = self._start("--head", "--port=0", "--num-cpus=1", "--labels=zone=near,example.com/rank=1")
        self.join()
        self.connect()
        self.near = ray.get_runtime_context().get_node_id()
        self.wait_for_nodes(2)

    def connect(self):
        ray.init(self.head["session"], namespace="labels")

    @staticmethod
    def _start(*arguments):
        started = subprocess.run([_command.executable(), "start", *arguments, "--object-store-memory=67108864", "--json"], capture_output=True,
                                 text=True, check=True)
        return json.loads(started.stdout)

    def join(self, labels="zone=far,disk=ssd"):
        self.node = self._start(f"--address={self.head['node_address']}", "--num-cpus=2", f"--labels={labels}")

    def wait_for_nodes(self, count):
        assert eventually(lambda: sum(node["Alive"] for node in ray.nodes()) == count)
        self.far = next((node["NodeID"] for node in ray.nodes() if node["Alive"] and not node["IsHead"]), None)

    def lose_node(self):
        os.kill(self.node["pid"], signal.SIGKILL)
        self.wait_for_nodes(1)

    def stop(self):
        ray.shutdown()
        for started in (self.node, self.head):
            subprocess.run([_command.executable(), "stop", "--session", started["session"]], capture_output=True)


@pytest.fixture(scope="module")
def shared():
    cluster = Cluster()
    yield cluster
    cluster.stop()


@pytest.fixture
def nodes(shared):
    if not ray.is_initialized():
        shared.connect()
    return shared


@pytest.fixture
def own_nodes():
    """For tests that end nodes."""
    ray.shutdown()
    cluster = Cluster()
    yield cluster
    cluster.stop()


@ray.remote
def where():
    return ray.get_runtime_context().get_node_id()


@ray.remote
def work(seconds):
    time.sleep(seconds)
    return ray.get_runtime_context().get_node_id()


@ray.remote
class Place:
    def where(self):
        return ray.get_runtime_context().get_node_id()

    def pid(self):
        return os.getpid()


def by(**options):
    return ray.get(where.options(**options).remote(), timeout=20)


def affinity(node, soft=False, **more):
    return NodeAffinitySchedulingStrategy(node, soft, **more)


# ---- Labels


def test_nodes_have_their_labels(nodes):
    near = {"zone": "near", "example.com/rank": "1", "ray.io/node-id": nodes.near}
    far = {"zone": "far", "disk": "ssd", "ray.io/node-id": nodes.far}
    assert {node["NodeID"]: node["Labels"] for node in ray.nodes()} == {nodes.near: near, nodes.far: far}
    assert ray.get_runtime_context().get_node_labels() == near

    @ray.remote(label_selector={"zone": "far"})
    def labels():
        return ray.get_runtime_context().get_node_labels()

    assert ray.get(labels.remote()) == far
    assert {row.node_id: row.labels for row in state.list_nodes(detail=True)} == {nodes.near: near, nodes.far: far}


def test_init_gives_labels():
    code = ("import manta as ray; ray.init(num_cpus=1, labels={'zone': 'eu', 'gpu': ''}); "
            "found = ray.nodes()[0]; print(found['Labels'] == {'zone': 'eu', 'gpu': '', 'ray.io/node-id': found['NodeID']})")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60).stdout == "True\n"


def test_labels_come_from_a_file(tmp_path):
    (tmp_path / "labels.yaml").write_text('"gpu_type": "A100"\n"region": "us"\n"market-type": "spot"\n')
    started = Cluster._start("--head", "--num-cpus=1", f"--labels-file={tmp_path}/labels.yaml", "--labels=region=eu")
    try:
        listed = json.loads(subprocess.run([_command.executable(), "list", "nodes", "--json", "--session", started["session"]],
                                           capture_output=True, text=True, check=True).stdout)
        assert {**listed[0]["labels"], "ray.io/node-id": "x"} == {"gpu_type": "A100", "region": "eu", "market-type": "spot",
                                                                  "ray.io/node-id": "x"}
    finally:
        subprocess.run([_command.executable(), "stop", "--session", started["session"]], check=True, capture_output=True)


@pytest.mark.parametrize("argument, says", [
    ("--labels=zone", "--labels: 'zone' is no label: write NAME=VALUE pairs"), ("--labels=ray.io/zone=eu", "set by the system"),
    ("--labels={\"zone\": \"eu\"}", "instead of JSON"), ("--labels-file=/nowhere", "--labels-file /nowhere: No such file")])
def test_wrong_labels_are_told(argument, says):
    done = subprocess.run([_command.executable(), "start", "--head", argument], capture_output=True, text=True)
    assert done.returncode == 2 and says in done.stderr


# ---- Selectors


@pytest.mark.parametrize("selector, expected", [
    ({"zone": "near"}, "near"), ({"zone": "far"}, "far"), ({"zone": "!near"}, "far"), ({"zone": "in(far, elsewhere)"}, "far"),
    ({"zone": "!in(far,elsewhere)"}, "near"), ({"zone": "in(near, far)", "disk": "ssd"}, "far"), ({"disk": "!ssd"}, "near"),
    ({"example.com/rank": "1"}, "near")])
def test_selectors_choose_nodes(nodes, selector, expected):
    assert by(label_selector=selector) == getattr(nodes, expected)
    assert ray.get(Place.options(label_selector=selector).remote().where.remote()) == getattr(nodes, expected)


def test_a_selector_names_a_node(nodes):
    assert by(label_selector={"ray.io/node-id": nodes.far}) == nodes.far


def test_selectors_stay_with_functions_and_classes(nodes):
    @ray.remote(label_selector={"zone": "far"})
    def here():
        return ray.get_runtime_context().get_node_id()

    @ray.remote(label_selector={"zone": "far"}, max_restarts=2, max_task_retries=2)
    class There:
        def where(self):
            return ray.get_runtime_context().get_node_id()

        def pid(self):
            return os.getpid()

    assert set(ray.get([here.remote() for _ in range(20)])) == {nodes.far}
    assert ray.get(here.options(label_selector={"zone": "near"}).remote()) == nodes.near
    actor = There.remote()
    os.kill(ray.get(actor.pid.remote()), signal.SIGKILL)
    assert ray.get(actor.where.remote()) == nodes.far


def test_children_do_not_inherit_a_selector(nodes):
    @ray.remote(label_selector={"zone": "far"})
    def parent():
        return ray.get([where.options(label_selector={"zone": zone}).remote() for zone in ("near", "far")])

    assert ray.get(parent.remote()) == [nodes.near, nodes.far]


def test_fallbacks_are_tried_in_order(nodes):
    assert by(label_selector={"zone": "far"}, fallback_strategy=[{"label_selector": {"zone": "near"}}]) == nodes.far
    assert by(label_selector={"zone": "no"}, fallback_strategy=[{"label_selector": {"zone": zone}} for zone in ("far", "near")]) == nodes.far
    assert by(label_selector={"zone": "no"}, fallback_strategy=[{"label_selector": {"disk": "hdd"}}, {"label_selector": {}}]) in (nodes.near, nodes.far)
    busy = work.options(label_selector={"zone": "near"}).remote(0.7)
    time.sleep(0.2)
    assert by(label_selector={"zone": "near"}, fallback_strategy=[{"label_selector": {"zone": "far"}}]) == nodes.far
    assert ray.get(busy) == nodes.near


def test_what_no_node_meets_waits_and_says_so(own_nodes):
    code = f"""
import manta as ray
ray.init({own_nodes.head['session']!r})
@ray.remote(label_selector={{"zone": "moon", "disk": "ssd"}})
def f():
    return ray.get_runtime_context().get_node_labels()["zone"]
ref = f.remote()
ready, waiting = ray.wait([ref], timeout=6)
print(len(waiting), flush=True)
print(ray.get(ref, timeout=30))
"""
    program = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert program.stdout.readline() == "1\n"
    own_nodes.lose_node()
    own_nodes.join("zone=moon,disk=ssd")
    out, err = program.communicate(timeout=60)
    assert out == "moon\n"
    assert "waited for 5 s: needs {CPU: 1} on a node with disk=ssd and zone=moon but this one has no disk, zone=near" in err
    assert "; node 2 has disk=ssd, zone=far and {CPU: 2" in err


# ---- Strategies


def test_affinity(nodes):
    for node in (nodes.near, nodes.far):
        for soft in (False, True):
            assert by(scheduling_strategy=affinity(node, soft)) == node
            assert ray.get(Place.options(scheduling_strategy=affinity(node, soft)).remote().where.remote()) == node
        assert by(scheduling_strategy=affinity(ray.NodeID.from_hex(node))) == node
    nobody = "f" * 32
    assert by(scheduling_strategy=affinity(nobody, True)) in (nodes.near, nodes.far)
    with pytest.raises(TaskUnschedulableError, match=f"a node with ray.io/node-id={nobody}"):
        by(scheduling_strategy=affinity(nobody))
    with pytest.raises(ActorUnschedulableError, match=f"a node with ray.io/node-id={nobody}"):
        ray.get(Place.options(scheduling_strategy=affinity(nobody)).remote().where.remote())
    with pytest.raises(TaskUnschedulableError):
        by(scheduling_strategy=affinity(nodes.near), num_cpus=2)
    assert by(scheduling_strategy=affinity(nodes.near, True), num_cpus=2) == nodes.far, "the soft one goes where it fits"


def test_affinity_to_a_busy_node(nodes):
    busy = work.options(label_selector={"zone": "near"}).remote(0.8)
    time.sleep(0.2)
    assert by(scheduling_strategy=affinity(nodes.near, True, _spill_on_unavailable=True)) == nodes.far
    with pytest.raises(TaskUnschedulableError, match="has to run at once"):
        by(scheduling_strategy=affinity(nodes.near, _fail_on_unavailable=True))
    assert by(scheduling_strategy=affinity(nodes.near, True)) == nodes.near
    assert ray.get(busy) == nodes.near


def test_affinity_fails_at_once_for_actors(nodes):
    for node, cpus in ((nodes.near, 1), (nodes.far, 2)):
        strategy = affinity(node, _fail_on_unavailable=True)
        first = Place.options(num_cpus=cpus, scheduling_strategy=strategy).remote()
        assert ray.get(first.where.remote()) == node
        with pytest.raises(ActorUnschedulableError):
            ray.get(Place.options(num_cpus=cpus, scheduling_strategy=strategy).remote().where.remote())


def test_a_node_that_dies(own_nodes):
    hard = work.options(scheduling_strategy=affinity(own_nodes.far)).remote(60)
    soft = work.options(scheduling_strategy=affinity(own_nodes.far, True)).remote(0.5)
    actor = Place.options(num_cpus=0, max_restarts=-1, scheduling_strategy=affinity(own_nodes.far)).remote()
    assert ray.get(actor.where.remote()) == own_nodes.far
    waits = Place.options(num_cpus=0, max_restarts=-1, max_task_retries=-1, label_selector={"zone": "far"}).remote()
    assert ray.get(waits.where.remote()) == own_nodes.far
    own_nodes.lose_node()
    with pytest.raises(TaskUnschedulableError):
        ray.get(hard, timeout=20)
    assert ray.get(soft, timeout=20) == own_nodes.near
    with pytest.raises(ActorUnschedulableError):
        ray.get(actor.where.remote(), timeout=20)
    restarted = waits.where.remote()
    with pytest.raises(GetTimeoutError):
        ray.get(restarted, timeout=0.5)
    own_nodes.join()
    own_nodes.wait_for_nodes(2)
    assert ray.get(restarted, timeout=20) == own_nodes.far


def test_label_strategies(nodes):
    def by_labels(hard, soft=None):
        return by(scheduling_strategy=NodeLabelSchedulingStrategy(hard, soft=soft))

    assert by_labels({"zone": In("near")}) == nodes.near
    assert by_labels({"zone": NotIn("near", "elsewhere")}) == nodes.far
    assert by_labels({"disk": Exists()}) == nodes.far
    assert by_labels({"disk": DoesNotExist()}) == nodes.near
    assert by_labels({"zone": In("near", "far")}, {"disk": In("ssd")}) == nodes.far
    assert by_labels({"zone": In("near")}, {"disk": Exists()}) == nodes.near
    assert by_labels({}, {"disk": Exists()}) == nodes.far
    actor = Place.options(scheduling_strategy=NodeLabelSchedulingStrategy({"disk": Exists()})).remote()
    assert ray.get(actor.where.remote()) == nodes.far


def test_spread(nodes):
    places = ray.get([where.options(scheduling_strategy="SPREAD").remote() for _ in range(20)])
    assert places.count(nodes.near) == places.count(nodes.far) == 10
    actors = [Place.options(scheduling_strategy="SPREAD").remote() for _ in range(6)]
    places = ray.get([actor.where.remote() for actor in actors])
    assert set(places) == {nodes.near, nodes.far}
    assert {by(scheduling_strategy="SPREAD", label_selector={"zone": "far"}) for _ in range(4)} == {nodes.far}
    assert by(scheduling_strategy="DEFAULT") in (nodes.near, nodes.far)


def test_strategies_lead_out_of_a_group(nodes):
    @ray.remote
    def parent(strategy):
        return ray.get(in_group.options(scheduling_strategy=strategy).remote())

    @ray.remote(num_cpus=0.5)
    def in_group():
        return ray.util.get_current_placement_group() is not None

    group = placement_group([{"CPU": 2}], bundle_label_selector=[{"zone": "far"}])
    options = dict(scheduling_strategy=PlacementGroupSchedulingStrategy(group, placement_group_capture_child_tasks=True))
    assert ray.get(parent.options(**options).remote(None)) is True
    for strategy in ("SPREAD", affinity(nodes.near), NodeLabelSchedulingStrategy({"zone": In("near")})):
        assert ray.get(parent.options(**options).remote(strategy)) is False
    remove_placement_group(group)


# ---- Bundles


def test_bundles_go_where_their_selectors_say(nodes):
    group = placement_group([{"CPU": 1}, {"CPU": 1}], bundle_label_selector=[{"zone": "far"}, {"zone": "!far"}])
    assert group.wait(20)
    for index, node in ((0, nodes.far), (1, nodes.near)):
        assert by(scheduling_strategy=PlacementGroupSchedulingStrategy(group, index)) == node
    assert by(scheduling_strategy=PlacementGroupSchedulingStrategy(group), label_selector={"zone": "near"}) == nodes.near
    assert list(placement_group_table(group)["bundles_to_node_id"].values()) == [nodes.far, nodes.near]
    remove_placement_group(group)
    waits = placement_group([{"CPU": 1}], bundle_label_selector=[{"zone": "moon"}])
    assert not waits.wait(0.3)
    assert "bundle 0 needs {CPU: 1} on a node with zone=moon but node 1 has zone=near" in placement_group_table(waits)["stats"]["scheduling_state"]
    remove_placement_group(waits)


# ---- Bad input


@pytest.mark.parametrize("options, kind, says", [
    (dict(label_selector="zone"), TypeError, "label_selector has to be a dict of labels and conditions"),
    (dict(label_selector={"zone": 1}), TypeError, "label_selector has 'zone': 1: labels and conditions are strings"),
    (dict(label_selector={1: "eu"}), TypeError, "label_selector has 1: 'eu'"),
    (dict(label_selector={"zone": "in()"}), ValueError, r"label_selector: the condition 'in\(\)' on the label 'zone' is none: write"),
    (dict(label_selector={"zone": "-eu"}), ValueError, "'-eu'"),
    (dict(label_selector={"zone": "eu | any"}), ValueError, "is none"),
    (dict(label_selector={"a|b": "eu"}), ValueError, r"label_selector: the name of the label 'a\|b'"),
    (dict(fallback_strategy={"zone": "eu"}), TypeError, "fallback_strategy has to be a list"),
    (dict(fallback_strategy=["eu"]), ValueError, r"fallback_strategy\[0\] has to be a dict"),
    (dict(fallback_strategy=[{}]), ValueError, r"fallback_strategy\[0\] has nothing"),
    (dict(fallback_strategy=[{"label_selector": {}}, {"num_cpus": 1}]), ValueError, r"fallback_strategy\[1\] has 'num_cpus'"),
    (dict(fallback_strategy=[{"label_selector": {"zone": "in("}}]), ValueError, r"fallback_strategy\[0\]\['label_selector'\]: the condition"),
    (dict(scheduling_strategy="PACK"), ValueError, "scheduling_strategy has to be 'DEFAULT', 'SPREAD' or one of"),
    (dict(scheduling_strategy=5), TypeError, "scheduling_strategy has to be None"),
    (dict(scheduling_strategy=NodeAffinitySchedulingStrategy("no id", False)), ValueError, "scheduling_strategy: the condition 'no id'"),
    (dict(scheduling_strategy=NodeLabelSchedulingStrategy({"zone": In("a b")})), ValueError, "scheduling_strategy.hard: the condition"),
    (dict(scheduling_strategy=NodeLabelSchedulingStrategy({"a b": Exists()})), ValueError, "scheduling_strategy.hard: the name"),
    (dict(scheduling_strategy=NodeLabelSchedulingStrategy({}, soft={"zone": In("a b")})), ValueError, "scheduling_strategy.soft")])
def test_wrong_options_are_told_at_the_call(options, kind, says):
    for remote in (where, Place):
        with pytest.raises(kind, match=says):
            remote.options(**options)
    with pytest.raises(kind, match=says):
        ray.remote(**options)(lambda: None)


@pytest.mark.parametrize("selectors, says", [
    ({"zone": "eu"}, "has to be a list with a dict for each of the 1 bundles"), ([], "for each of the 1 bundles"),
    ([{}, {}], "for each of the 1 bundles"), (["eu"], r"bundle_label_selector\[0\] has to be a dict"),
    ([{"zone": "in("}], r"bundle_label_selector\[0\]: the condition")])
def test_wrong_bundle_selectors_are_told(nodes, selectors, says):
    with pytest.raises(ValueError, match=says):
        placement_group([{"CPU": 1}], bundle_label_selector=selectors)
