"""ray._private.worker: the interface again, and what this process is."""

from manta._api import cancel, get, get_actor, get_gpu_ids, kill, put, remote, wait  # noqa: F401
from manta._language import LOCAL_MODE, SCRIPT_MODE, WORKER_MODE  # noqa: F401
from manta._native import ObjectRef  # noqa: F401
from manta._session import RayContext, init, is_initialized, shutdown  # noqa: F401
from manta import _native, _not_yet
from manta.runtime_context import RuntimeContext
from manta.util import get_node_ip_address


class Worker:
    """This process."""

    @property
    def connected(self):
        return _native.is_initialized()

    @property
    def mode(self):
        """SCRIPT_MODE in drivers, WORKER_MODE in workers, None without a connection."""
        if not self.connected:
            return None
        return SCRIPT_MODE if _native.context()["is_driver"] else WORKER_MODE

    @property
    def node_ip_address(self):
        return get_node_ip_address()

    @property
    def namespace(self):
        return RuntimeContext().namespace

    @property
    def current_job_id(self):
        return RuntimeContext().job_id

    @property
    def current_node_id(self):
        return RuntimeContext().node_id

    @property
    def current_task_id(self):
        return RuntimeContext().task_id

    @property
    def actor_id(self):
        return RuntimeContext().actor_id

    def __getattr__(self, name):
        raise _not_yet.attribute(f"ray._private.worker.global_worker.{name}")

    def check_connected(self):
        if not self.connected:
            raise RuntimeError("this process is connected to no cluster: call ray.init() first")


global_worker = Worker()
