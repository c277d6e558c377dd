"""Small things of ray.util, and what packages for Ray import of ray._private."""

import time
import warnings

import pytest

import manta as ray
from manta import types
from manta._private import client_mode_hook, internal_api, ray_constants, ray_logging, services, state, test_utils, utils
from manta._private.usage import usage_lib
from manta._private.worker import global_worker
from manta.experimental import internal_kv
from manta.util import accelerators, log_once
from manta.util.annotations import Deprecated, DeveloperAPI, PublicAPI, RayDeprecationWarning
from manta.util.collective.types import Backend, ReduceOp
from manta.util.debug import disable_log_once_globally, enable_periodic_logging, reset_log_once
from manta.util.placement_group import PlacementGroup, get_current_placement_group
from manta.util.scheduling_strategies import (
    DoesNotExist,
    Exists,
    In,
    NodeAffinitySchedulingStrategy,
    NodeLabelSchedulingStrategy,
    NotIn,
    PlacementGroupSchedulingStrategy,
)
from manta.util.tracing.tracing_helper import is_tracing_enabled


def test_logging_once():
    assert [log_once("a"), log_once("a"), log_once("b")] == [True, False, True]
    reset_log_once("a")
    assert log_once("a") and not log_once("b")
    enable_periodic_logging(0.01)
    time.sleep(0.05)
    assert log_once("b")
    disable_log_once_globally()
    assert not log_once("c")
    enable_periodic_logging()
    assert log_once("c")


def test_annotations():
    @PublicAPI(stability="alpha")
    def one():
        return 1

    @DeveloperAPI
    class Two:
        pass

    @Deprecated(message="Use one.", warning=True)
    def old():
        return 2

    @Deprecated
    def older():
        return 3

    assert one() == 1 and one._annotated_type == "PublicAPI" and Two()._annotated_type == "DeveloperAPI"
    with pytest.warns(RayDeprecationWarning, match="Use one"):
        assert old() == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert older() == 3


def test_constants():
    assert accelerators.NVIDIA_TESLA_V100 == "V100" and accelerators.NVIDIA_A100 == "A100"
    assert Backend.NCCL == "nccl" and ReduceOp.SUM.value == 0
    assert ray_constants.DEFAULT_MAX_RETRIES == 3
    assert ray_logging.LoggingConfig is ray.LoggingConfig
    assert not is_tracing_enabled()


def test_strategies_are_values():
    group = PlacementGroup.empty()
    assert group.is_empty and group.bundle_count == 0 and group.bundle_specs == [] and group == PlacementGroup.empty()
    assert get_current_placement_group() is None
    strategy = PlacementGroupSchedulingStrategy(group, 0, True)
    assert (strategy.placement_group, strategy.placement_group_bundle_index, strategy.placement_group_capture_child_tasks) == (group, 0, True)
    assert NodeAffinitySchedulingStrategy("ab", soft=True).node_id == "ab"
    labels = NodeLabelSchedulingStrategy({"zone": In("a", "b"), "gpu": Exists()}, soft={"old": DoesNotExist(), "zone": NotIn("c")})
    assert labels.hard["zone"].values == ["a", "b"] and labels.soft["zone"].values == ["c"]
    for wrong in (lambda: In(), lambda: NodeLabelSchedulingStrategy({}), lambda: NodeLabelSchedulingStrategy({"a": "b"}),
                  lambda: NodeAffinitySchedulingStrategy("ab", True, _fail_on_unavailable=True), lambda: PlacementGroupSchedulingStrategy(None)):
        with pytest.raises(ValueError):
            wrong()


@pytest.mark.usefixtures("cluster")
def test_what_packages_take_from_private_modules():
    assert global_worker.connected and global_worker.mode == ray.SCRIPT_MODE
    assert global_worker.node_ip_address == services.get_node_ip_address()
    assert global_worker.current_job_id == ray.get_runtime_context().job_id
    node = ray.get_runtime_context().get_node_id()
    assert state.total_resources_per_node()[node]["CPU"] == 2
    assert state.available_resources_per_node()[node]["CPU"] <= 2
    assert state.state.total_resources_per_node() == state.state._total_resources_per_node() == state.total_resources_per_node()
    assert state.state.node_table()[0]["NodeID"] == node
    assert utils.get_num_cpus() >= 1 and utils.get_system_memory() > 1 << 20

    @ray.remote
    def mode():
        return global_worker.mode

    assert ray.get(mode.remote()) == ray.WORKER_MODE


def test_what_packages_call_in_vain():
    """What is of Ray's servers has nothing to do here."""
    assert not usage_lib.usage_stats_enabled() and usage_lib.record_library_usage("mine") is None
    assert not client_mode_hook.client_mode_should_convert() and client_mode_hook.client_mode_hook(len) is len
    with client_mode_hook.disable_client_hook():
        assert types.ObjectRef is ray.ObjectRef
    internal_kv._initialize_internal_kv(None)
    for refused in (internal_kv.internal_kv_get_gcs_client, internal_api.memory_summary):
        with pytest.raises(NotImplementedError, match="not there yet in Manta"):
            refused()
    for owner, name in ((global_worker, "core_worker"), (state.state, "get_system_config")):
        assert not hasattr(owner, name)
        with pytest.raises(AttributeError, match=f"{name} is not there yet in Manta"):
            getattr(owner, name)


@pytest.mark.usefixtures("cluster")
def test_a_signal_lets_all_go_that_wait_for_it():
    signal = test_utils.SignalActor.remote()
    waiting = [signal.wait.remote() for _ in range(3)]
    test_utils.wait_for_condition(lambda: ray.get(signal.cur_num_waiters.remote()) == 3)
    assert ray.wait(waiting, timeout=0)[0] == []
    ray.get(signal.send.remote(clear=True))
    assert ray.get(waiting, timeout=10) == [None] * 3
    assert ray.wait([signal.wait.remote()], timeout=0.05)[0] == [], "it is clear again"
    assert ray.get(signal.wait.remote(should_wait=False), timeout=10) is None


def test_waiting_for_a_condition():
    seen = []
    test_utils.wait_for_condition(lambda: seen.append(1) or len(seen) > 2, retry_interval_ms=1)
    with pytest.raises(RuntimeError, match="it raised KeyError"):
        test_utils.wait_for_condition(lambda: {}["a"], timeout=0.05, retry_interval_ms=10)
    with pytest.raises(KeyError):
        test_utils.wait_for_condition(lambda: {}["a"], raise_exceptions=True)
