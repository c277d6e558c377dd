"""Workers that end after some calls of a function."""

from __future__ import annotations

import functools


def counting(function, most):
    """`function`, after whose `most`th call in a worker that worker runs no other task."""
    calls = 0

    @functools.wraps(function)
    def call(*args, **kwargs):
        nonlocal calls
        calls += 1
        if calls == most:
            from manta import _manta

            _manta.retire_worker()
        return function(*args, **kwargs)

    return call
