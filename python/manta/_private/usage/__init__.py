"""ray._private.usage."""
