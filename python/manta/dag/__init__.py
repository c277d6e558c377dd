"""Graphs of tasks and of actors' methods (ray.dag): not there yet."""

from manta import _not_yet

__all__ = _not_yet.declare(
    globals(),
    classes=["DAGNode", "FunctionNode", "ClassNode", "ClassMethodNode", "InputNode", "InputAttributeNode", "MultiOutputNode",
             "CollectiveOutputNode", "DAGInputData"],
    instead="call .remote(...) with the references of earlier calls")
