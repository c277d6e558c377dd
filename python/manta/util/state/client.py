"""The lists of one cluster, as the `manta` command gives them, in Ray's words."""

from __future__ import annotations

import time

from manta import _address, _command, _native
from manta._ids import ActorID, PlacementGroupID, TaskID
from manta.util.state import common
from manta.util.state.exception import RayStateApiException, ServerUnavailable


class StateApiClient:
    """`address`: as init takes it; None: the cluster that this process is connected to."""

    def __init__(self, address=None):
        self._session = None
        if address is not None or not _native.is_initialized():
            self._session = _address.resolve(address) or "auto"

    def rows(self, what, timeout):
        """All rows of a list."""
        try:
            found = self._ask(*_LISTS[what], timeout=timeout)
            cluster = _Cluster(self._ask("nodes", timeout=timeout))
        except TimeoutError as error:
            raise ServerUnavailable(str(error)) from None
        except Exception as error:
            raise RayStateApiException(f"the list of {what} could not be had: {error}") from error
        return [row for row in (_CONVERT[what](one, cluster) for one in found) if row is not None]

    def _ask(self, *what, timeout):
        return _command.rows(*what, timeout=timeout, session_directory=self._session)


class _Cluster:
    """Its nodes, by their numbers."""

    def __init__(self, nodes):
        self.head = next((row for row in nodes if row["head"]), {"node": 1, "node_id": None, "address": "127.0.0.1"})
        self._nodes = {row["node"]: row for row in nodes}

    def node(self, number):
        return self._nodes.get(number, self.head)


_NO_PROCESS = {"process": None, "node": None, "pid": None, "job": None}


def _process(row, role):
    """What the row says of a process that has to do with it; all None: nothing."""
    return {**_NO_PROCESS, **row.get(role, {})}


_LISTS = {"actors": ["actors"], "tasks": ["tasks", "--all"], "workers": ["processes"], "objects": ["objects"], "nodes": ["nodes"],
          "jobs": ["processes"], "placement_groups": ["placement-groups"]}


_OWN = "manta::Steward"  # an actor of Manta's own, that looks after detached ones


def _actor(row, cluster):
    if row["class"] == _OWN:
        return None
    process = _process(row, "worker")
    return common.ActorState(
        actor_id=_actor_id(row["actor"]), class_name=row["class"], state=row["state"], job_id=_job_id(process["job"]), name=row["name"],
        node_id=_node_id(process, cluster), pid=process["pid"], ray_namespace=row["namespace"], num_restarts=row["restarts"],
        is_detached=row["detached"], death_cause=row.get("death"))


def _task(row, cluster):
    if row["name"] == _OWN:
        return None
    worker = _process(row, "worker")
    return common.TaskState(
        task_id=_task_id(row["task"]) if "task" in row else None, attempt_number=row["attempt"], name=row["name"], state=row["state"],
        job_id=_job_id(_process(row, "owner")["job"]), actor_id=_actor_id(row["actor"]) if "actor" in row else None,
        type=row["type"], func_or_class_name=row["name"], parent_task_id=_task_id(row["parent"]) if "parent" in row else None,
        node_id=_node_id(worker, cluster), worker_id=_worker_id(worker), worker_pid=worker["pid"],
        error_type="TASK_CANCELLED" if row.get("cancelled") else row.get("error"), start_time_ms=row.get("start_time_ms"),
        end_time_ms=row.get("end_time_ms"))


def _worker(row, cluster):
    if row["role"] not in ("driver", "worker"):
        return None
    node = cluster.node(row["node"])
    return common.WorkerState(
        worker_id=_worker_id(row), is_alive=True, worker_type=row["role"].upper(), state="ALIVE", job_id=_job_id(row["job"]),
        node_id=node["node_id"], ip=node["address"], pid=row["pid"], name=row["name"])


def _object(row, cluster):
    owner = _process(row, "owner")
    kind = row["owner"]["description"].split()[0].upper()
    return common.ObjectState(
        object_id=_task_id(row["object"]) if "object" in row else None, object_size=row["bytes"], task_status=row["state"].upper(),
        reference_type="PINNED_IN_MEMORY", type=kind if kind in ("DRIVER", "WORKER") else "UNKNOWN", pid=owner["pid"],
        ip=cluster.node(owner["node"])["address"], owner=row["owner"]["description"])


def _node(row, cluster):
    return common.NodeState(
        node_id=row["node_id"], node_ip=row["address"], is_head_node=row["head"], state=row["state"], node_name=row["address"],
        resources_total=row["total"], resources_available=row["available"], pid=row["pid"], labels=row["labels"])


def _placement_group(row, cluster):
    bundles = [{"bundle_id": _bundle_id(row["group"], index), "node_id": bundle["node_id"] or None, "unit_resources": bundle["resources"]}
               for index, bundle in enumerate(row["bundles"])]
    return common.PlacementGroupState(
        placement_group_id=_placement_group_id(row["group"]), name=row["name"], creator_job_id=_job_id(row["job"]), state=row["state"],
        bundles=bundles, is_detached=row["detached"], stats={"scheduling_state": row.get("waits_for", "")}, strategy=row["strategy"],
        ray_namespace=row["namespace"])


def _bundle_id(text, index):
    return {"placement_group_id": _placement_group_id(text), "bundle_index": index}


def _placement_group_id(text):
    return PlacementGroupID((int(text[:16], 16), int(text[16:], 16))).hex()


def _job(row, cluster):
    if row["role"] != "driver":
        return None
    return common.JobState(
        job_id=_job_id(row["job"]), submission_id=None, type="DRIVER", status="RUNNING", entrypoint=row["name"],
        driver_info={"pid": str(row["pid"]), "node_ip_address": cluster.node(row["node"])["address"], "id": _worker_id(row)},
        namespace=row["namespace"], start_time=int((time.time() - row["seconds"]) * 1000))


_CONVERT = {"actors": _actor, "tasks": _task, "workers": _worker, "objects": _object, "nodes": _node, "jobs": _job,
            "placement_groups": _placement_group}


# Ids as the other parts of the interface show them. The command prints numbers, most significant digits first.


def _actor_id(text):
    return ActorID((int(text[:16], 16), int(text[16:], 16))).hex()


def _task_id(text):
    parts = text[:16], text[16:24], text[24:]
    return TaskID(b"".join(bytes.fromhex(part)[::-1] for part in parts)).hex()


def _worker_id(process):
    return None if process["process"] is None else f"{process['node']:08x}{process['process']:08x}"


def _node_id(process, cluster):
    return None if process["node"] is None else cluster.node(process["node"])["node_id"]


def _job_id(number):
    return f"{number:08x}" if number else None
