"""ray._private.utils: what the machine has."""

import os


def get_num_cpus():
    """That this process may use."""
    return len(os.sched_getaffinity(0))


def get_system_memory():
    """Bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def binary_to_hex(identifier):
    return identifier.hex()


def hex_to_binary(hex_identifier):
    return bytes.fromhex(hex_identifier)
