"""Graphs that are compiled (ray.dag.compiled_dag_node): not there yet."""

from manta import _not_yet

__all__ = _not_yet.declare(globals(), classes=["CompiledDAG"])
