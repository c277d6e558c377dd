"""What workers are to find where they run (ray.runtime_env). Of the whole job only, and only `env_vars`, yet."""

from __future__ import annotations

from manta import _not_yet

_HERE = ("env_vars", "config")
_NOT_YET = ("working_dir", "py_modules", "py_executable", "pip", "uv", "conda", "container", "image_uri", "excludes", "java_jars",
            "worker_process_setup_hook", "nsight", "rocprof_sys", "mpi")


class RuntimeEnvConfig(dict):
    """Limits of the setup, which takes no time yet: it is kept, and has no effect."""

    def __init__(self, setup_timeout_seconds=600, eager_install=True, log_files=None):
        if setup_timeout_seconds != -1 and setup_timeout_seconds <= 0:
            raise ValueError(f"setup_timeout_seconds has to be positive, or -1 for no limit, not {setup_timeout_seconds!r}")
        super().__init__(setup_timeout_seconds=setup_timeout_seconds, eager_install=eager_install, log_files=list(log_files or []))


class RuntimeEnv(dict):
    """A dict with its keys checked: RuntimeEnv(env_vars={"NAME": "value"})."""

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


def check(fields):
    """`fields` as a plain dict; raises for what is wrong in it, or not there yet."""
    if not isinstance(fields, dict):
        raise TypeError(f"runtime_env has to be a dict or a RuntimeEnv, not {fields!r}")
    for key in fields:
        if key in _NOT_YET:
            raise _not_yet.error(f"The key {key} of runtime_env", "what is installed on the machine is what workers use")
        if key not in _HERE:
            raise ValueError(f"runtime_env has no key {key!r}; there are: {', '.join(sorted(_HERE + _NOT_YET))}")
    variables = fields.get("env_vars") or {}
    if not isinstance(variables, dict) or not all(isinstance(text, str) for pair in variables.items() for text in pair):
        raise TypeError(f"env_vars has to be a dict of strings by strings, not {variables!r}")
    return {key: dict(value) for key, value in fields.items()}
