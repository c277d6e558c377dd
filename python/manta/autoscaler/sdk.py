"""Control of the autoscaler: not there yet."""

from manta import _not_yet

__all__ = _not_yet.declare(
    globals(),
    functions=["request_resources", "create_or_update_cluster", "teardown_cluster", "run_on_cluster", "rsync", "get_head_node_ip",
               "get_worker_node_ips", "configure_logging", "bootstrap_config", "fillout_defaults", "register_callback_handler",
               "get_docker_host_mount_location"])
