"""Addresses of clusters, as init takes them."""

from __future__ import annotations

import glob
import os

from manta import _not_yet

_CLIENT = "ray://"
CLIENT_INSTEAD = "run the program on a machine of the cluster, with the address 'auto'"
_THIS_MACHINE = {"localhost": "127.0.0.1", "0.0.0.0": "127.0.0.1"}


def resolve(address):
    """What the runtime is to connect to: "auto", "local", a session's name or directory; None: a cluster of the program's own."""
    if address is not None and not isinstance(address, str):
        raise TypeError(f"address has to be a string, not {address!r}")
    address = address or os.environ.get("MANTA_ADDRESS") or os.environ.get("RAY_ADDRESS") or None
    if address is None:
        return None
    if address.startswith(_CLIENT):
        raise _not_yet.error(f"Ray Client (the address '{address}')", CLIENT_INSTEAD)
    if ":" in address and "/" not in address:
        return _session_at(address)
    return address


def _session_at(address):
    """The directory of this machine's session that other nodes join at HOST:PORT."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise ValueError(f"'{address}' is no address: there are 'auto', 'local', HOST:PORT, and the name of a session")
    wanted = f"{_THIS_MACHINE.get(host, host)}:{port}"
    listening = []
    for directory in _sessions():
        trunk = entries_of(directory).get("trunk", "")
        if trunk == wanted:
            return directory
        if trunk:
            listening.append(trunk)
    there_are = f" (there are: {', '.join(listening)})" if listening else ""
    raise ConnectionError(f"no cluster of yours listens at {address} on this machine{there_are}: start one with "
                          f"`manta start --head --port={port}`, or join one with `manta start --address={address} --secret-file=FILE`, "
                          "and use the address 'auto'")


def root():
    """Where the sessions of this user are."""
    return os.path.join(os.environ.get("MANTA_TMPDIR") or "/tmp", f"manta-{os.getuid()}")


def _sessions():
    return sorted(map(os.path.dirname, glob.glob(os.path.join(glob.escape(root()), "session_*", "address"))), reverse=True)


def entries_of(directory):
    """What a session's file `address` says; empty when there is none."""
    try:
        with open(os.path.join(directory, "address")) as file:
            return dict(line.rstrip("\n").split("=", 1) for line in file if "=" in line)
    except OSError:
        return {}


def node_ip_of(directory):
    """The address of the node whose session that is."""
    entries = entries_of(directory)
    if entries.get("trunk"):
        return entries["trunk"].rpartition(":")[0]
    if entries.get("joined"):
        from manta.util import get_node_ip_address

        return get_node_ip_address()  # which asks the cluster
    return _THIS_MACHINE["localhost"]


def of_session(directory):
    """HOST:PORT where other nodes join this session, or its name when none can."""
    return entries_of(directory).get("trunk") or os.path.basename(directory)
