"""What a driver sets for its job: the driver and all its workers begin with it."""

from __future__ import annotations

import os
import re

from manta import _logging

# As given to begin, in this process.
settings = {}


def begin(given):
    """In the driver when it connects, and in the process that its workers are forked from. `given` is made of plain values."""
    settings.clear()
    settings.update(given)
    if given.get("configure_logging"):
        _logging.configure(given["logging_level"], given["logging_format"])
    if given.get("logging_config"):
        _logging.LoggingConfig(**given["logging_config"])._apply()


def begin_in_worker(given):
    begin(given)
    environment = dict(os.environ)
    for name, value in (given.get("runtime_env") or {}).get("env_vars", {}).items():
        # ${NAME}: what the variable was.
        os.environ[name] = re.sub(r"\$\{(\w+)\}", lambda match: environment.get(match.group(1), ""), value)
