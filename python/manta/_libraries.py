"""Libraries of C++ whose functions the job calls by name (JobConfig.code_search_path)."""

from __future__ import annotations

import os

# Why, by path, in this process.
failed = {}


def check(code_search_path):
    """The paths, absolute. ValueError for what is not there."""
    if isinstance(code_search_path, (str, bytes)) or not all(isinstance(path, str) for path in code_search_path):
        raise TypeError(f"code_search_path is a list of paths (str), of libraries (.so) or of folders with some, not {code_search_path!r}")
    paths = [os.path.abspath(path) for path in code_search_path]
    for path in paths:
        if not os.path.exists(path):
            raise ValueError(f"code_search_path: there is no {path}")
    return paths


def load(paths):
    """Before the first task, in the process that workers are forked from. What cannot be loaded is told to who calls its functions."""
    from manta import _manta

    for path in paths:
        for library in _libraries_in(path):
            try:
                _manta.load_library(library)
            except OSError as error:
                failed[library] = str(error)


def _libraries_in(path):
    if not os.path.isdir(path):
        return [path]
    return sorted(os.path.join(path, name) for name in os.listdir(path) if name.endswith(".so"))
