"""Rows of the lists: their fields as attributes, and by name as those of a dict."""

from __future__ import annotations

import dataclasses
import enum

DEFAULT_LIMIT = 100
DEFAULT_RPC_TIMEOUT = 30


class StateResource(enum.Enum):
    """What there are lists of."""

    ACTORS = "actors"
    JOBS = "jobs"
    PLACEMENT_GROUPS = "placement_groups"
    NODES = "nodes"
    WORKERS = "workers"
    TASKS = "tasks"
    OBJECTS = "objects"
    RUNTIME_ENVS = "runtime_envs"


class StateSchema:
    """A row."""

    @classmethod
    def columns(cls):
        return {field.name for field in dataclasses.fields(cls)}

    def asdict(self):
        return dataclasses.asdict(self)

    def get(self, name, default=None):
        return getattr(self, name) if name in self.columns() else default

    def keys(self):
        return [field.name for field in dataclasses.fields(self)]

    def __getitem__(self, name):
        if name not in self.columns():
            raise KeyError(name)
        return getattr(self, name)

    def __contains__(self, name):
        return name in self.columns()


@dataclasses.dataclass
class ActorState(StateSchema):
    actor_id: str
    class_name: str
    state: str
    job_id: str | None
    name: str
    node_id: str | None
    pid: int | None
    ray_namespace: str
    num_restarts: int
    is_detached: bool
    death_cause: str | None


@dataclasses.dataclass
class TaskState(StateSchema):
    task_id: str | None  # none: it has ended, and its id was too large to be remembered
    attempt_number: int
    name: str
    state: str
    job_id: str | None
    actor_id: str | None
    type: str
    func_or_class_name: str
    parent_task_id: str | None
    node_id: str | None
    worker_id: str | None
    worker_pid: int | None
    error_type: str | None
    start_time_ms: int | None
    end_time_ms: int | None


@dataclasses.dataclass
class WorkerState(StateSchema):
    worker_id: str
    is_alive: bool
    worker_type: str
    state: str
    job_id: str | None
    node_id: str
    ip: str
    pid: int
    name: str


@dataclasses.dataclass
class ObjectState(StateSchema):
    object_id: str | None  # none: it has no name any more, or not yet
    object_size: int
    task_status: str
    reference_type: str
    type: str
    pid: int | None
    ip: str
    owner: str


@dataclasses.dataclass
class NodeState(StateSchema):
    node_id: str
    node_ip: str
    is_head_node: bool
    state: str
    node_name: str
    resources_total: dict
    resources_available: dict
    pid: int
    labels: dict


@dataclasses.dataclass
class JobState(StateSchema):
    job_id: str
    submission_id: str | None
    type: str
    status: str
    entrypoint: str
    driver_info: dict
    namespace: str
    start_time: int


@dataclasses.dataclass
class PlacementGroupState(StateSchema):
    placement_group_id: str
    name: str
    creator_job_id: str | None
    state: str
    bundles: list
    is_detached: bool
    stats: dict
    strategy: str
    ray_namespace: str
