"""What Ray has under ray.experimental."""
