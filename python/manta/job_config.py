"""Settings of a job in one value (ray.job_config)."""

from __future__ import annotations

from manta import _libraries, _not_yet, runtime_env as environments


class JobConfig:
    """For init(job_config=...): namespace, metadata, environment variables, paths of modules and C++ libraries of the job."""

    def __init__(self, jvm_options=None, code_search_path=None, runtime_env=None, _client_job=False, metadata=None, ray_namespace=None,
                 default_actor_lifetime="non_detached", _py_driver_sys_path=None, py_driver_sys_path=None):
        if jvm_options:
            raise _not_yet.error("JobConfig(jvm_options=...)", "it is for code of Java")
        self.jvm_options = []
        self.code_search_path = _libraries.check(code_search_path or [])
        self.metadata = dict(metadata or {})
        self.ray_namespace = ray_namespace
        self.py_driver_sys_path = list(py_driver_sys_path or _py_driver_sys_path or [])
        self.set_runtime_env(runtime_env)
        self.set_default_actor_lifetime(default_actor_lifetime)

    def set_metadata(self, key, value):
        if not isinstance(key, str) or not isinstance(value, str):
            raise TypeError(f"metadata is of strings by strings, not {key!r}: {value!r}")
        self.metadata[key] = value

    def set_runtime_env(self, runtime_env, validate=False):
        self.runtime_env = environments.check(runtime_env) if runtime_env else {}

    def set_ray_namespace(self, ray_namespace):
        self.ray_namespace = ray_namespace

    def set_default_actor_lifetime(self, default_actor_lifetime):
        if default_actor_lifetime not in ("detached", "non_detached"):
            raise ValueError(f"default_actor_lifetime has to be 'detached' or 'non_detached', not {default_actor_lifetime!r}")
        if default_actor_lifetime == "detached":
            raise _not_yet.error("JobConfig(default_actor_lifetime='detached')", "give each actor the option lifetime='detached'")
        self.default_actor_lifetime = default_actor_lifetime

    @classmethod
    def from_json(cls, job_config_json):
        """Of a dict with the names of the arguments."""
        known = ("runtime_env", "metadata", "ray_namespace", "default_actor_lifetime", "code_search_path", "jvm_options")
        return cls(**{key: value for key, value in job_config_json.items() if key in known})
