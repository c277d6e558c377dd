"""ray.client: a connection in steps, client("auto").namespace("name").connect()."""

from __future__ import annotations

from manta import _address, _not_yet, _session


class ClientBuilder:
    """Without an address, or with one that init takes, what connects is this process itself; Ray Client is not there yet."""

    def __init__(self, address=None):
        self.address = address
        self._given = {}

    def namespace(self, namespace):
        self._given["namespace"] = namespace
        return self

    def env(self, env):
        self._given["runtime_env"] = env
        return self

    def connect(self):
        if self.address not in (None, "local", "auto"):
            raise _not_yet.error(f"Ray Client (client({self.address!r}))", _address.CLIENT_INSTEAD)
        return _session.init(self.address, **self._given)


def client(address=None, _credentials=None):
    return ClientBuilder(address)
