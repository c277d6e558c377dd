"""ray.util.dask: Dask's graphs on tasks."""

import io
import os
import threading

import numpy as np
import pytest

import manta as ray

dask = pytest.importorskip("dask")
from manta.util import dask as ray_dask  # noqa: E402
from manta.util.dask import (ProgressBarCallback, RayDaskCallback, disable_dask_on_ray, enable_dask_on_ray, ray_dask_get,  # noqa: E402
                             ray_dask_get_sync)


@pytest.fixture(autouse=True)
def connected(cluster):
    yield


def add(x, y):
    return x + y


def pid(*_):
    return os.getpid()


def test_a_plain_graph():
    graph = {"a": 1, "b": (add, "a", 10), "c": (add, "b", "b"), "d": "c", "e": [("b", "c")], "f": (sum, ["a", "b", "c"])}
    assert ray_dask_get(graph, "c") == 22
    assert ray_dask_get(graph, ["c", ["b", "d"], "f"]) == (22, (11, 22), 34)
    assert ray_dask_get_sync(graph, ["c", ["b", "d"], "f"]) == (22, (11, 22), 34)
    with pytest.raises(KeyError, match="nothing"):
        ray_dask_get(graph, "nothing")


def test_tasks_run_in_workers_and_arrays_are_read_in_place():
    graph = {"here": (pid,), "array": (np.ones, 200_000), "sum": (np.sum, "array"), "flag": (lambda array: array.flags.writeable, "array")}
    here, total, writeable = ray_dask_get(graph, ["here", "sum", "flag"])
    assert here != os.getpid() and total == 200_000 and writeable is False


def test_delayed_with_our_scheduler():
    @dask.delayed
    def inc(x):
        return x + 1

    total = dask.delayed(sum)([inc(i) for i in range(20)])
    assert total.compute(scheduler=ray_dask_get) == 210
    with enable_dask_on_ray():
        assert dask.config.get("dataframe.shuffle.method") == "tasks"
        assert dask.compute(total, inc(1)) == (210, 2)
        assert dask.delayed(pid)().compute() != os.getpid()
    assert dask.delayed(threading.get_native_id)().compute() and dask.delayed(pid)().compute() == os.getpid()
    enable_dask_on_ray()
    assert dask.delayed(pid)().compute() != os.getpid()
    disable_dask_on_ray()
    assert dask.delayed(pid)().compute() == os.getpid()


def test_arrays_are_those_of_dask():
    array = pytest.importorskip("dask.array")
    x = array.random.default_rng(1).random((600, 600), chunks=(200, 200))
    jobs = [(x @ x.T).mean(axis=0), x.std(), array.linalg.svd(x.rechunk((200, 600)))[1][:5], (x + x.T)[::7, 5],
            x.sum(axis=1).cumsum(axis=0)]
    for ours, theirs in zip(dask.compute(*jobs, scheduler=ray_dask_get), dask.compute(*jobs, scheduler="threads")):
        assert np.allclose(ours, theirs)


def test_bags_are_those_of_dask():
    bag = pytest.importorskip("dask.bag")
    words = bag.from_sequence(["ab", "b", "abc", "b"] * 50, npartitions=7)
    jobs = [words.map(len).sum(), words.frequencies(), words.filter(lambda word: len(word) > 1).count(),
            words.foldby(len, lambda n, _: n + 1, 0)]
    ours, theirs = dask.compute(*jobs, scheduler=ray_dask_get), dask.compute(*jobs, scheduler="threads")
    assert ours[0] == theirs[0] and sorted(ours[1]) == sorted(theirs[1]) and ours[2] == theirs[2] and sorted(ours[3]) == sorted(theirs[3])


def test_data_frames_are_those_of_pandas():
    pandas = pytest.importorskip("pandas")
    frames = pytest.importorskip("dask.dataframe")
    frame = pandas.DataFrame({"key": np.arange(1000) % 13, "x": np.arange(1000.0), "text": [f"t{i % 5}" for i in range(1000)]})
    with enable_dask_on_ray():
        data = frames.from_pandas(frame, npartitions=6)
        assert data.x.mean().compute() == frame.x.mean()
        pandas.testing.assert_series_equal(data.groupby("key").x.sum().compute().sort_index(), frame.groupby("key").x.sum())
        ours = data.set_index("key").compute().sort_values(["key", "x"])
        pandas.testing.assert_frame_equal(ours, frame.set_index("key").sort_values(["key", "x"]), check_dtype=False)
        other = pandas.DataFrame({"key": range(13), "name": [f"n{i}" for i in range(13)]})
        joined = data.merge(frames.from_pandas(other, npartitions=2), on="key").compute().sort_values("x").reset_index(drop=True)
        pandas.testing.assert_frame_equal(joined, frame.merge(other, on="key").sort_values("x").reset_index(drop=True), check_dtype=False)
        ours = data.sort_values("x", ascending=False).head(5, npartitions=-1)
        pandas.testing.assert_frame_equal(ours, frame.sort_values("x", ascending=False).head(5), check_dtype=False)


def test_persisted_collections_stay_in_the_cluster():
    array = pytest.importorskip("dask.array")
    x = array.ones((400, 400), chunks=(100, 400))
    for kept in (x.persist(scheduler=ray_dask_get), dask.persist(x, scheduler=ray_dask_get)[0], ray_dask.ray_dask_persist(x)[0]):
        assert all(isinstance(ref, ray.ObjectRef) for ref in dict(kept.__dask_graph__()).values())
        assert (kept + 1).sum().compute(scheduler=ray_dask_get) == 320_000
        assert kept[::2].sum().compute(scheduler=ray_dask_get) == 80_000
        assert (kept + 1).sum().compute(scheduler=ray_dask_get_sync) == 320_000
    assert all(isinstance(block, np.ndarray) for block in dict(x.persist(scheduler="threads").__dask_graph__()).values())
    one, = dask.persist(dask.delayed(add)(1, 2), scheduler=ray_dask_get)
    assert dask.delayed(add)(one, 10).compute(scheduler=ray_dask_get) == 13


def test_an_exception_arrives():
    @dask.delayed
    def fail():
        return {}["missing"]

    with pytest.raises(KeyError, match="missing") as raised:
        dask.delayed(add)(fail(), 1).compute(scheduler=ray_dask_get)
    assert isinstance(raised.value, ray.exceptions.RayTaskError)


def test_options_of_tasks():
    @dask.delayed
    def resources():
        return ray.get_runtime_context().get_assigned_resources()

    assert resources().compute(scheduler=ray_dask_get, ray_remote_args={"num_cpus": 2})["CPU"] == 2
    with dask.annotate(ray_remote_args={"num_cpus": 0.5}):
        half = resources()
    assert half.compute(scheduler=ray_dask_get, optimize_graph=False)["CPU"] == 0.5


def test_callbacks_in_driver_and_workers():
    @ray.remote
    class Log:
        def __init__(self):
            self.lines = []

        def add(self, line):
            self.lines.append(line)

        def all(self):
            return self.lines

    log = Log.remote()

    class Timer(RayDaskCallback):
        seen = []

        def __init__(self, log):
            self.log = log

        def _ray_presubmit(self, task, key, deps):
            self.seen.append(("pre", key, deps))
            return 100 if key == "given" else None

        def _ray_postsubmit(self, task, key, deps, object_ref):
            self.seen.append(("post", key, isinstance(object_ref, ray.ObjectRef)))

        def _ray_pretask(self, key, object_refs):
            return "before " + key

        def _ray_posttask(self, key, result, pre_state):
            ray.get(self.log.add.remote((key, result, pre_state)))

        def _ray_postsubmit_all(self, object_refs, dsk):
            self.seen.append(("all", len(object_refs)))

        def _ray_finish(self, result):
            self.seen.append(("finish", result))

    graph = {"given": (add, 1, 1), "b": (add, "given", 1)}
    with Timer(log) as timer:
        assert ray_dask_get(graph, "b") == 101
    assert timer.seen == [("pre", "given", ()), ("pre", "b", ("given",)), ("post", "b", True), ("all", 1), ("finish", 101)]
    assert ray.get(log.all.remote()) == [("b", 101, "before b")]
    assert ray_dask_get(graph, "b") == 3, "it is not active any more"
    finished = []
    assert ray_dask_get(graph, "b", ray_callbacks=[RayDaskCallback(ray_finish=finished.append)]) == 3 and finished == [3]
    callback = RayDaskCallback(ray_finish=finished.append)
    callback.register()
    try:
        ray_dask_get(graph, "given")
        with ray_dask.local_ray_callbacks() as active:
            assert len(active) == 1 and ray_dask.unpack_ray_callbacks(active).ray_finish == [finished.append]
            ray_dask_get(graph, "given")  # nobody is told
    finally:
        callback.unregister()
    assert finished == [3, 2]
    with pytest.raises(TypeError, match="RayDaskCallback"):
        ray_dask_get(graph, "b", ray_callbacks=[len])


def test_progress():
    shown = io.StringIO()
    with ProgressBarCallback(shown):
        assert ray_dask_get({f"k{i}": (add, i, 1) for i in range(10)}, ["k3", "k4"]) == (4, 5)
    assert shown.getvalue().endswith("10 of 10 tasks\n")


def test_dasks_own_callbacks():
    from dask.diagnostics import ProgressBar

    shown, order = io.StringIO(), []
    with ProgressBar(out=shown):
        dask.delayed(sum)([dask.delayed(add)(i, 1) for i in range(5)]).compute(scheduler=ray_dask_get)
    assert "100% Completed" in shown.getvalue()
    with dask.callbacks.Callback(start=lambda dsk: order.append("start"), pretask=lambda key, dsk, state: order.append(key),
                                 posttask=lambda key, *rest: order.append(("done", key)), finish=lambda *rest: order.append("finish")):
        ray_dask_get({"a": (add, 1, 2), "b": (add, "a", 1)}, "b")
    assert order == ["start", "a", "b", ("done", "a"), ("done", "b"), "finish"]


def test_intermediate_values_are_given_up():
    before = ray.available_resources()["object_store_memory"]
    graph = {"k0": (np.zeros, 500_000), **{f"k{i}": (np.add, f"k{i - 1}", 1) for i in range(1, 200)}, "sum": (np.sum, "k199")}
    assert ray_dask_get(graph, "sum") == 199 * 500_000
    import time

    deadline = time.monotonic() + 20
    while ray.available_resources()["object_store_memory"] < before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert ray.available_resources()["object_store_memory"] == before
