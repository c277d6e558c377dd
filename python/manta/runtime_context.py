"""Where the calling code runs."""

from __future__ import annotations

import contextvars
import functools
import json

from manta import _address, _environments, _event_loops, _native
from manta._ids import ActorID, JobID, NodeID, PlacementGroupID, TaskID


def _here():
    """What the runtime says of the calling code."""
    if not _native.is_initialized():
        raise RuntimeError("there is no context: this process is connected to no cluster. Call ray.init() first.")
    return _native.context()


# (a task with a name of its own, what its function is called)
_named = contextvars.ContextVar("manta_named_task", default=(None, None))


def remember_function(actor, name):
    """Of the calling task, a method of `actor` if that is not None. For the extension."""
    _named.set((_native.context()["task_id"], name if actor is None else f"{type(actor).__name__}.{name}"))


class RuntimeContext:
    """What get_runtime_context gives. Ids are hex strings."""

    def get(self):
        """Those of the ids that there are, as objects, in a dict."""
        found = {"job_id": self.job_id, "node_id": self.node_id, "namespace": self.namespace}
        if self.get_task_id() is not None:
            found["task_id"] = self.task_id
        if self.get_actor_id() is not None:
            found["actor_id"] = self.actor_id
        return found

    def get_job_id(self):
        return f"{_here()['job_id']:08x}"

    def get_node_id(self):
        return _here()["node_id"].hex()

    def get_worker_id(self):
        return f"{_here()['process_id']:016x}"

    def get_task_id(self):
        task = _here()["task_id"]
        return task.hex() if any(task) else None

    def get_task_name(self):
        return _here()["task_name"] or None

    def get_task_function_name(self):
        """As get_task_name, also for a task that has got another name by an option."""
        context = _here()
        task, function = _named.get()
        return function if task == context["task_id"] else context["task_name"] or None

    def get_actor_id(self):
        pair = _here()["actor_id"]
        return None if pair == (0, 0) else ActorID(pair).hex()

    def get_actor_name(self):
        """Empty for an actor without a name; None outside of actors."""
        actor_id = self.get_actor_id()
        return None if actor_id is None else _name_of_actor(actor_id)

    def get_placement_group_id(self):
        """Of the group that the calling task or actor runs in; None: in none."""
        pair = _here()["placement_group"]
        return None if pair == (0, 0) else PlacementGroupID(pair).hex()

    def get_assigned_resources(self):
        _here()
        return _native.resources(2)

    def get_accelerator_ids(self):
        gpus = _here()["gpus"]
        return {"GPU": [str(i) for i in range(64) if gpus >> i & 1]}

    get_resource_ids = get_accelerator_ids

    def get_runtime_env_string(self):
        """The runtime_env as JSON."""
        return json.dumps(self.runtime_env, sort_keys=True)

    def get_node_labels(self):
        """Those that it was given, and the system's."""
        _here()
        return _native.node_labels()

    def get_session_name(self):
        return _here()["session_directory"].rsplit("/", 1)[-1]

    def is_canceled(self):
        context = _here()
        if context["is_driver"]:
            raise RuntimeError("is_canceled is for tasks: this is a driver.")
        if _event_loops.runs_here():
            raise RuntimeError("is_canceled is not for actors with coroutines: one that is cancelled is told by asyncio.CancelledError.")
        return context["is_cancelled"]

    @property
    def namespace(self):
        return _here()["namespace"]

    @property
    def gcs_address(self):
        """Where other nodes join the cluster; the session's name when none can."""
        return _address.of_session(_here()["session_directory"])

    @property
    def current_actor(self):
        """A handle of the actor that this is called in."""
        pair = _here()["actor_id"]
        if pair == (0, 0):
            raise RuntimeError("current_actor is for methods of actors: this is none.")
        from manta import actor

        return actor.of_this_worker(pair)

    @property
    def was_current_actor_reconstructed(self):
        return _here()["actor_was_restarted"]

    @property
    def should_capture_child_tasks_in_placement_group(self):
        """Whether what the calling task submits runs in its placement group, unless that says otherwise."""
        return _here()["captures_child_tasks"]

    @property
    def runtime_env(self):
        """Of the task, or of the job where the task has none of its own."""
        _here()
        return dict(_environments.current())

    # Ray's older names: the ids as objects.
    @property
    def job_id(self):
        return JobID.from_hex(self.get_job_id())

    @property
    def node_id(self):
        return NodeID.from_hex(self.get_node_id())

    @property
    def task_id(self):
        return TaskID(_here()["task_id"])

    @property
    def actor_id(self):
        return ActorID(_here()["actor_id"])


@functools.lru_cache(maxsize=1)
def _name_of_actor(actor_id):
    from manta.util import state

    found = state.get_actor(actor_id)
    return found.name if found is not None else ""


def get_runtime_context():
    """Connects this process if it is not, as the first use of tasks does."""
    from manta import _session

    _session.auto_init()
    return RuntimeContext()
