"""Metrics of the user's own (ray.util.metrics): they can be declared, recorded and read; nothing exports them yet."""

import pickle

import pytest

import manta as ray
from manta.util.metrics import Counter, Gauge, Histogram


def test_a_counter_counts_by_its_tags():
    counter = Counter("requests", description="How many", tag_keys=("path", "code"))
    counter.set_default_tags({"code": "200"})
    counter.inc(tags={"path": "/a"})
    counter.inc(2, tags={"path": "/a"})
    counter.inc(tags={"path": "/a", "code": "404"})
    assert counter.values() == {(("path", "/a"), ("code", "200")): 3.0, (("path", "/a"), ("code", "404")): 1.0}
    assert counter.info == {"name": "requests", "description": "How many", "tag_keys": ("path", "code"), "default_tags": {"code": "200"}}
    for wrong in (dict(tags={"path": "/a", "other": "b"}), dict(tags={}), dict(value=0, tags={"path": "/a"})):
        with pytest.raises(ValueError):
            counter.inc(**wrong)
    for wrong in (dict(tags={"path": 5}), dict(value="1", tags={"path": "/a"})):
        with pytest.raises(TypeError):
            counter.inc(**wrong)


def test_a_gauge_has_its_last_value():
    gauge = Gauge("temperature")
    gauge.set(4)
    gauge.set(-1.5)
    assert gauge.values() == {(): -1.5}


def test_a_histogram_sorts_by_its_boundaries():
    histogram = Histogram("seconds", boundaries=[0.1, 1, 10], tag_keys=("kind",))
    for value in (0.05, 0.1, 0.5, 100):
        histogram.observe(value, tags={"kind": "a"})
    assert histogram.values() == {(("kind", "a"),): {"buckets": [2, 1, 0, 1], "count": 4, "sum": 100.65}}
    assert histogram.info["boundaries"] == [0.1, 1, 10]
    for wrong in (None, [], [0, 1], [2, 1]):
        with pytest.raises(ValueError, match="boundaries"):
            Histogram("seconds", boundaries=wrong)


def test_declarations_are_checked():
    for name in ("", "has space", "1st"):
        with pytest.raises(ValueError):
            Counter(name)
    for keys in (["a"], "a", (1,)):
        with pytest.raises(TypeError, match="tag_keys"):
            Counter("name", tag_keys=keys)
    with pytest.raises(ValueError, match="has no tag"):
        Counter("name", tag_keys=("a",)).set_default_tags({"b": "c"})


@pytest.mark.usefixtures("cluster")
def test_they_travel_and_count_anew_there():
    counter = Counter("calls", tag_keys=("who",)).set_default_tags({"who": "me"})
    counter.inc(5)

    @ray.remote
    def count():
        counter.inc()
        return counter.values()

    assert ray.get(count.remote()) == {(("who", "me"),): 1.0}
    assert pickle.loads(pickle.dumps(Histogram("h", boundaries=[1]))).info["boundaries"] == [1]
