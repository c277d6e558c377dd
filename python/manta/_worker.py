"""The process that Python workers are forked from."""

from __future__ import annotations

import sys


def main():
    # What nearly every task needs, once for all workers.
    import pickle  # noqa: F401

    import cloudpickle  # noqa: F401

    from manta import _native

    sys.argv = [""]
    _native.zygote_main()
