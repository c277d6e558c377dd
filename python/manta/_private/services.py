"""ray._private.services: addresses."""

from manta.util import get_node_ip_address  # noqa: F401
