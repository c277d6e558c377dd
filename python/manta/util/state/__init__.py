"""What is in a cluster, as lists (ray.util.state)."""

from manta.util.state.api import (
    get_actor,
    get_job,
    get_log,
    get_node,
    get_objects,
    get_placement_group,
    get_task,
    get_worker,
    list_actors,
    list_cluster_events,
    list_jobs,
    list_logs,
    list_nodes,
    list_objects,
    list_placement_groups,
    list_runtime_envs,
    list_tasks,
    list_workers,
    summarize_actors,
    summarize_objects,
    summarize_tasks,
)
from manta.util.state.client import StateApiClient
from manta.util.state.exception import RayStateApiException, ServerUnavailable

__all__ = [
    "RayStateApiException", "ServerUnavailable", "StateApiClient", "get_actor", "get_job", "get_log", "get_node", "get_objects",
    "get_placement_group", "get_task", "get_worker", "list_actors", "list_cluster_events", "list_jobs", "list_logs", "list_nodes",
    "list_objects", "list_placement_groups", "list_runtime_envs", "list_tasks", "list_workers", "summarize_actors", "summarize_objects",
    "summarize_tasks",
]
