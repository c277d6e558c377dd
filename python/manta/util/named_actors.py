"""Names of actors."""

from __future__ import annotations

from manta import _command, _native


def list_named_actors(all_namespaces=False):
    """Names of the living actors of this namespace; of all namespaces: dicts of `name` and `namespace`."""
    named = [row for row in _command.rows("actors") if row["name"] and row["state"] != "DEAD"]
    if all_namespaces:
        return [{"name": row["name"], "namespace": row["namespace"]} for row in named]
    here = _native.context()["namespace"]
    return [row["name"] for row in named if row["namespace"] == here]
