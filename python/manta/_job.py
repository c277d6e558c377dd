"""What a driver sets for its job: the driver and all its workers begin with it."""

from __future__ import annotations

import os

from manta import _logging

# As given to begin, in this process.
settings = {}
# What the variables were, before the job's came.
first_environment = {}


def begin(given):
    """In the driver when it connects, and in the process that its workers are forked from. `given` is made of plain values."""
    settings.clear()
    settings.update(given)
    if given.get("configure_logging"):
        _logging.configure(given["logging_level"], given["logging_format"])
    if given.get("logging_config"):
        _logging.LoggingConfig(**given["logging_config"])._apply()


def begin_in_worker(given):
    from manta import _environments

    begin(given)
    first_environment.update(os.environ)
    # Here already, so that what is loaded before the first task sees them.
    _environments.set_variables((given.get("runtime_env") or {}).get("env_vars", {}))
