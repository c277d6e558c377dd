"""Ray's libraries that are to come: `import ray.tune`, `from ray import tune` and `ray.tune` say that they are not there yet."""

from __future__ import annotations

import sys

NAMES = ("air", "job_submission", "llm", "rllib", "serve", "train", "tune", "workflow")


def message(name):
    return f"ray.{name} is not there yet in Manta"


class _Finder:  # of importlib.abc.MetaPathFinder's kind, which costs 5 ms to import
    """`from manta import tune` ends here, after the package has no such attribute: what that raises would be lost."""

    def find_spec(self, fullname, path=None, target=None):
        package, _, name = fullname.partition(".")
        if package == "manta" and name in NAMES:
            raise ModuleNotFoundError(message(name), name=f"ray.{name}")  # under its own name it would be ignored
        return None


def install():
    sys.meta_path.append(_Finder())
