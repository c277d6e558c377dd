"""The arguments of init: what they have to be, and what becomes of them."""

from __future__ import annotations

import dataclasses

from manta import _address, _logging, _nodes, _not_yet, _options, job_config as jobs, runtime_env as environments

# Other values than these are refused.
_NOT_YET = {
    "local_mode": False,
    "include_dashboard": (None, False),
    "enable_resource_isolation": False,
    "cgroup_path": None,
    "proxy_server_url": None,
    "_node_ip_address": (None, "127.0.0.1"),
    "_node_name": None,
    "_metrics_export_port": None,
    "_object_spilling_directory": None,
    "_plasma_directory": None,
    "_tracing_startup_hook": None,
}
_INSTEAD = {
    "local_mode": "tasks are fast enough, and a debugger attaches to workers",
    "include_dashboard": "`manta status`, `manta list` and ray.util.state look at a cluster",
    "_plasma_directory": "objects are in /dev/shm",
}
# Of those that begin with an underscore: what is accepted. There is no Redis, and Ray's settings are not Manta's.
_WITHOUT_EFFECT = ("_system_config", "_redis_password", "_redis_username", "_driver_object_store_memory", "_enable_object_reconstruction")
_WITH_EFFECT = ("_temp_dir", "_memory")
# They size a cluster that init starts.
_SIZES = ("num_cpus", "num_gpus", "resources", "labels", "object_store_memory", "_memory")
# Of resources: those that have an argument of their own.
_ARGUMENT_OF = {"CPU": "num_cpus", "GPU": "num_gpus", "memory": "_memory", "object_store_memory": "object_store_memory"}


@dataclasses.dataclass
class Arguments:
    address: str | None
    namespace: str | None
    num_cpus: float
    num_gpus: float
    resources: dict
    labels: dict
    object_store_bytes: int
    temp_dir: str | None
    path: list       # of modules, before the driver's own
    settings: dict   # of the job, of plain values (_job)


def check(given, unnamed):
    """`given`: all arguments by name; `unnamed`: those of them that only **kwargs took."""
    _check_names(unnamed)
    for name, allowed in _NOT_YET.items():
        value = given.get(name)
        if value not in (allowed if isinstance(allowed, tuple) else (allowed,)) and value is not None:
            raise _not_yet.error(f"init({name}=...)", _INSTEAD.get(name, ""))
    _check_types(given)
    for name in ("system_reserved_cpu", "system_reserved_memory"):
        if given[name] is not None:
            raise ValueError(f"{name} is for enable_resource_isolation=True, which is not there yet in Manta")
    job = given["job_config"] or jobs.JobConfig()
    if isinstance(job, dict):
        job = jobs.JobConfig.from_json(job)
    if not isinstance(job, jobs.JobConfig):
        raise TypeError(f"job_config has to be a JobConfig, not {job!r}")
    if given["runtime_env"] and job.runtime_env:
        raise ValueError("runtime_env is given twice: by itself, and in job_config")
    namespace = given["namespace"] if given["namespace"] is not None else job.ray_namespace
    if namespace is not None and (not isinstance(namespace, str) or namespace == ""):
        raise ValueError(f"namespace has to be a string that is not empty, not {namespace!r}")
    address = _address.resolve(given["address"])
    sizes = [name for name in _SIZES if given.get(name) is not None]
    if sizes and address not in (None, "local"):
        raise ValueError(f"{', '.join(sizes)} size a cluster that init starts, and the one at '{address}' runs already: leave them out")
    environment = environments.check(given["runtime_env"]) if given["runtime_env"] else job.runtime_env
    logging_config = given["logging_config"]
    resources = dict(given["resources"] or {})
    if given.get("_memory") is not None:
        resources["memory"] = int(given["_memory"])
    return Arguments(
        address=address, namespace=namespace, resources=resources, labels=dict(given["labels"] or {}),
        num_cpus=-1.0 if given["num_cpus"] is None else float(given["num_cpus"]),
        num_gpus=-1.0 if given["num_gpus"] is None else float(given["num_gpus"]),
        object_store_bytes=int(given["object_store_memory"] or 0), temp_dir=given.get("_temp_dir"), path=job.py_driver_sys_path,
        settings={"runtime_env": environment, "metadata": job.metadata, "libraries": job.code_search_path,
                  "configure_logging": bool(given["configure_logging"]),
                  "logging_level": given["logging_level"], "logging_format": given["logging_format"],
                  "logging_config": dataclasses.asdict(logging_config) if logging_config else None})


def _check_names(unnamed):
    for name in unnamed:
        if name not in _NOT_YET and name not in _WITHOUT_EFFECT and name not in _WITH_EFFECT:
            raise TypeError(f"init() got an unexpected keyword argument '{name}'")


def _check_types(given):
    for name in ("num_cpus", "num_gpus", "object_store_memory", "_memory"):
        value = given.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
            raise TypeError(f"{name} has to be a number, not {value!r}")
        if value is not None and not 0 <= value <= _options.MOST_UNITS:
            raise ValueError(f"{name} has to be between 0 and 2^48, not {value!r}")
    if given["resources"] is not None and not isinstance(given["resources"], dict):
        raise TypeError(f"resources has to be a dict of names and amounts, not {given['resources']!r}")
    for name in given["resources"] or {}:
        if not isinstance(name, str):
            raise TypeError(f"resources has to be a dict of names and amounts, and {name!r} in it is no name")
    _nodes.check_labels("labels", given["labels"])
    for name, argument in _ARGUMENT_OF.items():
        if name in (given["resources"] or {}):
            raise ValueError(f"resources cannot have '{name}', for which there is {argument}")
    if given["logging_config"] is not None and not isinstance(given["logging_config"], _logging.LoggingConfig):
        raise TypeError(f"logging_config has to be a LoggingConfig, not {given['logging_config']!r}")
    if given["configure_logging"]:
        _logging.level_of(given["logging_level"])
    if given["dashboard_port"] is not None and not isinstance(given["dashboard_port"], int):
        raise TypeError(f"dashboard_port has to be a whole number, not {given['dashboard_port']!r}")
    if not isinstance(given.get("_system_config") or {}, dict):
        raise TypeError(f"_system_config has to be a dict, not {given['_system_config']!r}")
