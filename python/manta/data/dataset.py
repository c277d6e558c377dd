"""A data set: references to pandas frames, its blocks."""

from __future__ import annotations

import itertools

import manta


@manta.remote
def _facts(frame):
    return len(frame), list(frame.columns)


@manta.remote
def _head(frame, rows):
    return frame.head(rows)


class Dataset:
    """Made by from_pandas and from_pandas_refs. The blocks stay where they are until their rows are asked for."""

    def __init__(self, blocks):
        self._blocks = blocks
        self._known = None

    def count(self):
        return sum(rows for rows, _ in self._facts())

    def columns(self):
        return self._facts()[0][1] if self._blocks else None

    def num_blocks(self):
        return len(self._blocks)

    def materialize(self):
        return self

    def iter_rows(self):
        """Each as a dict."""
        for block in self._blocks:
            yield from manta.get(block).to_dict("records")

    def take(self, limit=20):
        """The first rows, as dicts."""
        found = []
        for block in self._blocks:
            if len(found) >= limit:
                break
            found += manta.get(_head.remote(block, limit - len(found))).to_dict("records")
        return found

    def take_all(self, limit=None):
        rows = list(itertools.islice(self.iter_rows(), None if limit is None else limit + 1))
        if limit is not None and len(rows) > limit:
            raise ValueError(f"the data set has more than {limit} rows")
        return rows

    def show(self, limit=20):
        for row in self.take(limit):
            print(row)

    def to_pandas(self, limit=None):
        """One frame of all rows; ValueError when there are more than `limit`."""
        import pandas

        if limit is not None and self.count() > limit:
            raise ValueError(f"the data set has {self.count()} rows, more than {limit}")
        return pandas.concat(manta.get(self._blocks), ignore_index=True) if self._blocks else pandas.DataFrame()

    def to_pandas_refs(self):
        """References to its blocks, each a frame."""
        return list(self._blocks)

    def __repr__(self):
        return f"Dataset(num_blocks={len(self._blocks)})"

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        raise AttributeError(f"ray.data.Dataset.{name} is not there yet in Manta: to_pandas() and to_pandas_refs() give what is in it")

    def _facts(self):
        if self._known is None:
            self._known = manta.get([_facts.remote(block) for block in self._blocks])
        return self._known


# Those that Manta makes hold all their blocks.
MaterializedDataset = Dataset


def from_pandas_refs(dfs):
    """Of references to frames, or of one."""
    blocks = [dfs] if isinstance(dfs, manta.ObjectRef) else list(dfs)
    for block in blocks:
        if not isinstance(block, manta.ObjectRef):
            raise ValueError(f"from_pandas_refs takes references to frames, not {type(block).__name__}; from_pandas takes frames")
    return Dataset(blocks)


def from_pandas(dfs):
    """Of frames, or of one."""
    import pandas

    frames = [dfs] if isinstance(dfs, pandas.DataFrame) else list(dfs)
    for frame in frames:
        if not isinstance(frame, pandas.DataFrame):
            raise ValueError(f"from_pandas takes frames of pandas, not {type(frame).__name__}")
    return Dataset([manta.put(frame) for frame in frames])
