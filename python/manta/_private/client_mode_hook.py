"""ray._private.client_mode_hook: Manta's drivers are never clients of a server (Ray Client)."""

import contextlib

is_client_mode_enabled = False


def client_mode_should_convert():
    return False


def client_mode_hook(func):
    return func


def client_mode_wrap(func):
    return func


@contextlib.contextmanager
def disable_client_hook():
    yield
