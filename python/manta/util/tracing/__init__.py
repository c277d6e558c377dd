"""OpenTelemetry around calls (ray.util.tracing)."""
