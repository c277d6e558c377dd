"""Groups of resources that are reserved together (ray.util.placement_group)."""

from __future__ import annotations

from manta import _native, _nodes, _not_yet, _options
from manta._ids import PlacementGroupID

_STRATEGIES = ("PACK", "SPREAD", "STRICT_PACK", "STRICT_SPREAD")  # in the order of manta_placement_strategy
VALID_PLACEMENT_GROUP_STRATEGIES = set(_STRATEGIES)
_STATES = ("PENDING", "CREATED", "REMOVED", "RESCHEDULING")  # of manta_placement_group_state


class PlacementGroup:
    """The handle of a group, which may be passed around. The group does not end with it."""

    def __init__(self, id, bundle_cache=None):
        self.id = id
        self.bundle_cache = bundle_cache

    @staticmethod
    def empty():
        """Stands for no group."""
        return PlacementGroup(PlacementGroupID.nil())

    @property
    def is_empty(self):
        return self.id.is_nil()

    def ready(self):
        """A reference that resolves to this group when its resources are reserved."""
        return _native.placement_group_ready(*self._pair("ready"), self)

    def wait(self, timeout_seconds=30):
        """Whether the group is there in time; raises TaskPlacementGroupRemoved when it is removed."""
        from manta import get, wait

        ready = self.ready()
        done, _ = wait([ready], timeout=timeout_seconds)
        if not done:
            return False
        get(ready)
        return True

    @property
    def bundle_specs(self):
        """The resources of each bundle."""
        if self.bundle_cache is None and not self.is_empty:
            found = _native.placement_groups(self.id.pair(), None)
            if not found:
                raise ValueError(f"there is no placement group with the id {self.id.hex()}")
            self.bundle_cache = [_whole(bundle) for bundle in found[0]["bundles"]]
        return list(self.bundle_cache or [])

    @property
    def bundle_count(self):
        return len(self.bundle_specs)

    def _pair(self, what):
        if self.is_empty:
            raise ValueError(f"{what}: the empty placement group stands for none")
        return self.id.pair()

    def __eq__(self, other):
        return isinstance(other, PlacementGroup) and self.id == other.id

    def __hash__(self):
        return hash(self.id)

    def __reduce__(self):
        return PlacementGroup, (self.id, self.bundle_cache)

    def __repr__(self):
        return f"PlacementGroup({self.id.hex()})"


def placement_group(bundles, strategy="PACK", name="", lifetime=None, _soft_target_node_id=None, bundle_label_selector=None,
                    topology_strategy=None):
    """Asks for a group: all its bundles, or none. It waits for its resources; see PlacementGroup.ready and wait. `bundle_label_selector`: for
    each bundle, which nodes it may be on."""
    if topology_strategy is not None:
        raise _not_yet.error("placement_group(topology_strategy=...)")
    strategy = "PACK" if strategy is None else strategy
    specs = _checked(bundles)
    _nodes.check_bundle_selectors("bundle_label_selector", bundle_label_selector, len(bundles))
    nodes = None if bundle_label_selector is None else [_nodes.text_of(selector) for selector in bundle_label_selector]
    if strategy not in VALID_PLACEMENT_GROUP_STRATEGIES:
        raise ValueError(f"strategy has to be one of {', '.join(_STRATEGIES)}, not {strategy!r}")
    if lifetime not in (None, "detached"):
        raise ValueError(f"lifetime has to be None or 'detached', not {lifetime!r}")
    if _soft_target_node_id is not None and (strategy != "STRICT_PACK" or not isinstance(_soft_target_node_id, str)):
        raise ValueError("_soft_target_node_id is the hex id of a node, for the strategy STRICT_PACK")
    if name is not None and not isinstance(name, str):
        raise ValueError(f"name has to be a string, not {name!r}")
    pair = _native.create_placement_group(specs, _STRATEGIES.index(strategy), name or None, lifetime == "detached", _soft_target_node_id,
                                          nodes)
    return PlacementGroup(PlacementGroupID(pair), specs)


def _checked(bundles):
    """The bundles as a list of dicts without zeros; raises for what no bundle can be."""
    if not isinstance(bundles, list):
        raise ValueError(f"bundles has to be a list of dicts of resources, not {bundles!r}")
    if not bundles:
        raise ValueError("bundles is empty: a placement group has at least one bundle")
    specs = []
    for index, bundle in enumerate(bundles):
        if not isinstance(bundle, dict):
            raise ValueError(f"bundle {index} has to be a dict of resources, not {bundle!r}")
        for key, amount in bundle.items():
            if not isinstance(key, str) or not key:
                raise ValueError(f"bundle {index} names a resource {key!r}: names are strings")
            if key == "bundle":
                raise ValueError(f"bundle {index} names the resource 'bundle', which is reserved")
            if isinstance(amount, bool) or not isinstance(amount, (int, float)) or not 0 <= amount <= _options.MOST_UNITS:
                raise ValueError(f"bundle {index} has {key} = {amount!r}: an amount is a number between 0 and 2^48")
            if amount > 0 and round(amount * _options.PRECISION) == 0:
                raise ValueError(f"bundle {index} has {key} = {amount!r}: amounts count in steps of 0.0001")
        specs.append({key: amount for key, amount in bundle.items() if amount > 0})
        if not specs[-1]:
            raise ValueError(f"bundle {index} asks for nothing: each bundle needs a resource with an amount above 0")
    return specs


def remove_placement_group(placement_group):
    """Ends what runs in the group and frees its resources. Does not wait; no error for one that is not there."""
    if not isinstance(placement_group, PlacementGroup):
        raise ValueError(f"remove_placement_group takes a PlacementGroup, not {placement_group!r}")
    if not placement_group.is_empty:
        _native.remove_placement_group(*placement_group.id.pair())


def get_placement_group(placement_group_name):
    """The group with this name in the job's namespace; ValueError when there is none."""
    if not placement_group_name or not isinstance(placement_group_name, str):
        raise ValueError(f"a placement group is found by its name, a string, not by {placement_group_name!r}")
    found = _native.placement_groups(None, placement_group_name)
    if not found:
        raise ValueError(f"there is no placement group with the name '{placement_group_name}' in this namespace: it was never created, "
                         "or is removed")
    return _handle(found[0])


def placement_group_table(placement_group=None):
    """What there is to know of a group, as a dict; of all, by their ids, when none is given."""
    if placement_group is not None:
        found = _native.placement_groups(placement_group._pair("placement_group_table"), None)
        return _row(found[0]) if found else {}
    return {row["placement_group_id"]: row for row in map(_row, _native.placement_groups(None, None))}


def get_current_placement_group():
    """The group that the calling task or actor runs in; None: in none."""
    if not _native.is_initialized():
        return None
    pair = _native.context()["placement_group"]
    return None if pair == (0, 0) else PlacementGroup(PlacementGroupID(pair))


def _whole(bundle):
    """Whole amounts as integers, as they were given."""
    return {key: int(amount) if amount == int(amount) else amount for key, amount in bundle.items()}


def _handle(facts):
    return PlacementGroup(PlacementGroupID(facts["id"]), [_whole(bundle) for bundle in facts["bundles"]])


def _row(facts):
    return {
        "placement_group_id": PlacementGroupID(facts["id"]).hex(),
        "name": facts["name"],
        "bundles": dict(enumerate(facts["bundles"])),
        "bundles_to_node_id": {index: node for index, node in enumerate(facts["node_ids"])},
        "strategy": _STRATEGIES[facts["strategy"]],
        "state": _STATES[facts["state"]],
        "stats": {"scheduling_state": facts["reason"]},
    }


__all__ = ["PlacementGroup", "get_current_placement_group", "get_placement_group", "placement_group", "placement_group_table",
           "remove_placement_group"]
