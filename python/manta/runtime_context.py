"""Where the calling code runs."""

from __future__ import annotations

from manta import _native


class RuntimeContext:
    """What get_runtime_context gives. Ids are hex strings."""

    def get_job_id(self):
        return f"{_native.context()['job_id']:08x}"

    def get_node_id(self):
        return _native.context()["node_id"].hex()

    def get_worker_id(self):
        return f"{_native.context()['process_id']:016x}"

    def get_task_id(self):
        task = _native.context()["task_id"]
        return task.hex() if any(task) else None

    def get_task_name(self):
        return _native.context()["task_name"] or None

    get_task_function_name = get_task_name

    def get_actor_id(self):
        from manta._ids import ActorID

        pair = _native.context()["actor_id"]
        return None if pair == (0, 0) else ActorID(pair).hex()

    def get_assigned_resources(self):
        return _native.resources(2)

    def get_accelerator_ids(self):
        gpus = _native.context()["gpus"]
        return {"GPU": [str(i) for i in range(64) if gpus >> i & 1]}

    def get_session_name(self):
        return _native.context()["session_directory"].rsplit("/", 1)[-1]

    def is_canceled(self):
        context = _native.context()
        if context["is_driver"]:
            raise RuntimeError("is_canceled is for tasks: this is a driver.")
        return context["is_cancelled"]

    @property
    def namespace(self):
        return _native.context()["namespace"]

    @property
    def was_current_actor_reconstructed(self):
        return _native.context()["actor_was_restarted"]


def get_runtime_context():
    return RuntimeContext()
