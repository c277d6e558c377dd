"""The debugger of tasks (ray.util.rpdb): not there yet."""

from manta import _not_yet

__all__ = _not_yet.declare(globals(), functions=["set_trace", "post_mortem"],
                           instead="attach py-spy or debugpy to the worker, whose pid ray.util.state.list_workers() names")
