"""What packages for Ray take from ray._private, though it is not for them."""
