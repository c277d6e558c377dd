"""The `manta` command of an installed package: the native one, and the verbs that are Python.

A package of its own, so that starting the native command does not import manta.
"""

import os
import sys

# verb: the module that runs it
_PYTHON = {"microbenchmark": "manta.microbenchmark", "race": "manta.race"}


def main():
    if len(sys.argv) > 1 and sys.argv[1] in _PYTHON:
        import importlib

        module = importlib.import_module(_PYTHON[sys.argv[1]])
        return module.main(sys.argv[2:])
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    program = os.path.join(here, "manta", "bin", "manta")
    os.execv(program, [program, *sys.argv[1:]])
