"""Makes `import ray` mean Manta, for a program that is run unmodified.

    python -m manta.as_ray program.py [arguments]
    python -m manta.as_ray -m module [arguments]
    pytest -p manta.as_ray

`import ray`, `from ray import ...` and `import ray.util...` give Manta's modules, in the program and in its workers. No package of that
name is installed, and one that is installed is not touched. `ray.__version__` is that of Ray's interface that Manta follows.
"""

from __future__ import annotations

import functools
import importlib
import importlib.abc
import importlib.machinery
import os
import runpy
import sys


class _Loader(importlib.abc.Loader):
    def __init__(self, name):
        self._name = name

    def create_module(self, spec):
        return importlib.import_module(self._name)

    def exec_module(self, module):
        # What is loaded below it already is known by both names, too: were it imported by the other one later, it would replace
        # an attribute of the same name, such as the function ray.util.placement_group.
        for name, loaded in list(sys.modules.items()):
            if name.startswith(self._name + "."):
                sys.modules.setdefault("ray" + name[len("manta"):], loaded)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds ray.x in manta.x: the same module object under both names."""

    def find_spec(self, fullname, path=None, target=None):
        if fullname != "ray" and not fullname.startswith("ray."):
            return None
        name = "manta" + fullname[len("ray"):]
        try:
            found = importlib.util.find_spec(name)
        except ModuleNotFoundError:
            found = None
        if found is None:
            # Packages that ask whether ray.tune, say, is there (importlib.util.find_spec) take None for an answer.
            if sys._getframe(2).f_globals.get("__name__") == "importlib.util":
                return None
            raise ModuleNotFoundError(f"{fullname} is not there yet in Manta (python -m manta.as_ray)", name=fullname)
        return importlib.machinery.ModuleSpec(fullname, _Loader(name), is_package=found.submodule_search_locations is not None)

    def find_distributions(self, context):
        """For importlib.metadata, which packages ask for the version of ray, too."""
        return [_distribution()] if context.name in (None, "ray") else []


@functools.cache
def _distribution():
    import importlib.metadata

    import manta

    class Distribution(importlib.metadata.Distribution):
        def read_text(self, filename):
            if filename == "METADATA":
                return f"Metadata-Version: 2.1\nName: ray\nVersion: {manta.__ray_version__}\n"
            return None

        def locate_file(self, path):
            return os.path.join(os.path.dirname(os.path.dirname(__file__)), path)

    return Distribution()


# Workers look for it, too.
_VARIABLE = "MANTA_AS_RAY"
# Where Python looks in processes that this one starts (the package there installs this module).
_PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_ray_of_children")


def install():
    """From now on `import ray` gives Manta in this process, in the workers of clusters that it connects to, and in Python programs that it
    starts, such as those of multiprocessing."""
    os.environ[_VARIABLE] = "1"
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if _PATH not in paths:
        os.environ["PYTHONPATH"] = os.pathsep.join([_PATH, *filter(None, paths)])
    if _PATH not in sys.path:
        sys.path.insert(0, _PATH)  # which multiprocessing hands on instead
    if is_installed():
        return
    if "ray" in sys.modules and not sys.modules["ray"].__name__.startswith("manta"):
        raise RuntimeError("manta.as_ray comes too late: the package ray has been imported already")
    import manta

    manta.__version__ = manta.__ray_version__  # packages ask whether Ray is new enough for them
    sys.meta_path.insert(0, _Finder())


def is_installed():
    """In this process."""
    return any(isinstance(finder, _Finder) for finder in sys.meta_path)


def installed_in_driver():
    """Whether this worker's driver said so."""
    return os.environ.get(_VARIABLE) == "1"


_FILES_AROUND = (__file__, runpy.run_path.__code__.co_filename)


def _show_only_the_programs_frames(kind, error, traceback, show=sys.excepthook):
    """As sys.excepthook: the traceback begins where the program does, as without this module."""
    own = traceback
    while own is not None and own.tb_frame.f_code.co_filename in _FILES_AROUND:
        own = own.tb_next
    if own is not None:
        error.__traceback__ = traceback = own
    show(kind, error, traceback)


def main(arguments):
    if not arguments or arguments[0] in ("-h", "--help"):
        print(__doc__.strip(), file=sys.stderr)
        return 0 if arguments else 2
    install()
    sys.excepthook = _show_only_the_programs_frames
    if arguments[0] == "-m":
        if len(arguments) < 2:
            print("manta.as_ray: -m needs the name of a module", file=sys.stderr)
            return 2
        sys.argv = arguments[1:]
        sys.path.insert(0, os.getcwd())
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        program = arguments[0]
        if not os.path.exists(program):
            print(f"manta.as_ray: there is no file {program}", file=sys.stderr)
            return 2
        sys.argv = arguments
        program = os.path.abspath(program)
        sys.path.insert(0, os.path.dirname(program))
        runpy.run_path(program, run_name="__main__")
    return 0


if __name__ == "__main__":
    # This very module, not its copy named __main__, is what the finder and the plugin of pytest stand in.
    from manta import as_ray

    sys.exit(as_ray.main(sys.argv[1:]))
else:
    if "pytest" in sys.modules:  # pytest -p manta.as_ray
        install()
