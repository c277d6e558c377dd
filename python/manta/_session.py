"""The connection of this process: init, shutdown, and what a first use without init does."""

from __future__ import annotations

import atexit
import os
import sys

from manta import _native

_NOT_YET = ("runtime_env", "job_config", "labels", "logging_config")


class RayContext(dict):
    """What init gives: where the cluster is. Leaving it as a context manager shuts down."""

    @property
    def address_info(self):
        return dict(self)

    @property
    def dashboard_url(self):
        return ""

    def disconnect(self):
        shutdown()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        shutdown()


def _worker_arguments():
    """How workers start: this interpreter with this program's path of modules, in a process that they are forked from."""
    path = [os.path.abspath(entry or ".") for entry in sys.path]
    code = f"import sys; sys.path[:] = {path!r}; from manta import _worker; _worker.main()"
    return [sys.executable, "-c", code]


def init(address=None, *, num_cpus=None, num_gpus=None, resources=None, labels=None, object_store_memory=None, local_mode=False,
         ignore_reinit_error=False, include_dashboard=None, dashboard_host="127.0.0.1", dashboard_port=None, job_config=None,
         configure_logging=True, logging_level="info", logging_format=None, logging_config=None, log_to_driver=None, namespace=None,
         runtime_env=None, enable_resource_isolation=False, system_reserved_cpu=None, system_reserved_memory=None, **kwargs):
    """Connects this process to a cluster; starts one of this machine if `address` (or $MANTA_ADDRESS, $RAY_ADDRESS) names none."""
    given = {"runtime_env": runtime_env, "job_config": job_config, "labels": labels, "logging_config": logging_config}
    for name in _NOT_YET:
        if given[name]:
            raise NotImplementedError(f"init({name}=...) is not there yet in Manta.")
    if local_mode:
        raise NotImplementedError("local_mode is not there in Manta: tasks are fast enough, and a debugger attaches to workers.")
    if include_dashboard:
        raise NotImplementedError("The dashboard is not there yet in Manta: leave include_dashboard out.")
    unknown = [name for name in kwargs if not name.startswith("_")]
    if unknown:
        raise TypeError(f"init() got an unexpected keyword argument '{unknown[0]}'")
    for name, value in (("num_cpus", num_cpus), ("num_gpus", num_gpus), ("object_store_memory", object_store_memory)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
            raise TypeError(f"{name} has to be a number, not {value!r}")
        if value is not None and value < 0:
            raise ValueError(f"{name} has to be 0 or more, not {value!r}")
    if resources is not None and not isinstance(resources, dict):
        raise TypeError(f"resources has to be a dict of names and amounts, not {resources!r}")
    if namespace is not None and (not isinstance(namespace, str) or namespace == ""):
        raise ValueError(f"namespace has to be a string that is not empty, not {namespace!r}")
    if _native.is_initialized():
        if ignore_reinit_error:
            return _context()
        raise RuntimeError("init was called twice: this process is connected already. Call shutdown first, or pass ignore_reinit_error=True "
                           "to keep the connection.")
    if sys.executable == "":
        raise RuntimeError("Python does not know its own executable (sys.executable), with which workers start.")
    try:
        _native.init(address, namespace, -1.0 if num_cpus is None else float(num_cpus), -1.0 if num_gpus is None else float(num_gpus),
                     resources or {}, int(object_store_memory or 0), log_to_driver is not False, sys.executable, _worker_arguments())
    except ConnectionError as error:
        raise error if address else RuntimeError(str(error)) from None
    return _context()


def _context():
    context = _native.context()
    directory = context["session_directory"]
    return RayContext(session_dir=directory, address=os.path.basename(directory), node_id=context["node_id"].hex(),
                      node_ip_address="127.0.0.1")


def auto_init(what):
    """At the first use of the interface without init, as Ray does."""
    if _native.is_initialized() or os.environ.get("RAY_ENABLE_AUTO_CONNECT", "1") == "0":
        return
    init()


def shutdown(_exiting_interpreter=False):
    """Leaves the cluster, and ends it if init has started it. Without effect when there is no connection."""
    if _native.is_initialized() and not _native.context()["is_driver"]:
        raise RuntimeError("shutdown was called inside of a worker.")
    sys.stdout.flush()
    _native.shutdown()


def is_initialized():
    return _native.is_initialized()


atexit.register(lambda: _native.is_initialized() and _native.context()["is_driver"] and _native.shutdown())
