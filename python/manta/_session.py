"""The connection of this process: init, shutdown, and what a first use without init does."""

from __future__ import annotations

import atexit
import collections.abc
import os
import signal
import sys
import threading

from manta import _address, _environments, _futures, _init_arguments, _job, _native, _references


# One thread at a time connects this process; others that want to find it connected.
_connecting = threading.RLock()


def _forget_others():
    """In a child of fork(), which has not the thread that may hold the lock."""
    global _connecting
    _connecting = threading.RLock()


os.register_at_fork(after_in_child=_forget_others)


class BaseContext:
    """What init gives. Leaving it as a context manager shuts down."""

    def disconnect(self):
        shutdown()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        shutdown()


class RayContext(BaseContext, collections.abc.Mapping):
    """Where the cluster is: a mapping, and the same as address_info."""

    dashboard_url = None  # there is no dashboard yet

    def __init__(self, address_info):
        import platform

        import manta

        self.address_info = address_info
        self.python_version = platform.python_version()
        self.ray_version = manta.__version__
        self.ray_commit = manta.__commit__

    def __getitem__(self, key):
        return self.address_info[key]

    def __iter__(self):
        return iter(self.address_info)

    def __len__(self):
        return len(self.address_info)

    def __repr__(self):
        return f"RayContext({self.address_info!r})"


def _worker_arguments(path, settings):
    """How workers start: this interpreter with this program's path of modules, in a process that they are forked from."""
    settings = {**settings, "runtime_env": _environments.for_command_line(settings["runtime_env"] or {})}
    path = [os.path.abspath(entry or ".") for entry in [*path, *sys.path]]
    code = f"import sys; sys.path[:] = {path!r}; from manta import _worker; _worker.main({settings!r})"
    return [sys.executable, "-c", code]


def init(address=None, *, num_cpus=None, num_gpus=None, resources=None, labels=None, object_store_memory=None, local_mode=False,
         ignore_reinit_error=False, include_dashboard=None, dashboard_host="127.0.0.1", dashboard_port=None, job_config=None,
         configure_logging=True, logging_level="info", logging_format=None, logging_config=None, log_to_driver=None, namespace=None,
         runtime_env=None, enable_resource_isolation=False, cgroup_path=None, system_reserved_cpu=None, system_reserved_memory=None,
         proxy_server_url=None, **kwargs):
    """Connects this process to a cluster; starts one of this machine if `address` (or $MANTA_ADDRESS, $RAY_ADDRESS) names none."""
    arguments = _init_arguments.check({**locals(), **kwargs}, kwargs)
    with _connecting:
        return _connect(arguments, ignore_reinit_error, log_to_driver)


def _connect(arguments, ignore_reinit_error, log_to_driver):
    if _native.is_initialized():
        if ignore_reinit_error:
            return _context()
        raise RuntimeError("init was called twice: this process is connected already. Call shutdown first, or pass ignore_reinit_error=True "
                           "to keep the connection.")
    if sys.executable == "":
        raise RuntimeError("Python does not know its own executable (sys.executable), with which workers start.")
    try:
        with _sessions_in(arguments.temp_dir):
            _native.init(arguments.address, arguments.namespace, arguments.num_cpus, arguments.num_gpus, arguments.resources,
                         arguments.object_store_bytes, log_to_driver is not False, sys.executable,
                         _worker_arguments(arguments.path, arguments.settings), arguments.labels)
    except ConnectionError as error:
        raise error if arguments.address else RuntimeError(str(error)) from None
    _job.begin(arguments.settings)
    try:
        _environments.begin_job()
    except BaseException:
        _native.shutdown()
        raise
    _end_in_order_when_terminated()
    return _context()


class _sessions_in:
    """The runtime makes its session below `directory` meanwhile; None: where it does anyway."""

    def __init__(self, directory):
        self._directory = directory

    def __enter__(self):
        self._former = os.environ.get("MANTA_TMPDIR")
        if self._directory is not None:
            os.makedirs(self._directory, exist_ok=True)
            os.environ["MANTA_TMPDIR"] = os.path.abspath(self._directory)

    def __exit__(self, *exception):
        if self._directory is None:
            return
        if self._former is None:
            del os.environ["MANTA_TMPDIR"]
        else:
            os.environ["MANTA_TMPDIR"] = self._former


def _end_in_order_when_terminated():
    """SIGTERM ends a driver as sys.exit does, so that what it has registered for its end runs. Only the main thread may say so."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(number))


def _context():
    context = _native.context()
    directory = context["session_directory"]
    return RayContext({"node_ip_address": _address.node_ip_of(directory), "node_id": context["node_id"].hex(), "session_dir": directory,
                       "address": os.path.basename(directory), "gcs_address": _address.of_session(directory), "webui_url": None})


def auto_init():
    """At the first use of the interface without init, as Ray does."""
    if not _native.is_initialized() and os.environ.get("RAY_ENABLE_AUTO_CONNECT", "1") != "0":
        init(ignore_reinit_error=True)  # another thread may be about to


def shutdown(_exiting_interpreter=False):
    """Leaves the cluster, and ends it if init has started it. Without effect when there is no connection."""
    if _native.is_initialized() and not _native.context()["is_driver"]:
        raise RuntimeError("shutdown was called inside of a worker.")
    sys.stdout.flush()
    _references.forget_carried()
    _native.shutdown()
    _futures.end_session()


def is_initialized():
    return _native.is_initialized()


atexit.register(lambda: _native.is_initialized() and _native.context()["is_driver"] and _native.shutdown())
