"""Runtime environments: what a description of one comes to in its submitter, and how a worker makes it.

A worker has one environment for its life: the job's, or the one that the tasks which it takes have asked for, known to the cluster by
the hash of its description. It is applied in the forked worker, before its first task."""

from __future__ import annotations

import json
import os
import re
import sys

from manta import _job, _native, _packages
from manta._content_hash import content_hash

_TABLE = "environments"

_BY_UPLOAD = ("working_dir", "py_modules", "worker_process_setup_hook")
# Stands for these on a command line.
_UPLOADED = "uploaded"

# Of this process: (session, job) -> the names of those that the cluster knows; (session, name) -> those that it was asked for.
_known = {}
_fetched = {}


def resolve(fields):
    """`fields`, as runtime_env.check gives them, with packages in the place of directories: plain values. Uploads what they name."""
    out = {key: value for key, value in fields.items() if key != "excludes"}
    excludes = fields.get("excludes") or []
    if working := out.get("working_dir"):
        out["working_dir"] = working if _packages.is_package(working) else _packages.upload(working, excludes=excludes)
    if modules := out.get("py_modules"):
        out["py_modules"] = [_module(module, excludes) for module in modules]
    hook = out.get("worker_process_setup_hook")
    if callable(hook):
        from manta._export import Exported

        out["worker_process_setup_hook"] = {"exported": Exported(hook).digest().hex()}
    return out


def _module(module, excludes):
    if isinstance(module, str) and _packages.is_package(module):
        return module
    if not isinstance(module, str):
        module = module.__path__[0] if hasattr(module, "__path__") else module.__file__
    return _packages.upload(module, excludes=excludes, in_folder=not module.endswith((".whl", ".zip")))


def current():
    """Of this process: of its job, or of its tasks."""
    context = _native.context()
    name = context["environment"]
    fields = _job.settings.get("runtime_env") or {}
    if not name and _UPLOADED not in fields:
        return fields
    key = context["session_directory"], name or _name_of_job(context)
    if key not in _fetched:
        _fetched[key] = json.loads(_native.kv_get(_TABLE, key[1].encode()))
    return _fetched[key]


def name_of(fields):
    """What the workers of tasks with this runtime_env are known by: merged with the submitter's own."""
    parent = current()
    merged = {**parent, **resolve(fields)}
    if "env_vars" in parent and "env_vars" in merged:
        merged["env_vars"] = {**parent["env_vars"], **(fields.get("env_vars") or {})}
    text = json.dumps(merged, sort_keys=True).encode()
    name = content_hash(text).hexdigest()
    context = _native.context()
    known = _known.setdefault((context["session_directory"], context["job_id"]), set())
    if name not in known:
        _native.kv_put(_TABLE, name.encode(), text, False, True)
        known.add(name)
    return name


def for_command_line(fields):
    """What the process that workers are forked from is told of the job's environment: all of it is uploaded only when the driver has
    connected."""
    known = {key: fields[key] for key in ("env_vars", "config") if key in fields}
    return {**known, _UPLOADED: True} if any(fields.get(key) for key in _BY_UPLOAD) else known


def begin_job():
    """In a driver that has connected: uploads what the environment of its job names."""
    fields = _job.settings.get("runtime_env") or {}
    if any(fields.get(key) for key in _BY_UPLOAD):
        _job.settings["runtime_env"] = resolve(fields)
        _native.kv_put(_TABLE, _name_of_job(_native.context()).encode(), json.dumps(_job.settings["runtime_env"]).encode(), True, True)


def _name_of_job(context):
    return f"job {context['job_id']}"


def prepare_worker():
    """Before the first task of this worker. RuntimeEnvSetupError if the environment cannot be made."""
    from manta import exceptions

    fit_threads()
    fields = {}
    try:
        fields = current()
        _apply(fields)
    except Exception as error:
        raise exceptions.RuntimeEnvSetupError(f"{error!r} in {json.dumps(fields)}") from error


_OPENMP = "OMP_NUM_THREADS"
_threads = None  # that fit_threads has set


def fit_threads():
    """One thread of OpenMP for each CPU of the calling task or actor, at least one, unless somebody else has said how many. Before the first
    task of a worker and before an actor is made: libraries look at the variable when they are loaded."""
    global _threads
    if os.environ.get(_OPENMP, _threads) == _threads:
        _threads = str(max(1, int(_native.resources(2).get("CPU", 1))))
        os.environ[_OPENMP] = _threads


def _apply(fields):
    set_variables(fields.get("env_vars") or {})
    modules = [_packages.directory_of(uri) for uri in fields.get("py_modules") or []]
    if working := fields.get("working_dir"):
        modules.append(_packages.directory_of(working))
        os.chdir(modules[-1])
    sys.path[:0] = modules
    if modules:
        # For the programs that tasks start.
        os.environ["PYTHONPATH"] = os.pathsep.join([*modules, *filter(None, [os.environ.get("PYTHONPATH")])])
    if hook := fields.get("worker_process_setup_hook"):
        _hook(hook)()


def set_variables(variables):
    """${NAME} in a value: what the variable was before the job came."""
    for name, value in variables.items():
        os.environ[name] = re.sub(r"\$\{(\w+)\}", lambda match: _job.first_environment.get(match.group(1), ""), value)


def _hook(hook):
    if isinstance(hook, dict):
        from manta._export import load_function

        return load_function(bytes.fromhex(hook["exported"]))
    import importlib

    module, _, name = hook.rpartition(".")
    return getattr(importlib.import_module(module), name)
