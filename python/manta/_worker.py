"""The process that Python workers are forked from."""

from __future__ import annotations

import os
import sys

# A task that waits for its own children may run them itself, in its process. It takes no process for each level of a recursion then; but
# what a Ray program would have in processes of their own (locks, module state) the two share. So it is an option.
_IN_PLACE = "MANTA_PYTHON_CHILDREN_IN_PLACE"


def main(settings):
    """`settings`: of the job, as its driver gives them (_job)."""
    # What nearly every task needs, once for all workers.
    import hashlib  # noqa: F401
    import pickle  # noqa: F401

    import cloudpickle  # noqa: F401

    from manta import _job, _libraries, _native, _output, as_ray

    _output.begin_in_worker()

    if as_ray.installed_in_driver():
        as_ray.install()
    _job.begin_in_worker(settings)
    _libraries.load(settings.get("libraries", ()))
    sys.argv = [""]
    _native.zygote_main(os.environ.get(_IN_PLACE) == "1")


def main_for_other_language(code_search_path):
    """Of a job whose driver is written in another language, and calls Python's functions by name."""
    main({"libraries": code_search_path})
