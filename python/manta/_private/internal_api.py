"""ray._private.internal_api: not there yet."""

from manta import _not_yet

_not_yet.declare(globals(), functions=("free", "global_gc", "memory_summary", "store_stats_summary"),
                 instead="references that nobody holds free their objects; `manta list objects` shows what is left")
