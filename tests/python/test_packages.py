"""What packages for Ray take from it beyond the core interface."""

import io
import os
import pickle
import subprocess
import sys

import pytest

import manta as ray


@pytest.fixture(autouse=True)
def connected(cluster):
    yield


def test_the_old_name_of_references():
    assert isinstance(ray.put(1), ray.ObjectID) and ray.ObjectID is ray.ObjectRef


def test_a_program_that_says_ray_sees_the_version_of_rays_interface():
    program = "import ray, sys; assert tuple(map(int, ray.__version__.split('.'))) >= (2, 10); print(ray.get(ray.remote(lambda: " \
              "__import__('ray').__version__).remote()) == ray.__version__ == ray.init(ignore_reinit_error=True).ray_version)"
    done = subprocess.run([sys.executable, "-c", f"from manta import as_ray; as_ray.install(); {program}"], capture_output=True, text=True,
                          timeout=60, env=os.environ)
    assert done.stdout == "True\n", done.stderr
    assert ray.__version__ != ray.__ray_version__


def test_cloudpickle():
    factor = 3
    pickled = ray.cloudpickle.dumps(lambda x: x * factor)
    assert pickle.loads(pickled)(4) == ray.cloudpickle.loads(pickled)(4) == 12

    class Temperature:
        def __init__(self, celsius):
            self.celsius = celsius

    ray.util.register_serializer(Temperature, serializer=lambda one: one.celsius, deserializer=lambda celsius: Temperature(celsius + 100))
    try:
        assert ray.cloudpickle.loads(ray.cloudpickle.dumps(Temperature(1))).celsius == 101
    finally:
        ray.util.deregister_serializer(Temperature)
    buffers = []
    ray.cloudpickle.dumps(pickle.PickleBuffer(b"x" * 100), protocol=5, buffer_callback=buffers.append)
    assert len(buffers) == 1
    file = io.BytesIO()
    ray.cloudpickle.dump({"a": 1}, file)
    ray.cloudpickle.CloudPickler(file).dump(factor)
    file.seek(0)
    assert (ray.cloudpickle.load(file), ray.cloudpickle.load(file)) == ({"a": 1}, 3)


def test_a_pickled_reference_outlives_the_others():
    ref = ray.put([1, 2])
    pickled = ray.cloudpickle.dumps(ref)
    del ref
    assert ray.get(ray.cloudpickle.loads(pickled)) == [1, 2]


def test_data_sets_of_frames():
    pandas = pytest.importorskip("pandas")
    frames = [pandas.DataFrame({"x": range(start, start + 3), "y": "abc"}) for start in (0, 3)]
    data = ray.data.from_pandas(frames)
    assert data.count() == 6 and data.columns() == ["x", "y"] and data.num_blocks() == 2
    assert data.take(4) == [{"x": i, "y": "abc"} for i in range(4)]
    assert [row["x"] for row in data.iter_rows()] == list(range(6)) and len(data.take_all()) == 6
    assert data.to_pandas()["x"].tolist() == list(range(6))
    again = ray.data.from_pandas_refs(data.to_pandas_refs())
    assert again.materialize().to_pandas(limit=6).equals(data.to_pandas()) and "2" in repr(again)
    assert ray.data.from_pandas_refs([]).count() == 0 and ray.data.from_pandas(frames[0]).num_blocks() == 1
    for wrong, says in ((lambda: data.take_all(5), "more than 5"), (lambda: data.to_pandas(5), "more than 5"),
                        (lambda: ray.data.from_pandas_refs(frames), "from_pandas takes frames"), (lambda: ray.data.from_pandas([1]), "int")):
        with pytest.raises(ValueError, match=says):
            wrong()
    with pytest.raises(AttributeError, match="Dataset.map_batches is not there yet"):
        data.map_batches
    with pytest.raises(AttributeError, match="ray.data.read_parquet is not there yet"):
        ray.data.read_parquet
