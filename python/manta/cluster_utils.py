"""Several nodes on one machine (ray.cluster_utils): not there yet."""

from manta import _not_yet

_INSTEAD = "`manta start --head --port=0` and `manta start --address=HOST:PORT` make two nodes on one machine"
__all__ = _not_yet.declare(globals(), classes=["Cluster", "AutoscalingCluster"], instead=_INSTEAD)
