"""Groups of resources that are reserved together (ray.util.placement_group): not there yet."""

from __future__ import annotations

from manta import _not_yet
from manta._ids import PlacementGroupID

_INSTEAD = "resources of tasks and actors are reserved one by one (num_cpus, num_gpus, resources)"

_not_yet.declare(
    globals(),
    functions=["placement_group", "remove_placement_group", "get_placement_group", "placement_group_table"],
    instead=_INSTEAD)


class PlacementGroup:
    """The handle of a group. Only the empty one can be had, which stands for none."""

    def __init__(self, id, bundle_cache=None):
        self.id = id
        self._bundles = bundle_cache

    @staticmethod
    def empty():
        return PlacementGroup(PlacementGroupID.nil())

    @property
    def is_empty(self):
        return self.id.is_nil()

    def ready(self):
        """A reference that resolves when the group is there."""
        raise _not_yet.error("PlacementGroup.ready", _INSTEAD)

    def wait(self, timeout_seconds=30):
        """Whether the group is there in time."""
        raise _not_yet.error("PlacementGroup.wait", _INSTEAD)

    @property
    def bundle_specs(self):
        return list(self._bundles or [])

    @property
    def bundle_count(self):
        return len(self.bundle_specs)

    def __eq__(self, other):
        return isinstance(other, PlacementGroup) and self.id == other.id

    def __hash__(self):
        return hash(self.id)

    def __repr__(self):
        return f"PlacementGroup({self.id.hex()})"


def get_current_placement_group():
    """The group that the calling task runs in: none."""
    return None


__all__ = ["PlacementGroup", "get_current_placement_group", "get_placement_group", "placement_group", "placement_group_table",
           "remove_placement_group"]
