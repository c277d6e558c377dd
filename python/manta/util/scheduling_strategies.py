"""Where a task or an actor is to run (ray.util.scheduling_strategies)."""

from __future__ import annotations

from manta.util.placement_group import PlacementGroup


class PlacementGroupSchedulingStrategy:
    """In a group, or in one bundle of it."""

    def __init__(self, placement_group, placement_group_bundle_index=-1, placement_group_capture_child_tasks=None):
        if placement_group is None:
            raise ValueError("placement_group has to be a group; without one, leave the strategy out")
        if not isinstance(placement_group, PlacementGroup):
            raise TypeError(f"placement_group has to be a PlacementGroup, not {placement_group!r}")
        self.placement_group = placement_group
        self.placement_group_bundle_index = placement_group_bundle_index
        self.placement_group_capture_child_tasks = placement_group_capture_child_tasks


class NodeAffinitySchedulingStrategy:
    """On one node; `soft`: elsewhere if that is not there, or has not what is asked for; if it is not soft, that is an error.
    `_spill_on_unavailable`: elsewhere, too, if it has no room now; `_fail_on_unavailable`: then that is an error, too."""

    def __init__(self, node_id, soft, _spill_on_unavailable=False, _fail_on_unavailable=False):
        if not isinstance(node_id, str):
            node_id = node_id.hex()
        if soft and _fail_on_unavailable:
            raise ValueError("_fail_on_unavailable is for a strategy that is not soft")
        if not soft and _spill_on_unavailable:
            raise ValueError("_spill_on_unavailable is for a strategy that is soft")
        self.node_id = node_id
        self.soft = soft
        self._spill_on_unavailable = _spill_on_unavailable
        self._fail_on_unavailable = _fail_on_unavailable


class _Values:
    def __init__(self, *values):
        if not values or not all(isinstance(value, str) for value in values):
            raise ValueError(f"{type(self).__name__} takes one string or more, not {values!r}")
        self.values = list(values)


class In(_Values):
    """The label has one of these values."""


class NotIn(_Values):
    """The label has none of these values."""


class Exists:
    """There is such a label."""


class DoesNotExist:
    """There is no such label."""


_CONDITIONS = (In, NotIn, Exists, DoesNotExist)


class NodeLabelSchedulingStrategy:
    """On a node with labels: `hard` ones that it must have, `soft` ones that it had better have."""

    def __init__(self, hard, *, soft=None):
        self.hard = _conditions("hard", hard)
        self.soft = _conditions("soft", soft)
        if not self.hard and not self.soft:
            raise ValueError("hard and soft are empty: name a label in one of them")


def _conditions(name, labels):
    if labels is None:
        return {}
    if not isinstance(labels, dict):
        raise ValueError(f"{name} has to be a dict of labels and conditions, not {labels!r}")
    for label, condition in labels.items():
        if not isinstance(label, str) or not isinstance(condition, _CONDITIONS):
            raise ValueError(f"{name}[{label!r}] has to be In(...), NotIn(...), Exists() or DoesNotExist(), not {condition!r}")
    return dict(labels)
