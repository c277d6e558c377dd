"""Whether a cluster's ports are open to the internet (ray.util.check_open_ports): not there yet."""

from manta import _not_yet

_not_yet.declare(globals(), functions=["check_open_ports"], instead="a cluster listens on loopback only, unless told --node-ip-address")
