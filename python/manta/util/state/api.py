"""list_..., get_... and summarize_..."""

from __future__ import annotations

import collections
import glob
import os
import time

from manta import _command, _not_yet
from manta.util.state import common
from manta.util.state.client import StateApiClient
from manta.util.state.exception import RayStateApiException

_OPERATORS = {"=": lambda a, b: a == b, "!=": lambda a, b: a != b}


def _list(what, schema, address, filters, limit, timeout, detail):
    """The rows of a list that pass all filters, and at most `limit` of them."""
    if limit is not None and limit < 0:
        raise ValueError(f"limit has to be 0 or more, not {limit}")
    conditions = [_condition(schema, one) for one in filters or []]
    rows = StateApiClient(address).rows(what, timeout)
    return [row for row in rows if all(condition(row) for condition in conditions)][:limit]


def _condition(schema, given):
    if not isinstance(given, (tuple, list)) or len(given) != 3:
        raise ValueError(f"a filter is (name, '=' or '!=', value), not {given!r}")
    name, operator, value = given
    if name not in schema.columns():
        raise RayStateApiException(f"a filter of {schema.__name__} cannot be for {name!r}; there are: {', '.join(sorted(schema.columns()))}")
    if operator not in _OPERATORS:
        raise ValueError(f"a filter's operator is '=' or '!=', not {operator!r}")
    # As Ray: numbers may come as text, and words in any case.
    return lambda row: _OPERATORS[operator](str(row[name]).lower(), str(value).lower())


def _lister(what, schema):
    def lists(address=None, filters=None, limit=common.DEFAULT_LIMIT, timeout=common.DEFAULT_RPC_TIMEOUT, detail=False,
              raise_on_missing_output=True, _explain=False):
        return _list(what, schema, address, filters, limit, timeout, detail)

    lists.__name__ = lists.__qualname__ = "list_" + what
    lists.__doc__ = f"The {what} of the cluster, as {schema.__name__}s that pass all `filters`: (name, '=' or '!=', value)."
    return lists


list_actors = _lister("actors", common.ActorState)
list_tasks = _lister("tasks", common.TaskState)
list_workers = _lister("workers", common.WorkerState)
list_objects = _lister("objects", common.ObjectState)
list_nodes = _lister("nodes", common.NodeState)
list_jobs = _lister("jobs", common.JobState)
list_placement_groups = _lister("placement_groups", common.PlacementGroupState)

list_tasks.__doc__ += (
    " Those that have not ended, and then the attempts that have, the last one first: each process remembers some thousand."
    " What never began to run (cancelled before, or called on a dead actor) is not among these.")
list_objects.__doc__ += " Those in shared memory: small ones are their owners' own."

_not_yet.declare(globals(), functions=["list_runtime_envs", "list_cluster_events"])


def _getter(lists, key, doc):
    def get(id, address=None, timeout=common.DEFAULT_RPC_TIMEOUT, _explain=False):
        return next(iter(lists(address, filters=[(key, "=", id)], limit=1, timeout=timeout)), None)

    get.__doc__ = doc
    return get


get_actor = _getter(list_actors, "actor_id", "The actor with this id, or None.")
get_node = _getter(list_nodes, "node_id", "The node with this id, or None.")
get_worker = _getter(list_workers, "worker_id", "The worker or driver with this id, or None.")
get_placement_group = _getter(list_placement_groups, "placement_group_id", "The placement group with this id, or None.")
get_job = _getter(list_jobs, "job_id", "The job with this id, or None.")


def get_task(id, address=None, timeout=common.DEFAULT_RPC_TIMEOUT, _explain=False):
    """The task with this id, or that makes this object, in its last attempt; None when there is none, or it ended long ago."""
    text = id if isinstance(id, str) else id.task_id().hex()
    return next(iter(list_tasks(address, filters=[("task_id", "=", text)], limit=1, timeout=timeout)), None)


def get_objects(id, address=None, timeout=common.DEFAULT_RPC_TIMEOUT, _explain=False):
    """All objects with this id, as a list."""
    return list_objects(address, filters=[("object_id", "=", id)], timeout=timeout)


def _summary(rows, key, columns):
    groups = collections.defaultdict(collections.Counter)
    for row in rows:
        groups[row[key]][row["state"]] += 1
    return {name: {**columns(name), "state_counts": dict(states)} for name, states in groups.items()}


def _of_cluster(summary, **totals):
    return {"cluster": {"summary": summary, "summary_by": "func_name", **totals}}


def summarize_tasks(address=None, timeout=common.DEFAULT_RPC_TIMEOUT, raise_on_missing_output=True, _explain=False):
    """How many tasks there are of each function, by state."""
    rows = list_tasks(address, limit=None, timeout=timeout)
    types = {row.name: row.type for row in rows}
    kinds = collections.Counter(row.type for row in rows)
    return _of_cluster(_summary(rows, "name", lambda name: {"func_or_class_name": name, "type": types[name]}),
                       total_tasks=kinds["NORMAL_TASK"], total_actor_tasks=kinds["ACTOR_TASK"],
                       total_actor_scheduled=kinds["ACTOR_CREATION_TASK"])


def summarize_actors(address=None, timeout=common.DEFAULT_RPC_TIMEOUT, raise_on_missing_output=True, _explain=False):
    """How many actors there are of each class, by state."""
    rows = list_actors(address, limit=None, timeout=timeout)
    return _of_cluster(_summary(rows, "class_name", lambda name: {"class_name": name}), total_actors=len(rows))


def summarize_objects(address=None, timeout=common.DEFAULT_RPC_TIMEOUT, raise_on_missing_output=True, _explain=False):
    """How many objects there are in shared memory, and of what size, for each owner."""
    summary = {}
    rows = list_objects(address, limit=None, timeout=timeout)
    for row in rows:
        one = summary.setdefault(row.owner, {"total_objects": 0, "total_size_mb": 0.0, "task_state_counts": collections.Counter()})
        one["total_objects"] += 1
        one["total_size_mb"] += row.object_size / (1 << 20)
        one["task_state_counts"][row.task_status] += 1
    for one in summary.values():
        one["task_state_counts"] = dict(one["task_state_counts"])
    return _of_cluster(summary, total_objects=len(rows), total_size_mb=sum(one["total_size_mb"] for one in summary.values()))


def list_logs(address=None, node_id=None, node_ip=None, glob_filter=None, timeout=common.DEFAULT_RPC_TIMEOUT):
    """Files of this node's logs, by kind."""
    folder = _logs()
    files = sorted(os.path.basename(path) for path in glob.glob(os.path.join(folder, glob_filter or "*")))
    kinds = collections.defaultdict(list)
    for name in files:
        kind = name.split("-")[0].split(".")[0]
        suffix = {"worker": "_out" if name.endswith(".out") else "_err"}.get(kind, "")
        kinds[kind + suffix].append(name)
    return dict(kinds)


def get_log(address=None, node_id=None, node_ip=None, filename=None, actor_id=None, task_id=None, pid=None, follow=False, tail=-1,
            timeout=common.DEFAULT_RPC_TIMEOUT, suffix="out", encoding="utf-8", errors="strict", submission_id=None, attempt_number=0,
            _interval=None, filter_ansi_code=False):
    """The lines of a file of this node's logs: by name, or of the worker that has `pid` or runs the actor. `tail`: the last so many; -1: all.
    `follow`: goes on with what is written from then on, for as long as the caller asks and the session is there."""
    if task_id or submission_id:
        raise _not_yet.error("get_log by task or submission", "give filename, pid or actor_id")
    if filename is None:
        if pid is None and actor_id is None:
            raise ValueError("get_log needs filename, pid or actor_id")
        filename = _file_of_worker(_pid_of_actor(actor_id, timeout) if pid is None else pid, suffix)
    lines = _lines(os.path.join(_logs(), os.path.basename(filename)), tail, follow, _interval or 0.1)
    yield from (line.decode(encoding, errors) for line in lines)


def _lines(path, tail, follow, interval):
    with open(path, "rb") as file:
        lines = collections.deque(file, maxlen=None if tail < 0 else tail)
        if not follow:
            yield from lines
            return
        unfinished = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""
        yield from lines
        while os.path.exists(path):
            unfinished += file.readline()
            if unfinished.endswith(b"\n"):
                yield unfinished
                unfinished = b""
                continue
            time.sleep(interval)
            if os.fstat(file.fileno()).st_size < file.tell():  # it was too long: what was in it went to another file
                file.seek(0)


def _pid_of_actor(actor_id, timeout):
    actor = get_actor(actor_id, timeout=timeout)
    if actor is None or actor.pid is None:
        raise RayStateApiException(f"no actor {actor_id} has a process now; the files of processes that are gone: list_logs()")
    return actor.pid


def _logs():
    return os.path.join(_command.session(), "logs")


def _file_of_worker(pid, suffix):
    for row in _command.rows("workers"):
        if row["pid"] == pid:
            return f"worker-{row['worker']}.{suffix}"
    raise RayStateApiException(f"no worker of this node has the pid {pid}")
