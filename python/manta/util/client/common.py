"""What a client has in the place of references and actors (ray.util.client.common): not there yet."""

from manta import _not_yet

__all__ = _not_yet.declare(
    globals(), classes=["ClientObjectRef", "ClientActorHandle", "ClientActorClass", "ClientRemoteFunc", "ClientActorRef"])
