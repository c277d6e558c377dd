"""The process that Python workers are forked from."""

from __future__ import annotations

import sys


def main():
    # What nearly every task needs, once for all workers.
    import pickle  # noqa: F401

    import cloudpickle  # noqa: F401

    from manta import _native, as_ray

    if as_ray.installed_in_driver():
        as_ray.install()
    sys.argv = [""]
    _native.zygote_main()
