"""Functions and classes of other languages (ray.cross_language): not there yet."""

from manta import _not_yet

__all__ = _not_yet.declare(globals(), functions=["java_function", "java_actor_class", "cpp_function", "cpp_actor_class"],
                           instead="Python's tasks run Python's functions, C++'s run C++'s")
