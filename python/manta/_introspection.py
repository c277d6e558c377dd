"""The nodes of the cluster, and what its processes did of late."""

from __future__ import annotations

import json
import socket

from manta import _command, _not_yet


def nodes():
    """One dict for each node."""
    return [{
        "NodeID": row["node_id"],
        "Alive": row["state"] == "ALIVE",
        "NodeManagerAddress": row["address"],
        "NodeManagerHostname": socket.gethostname() if row["address"].startswith("127.") else row["address"],
        "NodeName": row["address"],
        "Resources": row["total"],
        "AvailableResources": row["available"],
        "Labels": row["labels"],
        "IsHead": row["head"],
        "alive": row["state"] == "ALIVE",
    } for row in _command.rows("nodes")]


def timeline(filename=None):
    """What the cluster's processes did of late, as events for chrome://tracing: a list, or written into a file of that name."""
    if filename is not None:
        _command.run("timeline", "--output", str(filename))
        return None
    trace = json.loads(_command.run("timeline", "--output", "-"))
    return trace["traceEvents"] if isinstance(trace, dict) else trace


def show_in_dashboard(message, key="", dtype="text"):
    raise _not_yet.error("ray.show_in_dashboard", "print, or log")
