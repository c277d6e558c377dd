"""Runs the user's program in its interpreter, Ray's or Manta's, and tells when it got how far.

    program.py EVENTS ray|manta [-m] PROGRAM [ARGUMENT...]

Of the standard library alone, and run by its path: Ray's interpreter need not know Manta. Lines of JSON go to the file EVENTS.
"""

import functools
import json
import os
import runpy
import sys
import time

# How often Ray's workers report what they have done, and a little.
_REPORTED_AFTER = 1.3


class Watch:
    """Notes when init has returned, and in Ray's case what was done, before the cluster is left."""

    def __init__(self, events, side, ray):
        self._events = events
        self._ray = ray
        self._counts = side == "ray"
        self._connected = False
        self._wrap("init", self._init)
        self._wrap("shutdown", self._shutdown)

    def tell(self, event, **facts):
        line = json.dumps({"event": event, "time": time.monotonic(), **facts}) + "\n"
        os.write(self._events, line.encode())

    def _wrap(self, name, instead):
        original = getattr(self._ray, name)
        wrapped = functools.wraps(original)(functools.partial(instead, original))
        setattr(self._ray, name, wrapped)
        session = sys.modules.get("manta._session")  # by which the first call of the interface connects
        if session is not None:
            setattr(session, name, wrapped)

    def _init(self, original, *args, **kwargs):
        began = time.monotonic()
        context = original(*args, **kwargs)
        if not self._connected:
            self._connected = True
            information = getattr(context, "address_info", None) or {}
            self.tell("init", seconds=time.monotonic() - began, session=information.get("session_dir"))
        return context

    def _shutdown(self, original, *args, **kwargs):
        self.leaves()
        return original(*args, **kwargs)

    def leaves(self):
        """The work is done. What is to be asked of the cluster is asked now; how long that took is told, to be left out."""
        if not self._connected or not self._ray.is_initialized():
            return
        began = time.monotonic()
        self.tell("leaves", asks=self._counts)
        if not self._counts:
            return
        self._counts = False
        try:
            time.sleep(_REPORTED_AFTER)
            tasks, reason = _tasks_of_ray(), None
        except Exception as error:  # private interfaces, which another version may not have
            tasks, reason = None, f"{type(error).__name__}: {error}"
        self.tell("tasks", tasks=tasks, reason=reason, seconds=time.monotonic() - began)


def _tasks_of_ray():
    """How many tasks, calls of actors included, have ended. The cluster remembers so many (RAY_task_events_max_num_task_in_gcs)."""
    from ray._private.state import state
    from ray.core.generated import common_pb2

    ended = common_pb2.TaskStatus.Value("FINISHED"), common_pb2.TaskStatus.Value("FAILED")
    count = 0
    for events in state._get_all_task_events():
        times = events.state_updates.state_ts_ns
        if any(status in times for status in ended) and events.task_info.type != common_pb2.TaskType.Value("DRIVER_TASK"):
            count += 1
    return count


def _run(arguments):
    """As `python PROGRAM ...` and `python -m MODULE ...` do."""
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        sys.path.insert(0, os.getcwd())
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        sys.path.insert(0, os.path.dirname(os.path.abspath(arguments[0])))
        runpy.run_path(arguments[0], run_name="__main__")


def main(events, side, *arguments):
    sys.path.pop(0)  # where this file is
    if side == "manta":
        from manta import as_ray

        as_ray.install()
    import ray

    watch = Watch(os.open(events, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), side, ray)
    watch.tell("imported")
    try:
        _run(list(arguments))
    finally:
        watch.leaves()


if __name__ == "__main__":
    main(*sys.argv[1:])
