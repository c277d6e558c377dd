"""What exported functions, packages and runtime environments are known by."""


def content_hash(data):
    """16 bytes of BLAKE2b: what is exported under it is the same for whoever exports it."""
    import hashlib  # it loads OpenSSL: not before something is exported

    return hashlib.blake2b(data, digest_size=16)
