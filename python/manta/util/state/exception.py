"""What the lists raise."""


class RayStateApiException(Exception):
    """A list could not be had."""


class ServerUnavailable(RayStateApiException):
    """The cluster does not answer."""
