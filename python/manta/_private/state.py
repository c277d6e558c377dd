"""ray._private.state: nodes and their resources."""

from manta._api import available_resources, cluster_resources  # noqa: F401
from manta import _not_yet
from manta._introspection import nodes, timeline  # noqa: F401


def available_resources_per_node():
    """What is available, by node id."""
    return {node["NodeID"]: node["AvailableResources"] for node in nodes() if node["Alive"]}


def total_resources_per_node():
    """What there is, by node id."""
    return {node["NodeID"]: node["Resources"] for node in nodes() if node["Alive"]}


def node_ids():
    """The resources node:ADDRESS of all nodes."""
    return [name for node in nodes() for name in node["Resources"] if name.startswith("node:")]


class GlobalState:
    """The same as methods, under the names that packages use."""

    cluster_resources = staticmethod(cluster_resources)
    available_resources = staticmethod(available_resources)
    node_table = staticmethod(nodes)
    _available_resources_per_node = available_resources_per_node = staticmethod(available_resources_per_node)
    _total_resources_per_node = total_resources_per_node = staticmethod(total_resources_per_node)

    def __getattr__(self, name):
        raise _not_yet.attribute(f"ray._private.state.state.{name}")


state = GlobalState()
