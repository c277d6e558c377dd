"""Ray Client (ray.util.client): not there yet."""

from manta import _address, _not_yet


class RayAPIStub:
    """The connection of a client: there is none."""

    connect = staticmethod(_not_yet.function("ray.connect", _address.CLIENT_INSTEAD, "ray.util.client"))

    def is_connected(self):
        return False

    def disconnect(self):
        """Without effect."""


ray = RayAPIStub()
__all__ = ["RayAPIStub", "ray"]
