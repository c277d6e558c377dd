"""What workers are to find where they run (ray.runtime_env): of a whole job (init), or of single tasks and actors."""

from __future__ import annotations

import os
import types

from manta import _not_yet

_HERE = ("env_vars", "working_dir", "py_modules", "excludes", "worker_process_setup_hook", "config")
_NOT_YET = ("py_executable", "pip", "uv", "conda", "container", "image_uri", "java_jars", "nsight", "rocprof_sys", "mpi")
_PACKAGED = "gcs://"  # known to the cluster already: what resolving it gave


class RuntimeEnvConfig(dict):
    """Limits of the setup, which takes no time yet: it is kept, and has no effect."""

    def __init__(self, setup_timeout_seconds=600, eager_install=True, log_files=None):
        if setup_timeout_seconds != -1 and setup_timeout_seconds <= 0:
            raise ValueError(f"setup_timeout_seconds has to be positive, or -1 for no limit, not {setup_timeout_seconds!r}")
        super().__init__(setup_timeout_seconds=setup_timeout_seconds, eager_install=eager_install, log_files=list(log_files or []))


class RuntimeEnv(dict):
    """A dict with its keys checked: RuntimeEnv(working_dir=".", env_vars={"NAME": "value"})."""

    def __init__(self, *, _validate=True, **fields):
        super().__init__({key: value for key, value in fields.items() if value is not None})
        if _validate:
            check(self)

    def to_dict(self):
        return dict(self)

    def env_vars(self):
        return dict(self.get("env_vars", {}))

    def has_working_dir(self):
        return "working_dir" in self

    def working_dir(self):
        return self.get("working_dir", "")

    def py_modules(self):
        return list(self.get("py_modules", []))


def check(fields):
    """`fields` as a plain dict; raises for what is wrong in it, or not there yet."""
    if not isinstance(fields, dict):
        raise TypeError(f"runtime_env has to be a dict or a RuntimeEnv, not {fields!r}")
    for key in fields:
        if key in _NOT_YET:
            raise _not_yet.error(f"The key {key} of runtime_env", "what is installed on the machine is what workers use")
        if key not in _HERE:
            raise ValueError(f"runtime_env has no key {key!r}; there are: {', '.join(sorted(_HERE + _NOT_YET))}")
    given = {key: value for key, value in fields.items() if value is not None}
    for key, value in given.items():
        _CHECKS[key](value)
    return {key: dict(value) if isinstance(value, dict) else value for key, value in given.items()}


def _env_vars(variables):
    if not isinstance(variables, dict) or not all(isinstance(text, str) for pair in variables.items() for text in pair):
        raise TypeError(f"env_vars has to be a dict of strings by strings, not {variables!r}")


def _working_dir(path):
    if not isinstance(path, str):
        raise TypeError(f"working_dir has to be the path of a directory or of a zip file, not {path!r}")
    _local(path, "working_dir", (".zip",))


def _py_modules(modules):
    if not isinstance(modules, list):
        raise TypeError(f"py_modules has to be a list of paths and modules, not {modules!r}")
    for module in modules:
        if isinstance(module, types.ModuleType):
            if getattr(module, "__file__", None) is None and not hasattr(module, "__path__"):
                raise ValueError(f"py_modules has {module.__name__}, which has no file: it is there on every node")
        elif isinstance(module, str):
            _local(module, "py_modules", (".zip", ".whl", ".py"))
        else:
            raise TypeError(f"py_modules has to be a list of paths and modules, not of {module!r}")


def _local(path, what, kinds):
    if path.startswith(_PACKAGED):
        return
    if "://" in path:
        raise _not_yet.error(f"{what} at {path.split('://')[0]}://", "name a path of this machine, which is uploaded")
    if not (os.path.isdir(path) or os.path.isfile(path) and path.endswith(kinds)):
        raise ValueError(f"{what} names {path!r}, which is neither a directory nor a {' or '.join(kinds)} file")


def _excludes(patterns):
    if not isinstance(patterns, list) or not all(isinstance(pattern, str) for pattern in patterns):
        raise TypeError(f"excludes has to be a list of patterns as in a .gitignore, not {patterns!r}")


def _hook(hook):
    if not callable(hook) and not (isinstance(hook, str) and "." in hook):
        raise TypeError(f"worker_process_setup_hook has to be a function, or 'module.function', not {hook!r}")


def _config(config):
    if not isinstance(config, dict):
        raise TypeError(f"config has to be a RuntimeEnvConfig or a dict, not {config!r}")


_CHECKS = {"env_vars": _env_vars, "working_dir": _working_dir, "py_modules": _py_modules, "excludes": _excludes,
           "worker_process_setup_hook": _hook, "config": _config}
