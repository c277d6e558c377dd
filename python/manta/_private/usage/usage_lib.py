"""ray._private.usage.usage_lib: Manta tells nobody how it is used."""


def usage_stats_enabled():
    return False


def record_library_usage(library_usage):
    """Does nothing."""


def record_extra_usage_tag(key, value, gcs_client=None):
    """Does nothing."""
