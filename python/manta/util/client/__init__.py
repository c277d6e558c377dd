"""Ray Client (ray.util.client): not there yet."""

from manta import _not_yet

_INSTEAD = "run the program on a machine of the cluster, with the address 'auto'"


class RayAPIStub:
    """The connection of a client: there is none."""

    connect = staticmethod(_not_yet.function("ray.connect", _INSTEAD, "ray.util.client"))

    def is_connected(self):
        return False

    def disconnect(self):
        """Without effect."""


ray = RayAPIStub()
__all__ = ["RayAPIStub", "ray"]
