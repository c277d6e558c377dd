"""Metrics of the user's own (ray.util.metrics). They are kept in the process that declares them, and can be read there; export to
Prometheus is not there yet."""

from __future__ import annotations

import bisect
import re
import threading

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_lock = threading.Lock()
# All that this process has declared.
_declared = []


class Metric:
    """A name with values, one for each combination of tags."""

    def __init__(self, name, description="", tag_keys=None):
        if not isinstance(name, str) or not name:
            raise ValueError("a metric needs a name that is not empty")
        if not _NAME.fullmatch(name):
            raise ValueError(f"the name of a metric is of letters, digits and _, and begins with no digit: {name!r} is not")
        if tag_keys is not None and not isinstance(tag_keys, tuple):
            raise TypeError(f"tag_keys has to be a tuple of strings, not {tag_keys!r}")
        for key in tag_keys or ():
            if not isinstance(key, str):
                raise TypeError(f"tag_keys has to be a tuple of strings, and {key!r} is none")
        self._name = name
        self._description = description
        self._tag_keys = tag_keys or ()
        self._default_tags = {}
        self._values = {}
        with _lock:
            _declared.append(self)

    @property
    def info(self):
        return {"name": self._name, "description": self._description, "tag_keys": self._tag_keys, "default_tags": dict(self._default_tags)}

    def set_default_tags(self, default_tags):
        """What tags are when a record does not say."""
        for key, value in default_tags.items():
            if key not in self._tag_keys:
                raise ValueError(f"the metric {self._name} has no tag {key!r}; it was declared with {self._tag_keys!r}")
            if not isinstance(value, str):
                raise TypeError(f"the tag {key} has to be a string, not {value!r}")
        self._default_tags = dict(default_tags)
        return self

    def values(self):
        """What was recorded in this process: by tuple of (tag, value)."""
        with _lock:
            return dict(self._values)

    def _tags(self, tags):
        if tags is not None and not isinstance(tags, dict):
            raise TypeError(f"tags has to be a dict, not {tags!r}")
        both = {**self._default_tags, **(tags or {})}
        for key, value in both.items():
            if key not in self._tag_keys:
                raise ValueError(f"the metric {self._name} has no tag {key!r}; it was declared with {self._tag_keys!r}")
            if not isinstance(value, str):
                raise TypeError(f"the tag {key} has to be a string, not {value!r}")
        missing = [key for key in self._tag_keys if key not in both]
        if missing:
            raise ValueError(f"the metric {self._name} needs a value for the tags {', '.join(missing)}")
        return tuple((key, both[key]) for key in self._tag_keys)

    def _number(self, value):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise TypeError(f"the metric {self._name} takes numbers, not {value!r}")
        return float(value)

    def __reduce__(self):
        # In another process it counts anew.
        return _rebuild, (type(self), self._arguments(), self._default_tags)

    def _arguments(self):
        return {"name": self._name, "description": self._description, "tag_keys": self._tag_keys}


def _rebuild(kind, arguments, default_tags):
    return kind(**arguments).set_default_tags(default_tags)


class Counter(Metric):
    """A number that grows."""

    def inc(self, value=1.0, tags=None):
        value = self._number(value)
        if value <= 0:
            raise ValueError(f"a counter grows by more than 0, not by {value}")
        key = self._tags(tags)
        with _lock:
            self._values[key] = self._values.get(key, 0.0) + value


class Gauge(Metric):
    """A number that goes up and down."""

    def set(self, value, tags=None):
        if value is None:
            return
        value = self._number(value)
        key = self._tags(tags)
        with _lock:
            self._values[key] = value


class Histogram(Metric):
    """How often values fell between boundaries. Read as {"buckets": counts, "count": n, "sum": s}; the last bucket has no end."""

    def __init__(self, name, description="", boundaries=None, tag_keys=None):
        super().__init__(name, description, tag_keys)
        boundaries = [] if boundaries is None else list(boundaries)
        if not boundaries:
            raise ValueError("boundaries has to be a list of numbers that is not empty")
        if any(self._number(boundary) <= 0 for boundary in boundaries) or boundaries != sorted(boundaries):
            raise ValueError(f"boundaries has to be of positive numbers that grow, not {boundaries!r}")
        self.boundaries = boundaries

    @property
    def info(self):
        return {**super().info, "boundaries": self.boundaries}

    def observe(self, value, tags=None):
        value = self._number(value)
        key = self._tags(tags)
        with _lock:
            seen = self._values.setdefault(key, {"buckets": [0] * (len(self.boundaries) + 1), "count": 0, "sum": 0.0})
            seen["buckets"][bisect.bisect_left(self.boundaries, value)] += 1
            seen["count"] += 1
            seen["sum"] += value

    def _arguments(self):
        return {**super()._arguments(), "boundaries": self.boundaries}
