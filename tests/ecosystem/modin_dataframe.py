"""Modin's data frames on its Ray engine: the same results as pandas."""

import pathlib
import tempfile

try:
    import modin.pandas as pd
    import pandas
    from modin.pandas.io import from_ray
except ImportError as error:
    # Of its own requirements: where packages cannot be had, they are not installed (./dev setup).
    print(f"skipped: {error}")
    raise SystemExit(77) from None
import numpy as np
import ray
from modin.config import Engine, NPartitions

ROWS = 30_000


def same(ours, theirs, **options):
    ours = ours.modin.to_pandas() if isinstance(ours, (pd.DataFrame, pd.Series)) else ours
    check = {pandas.DataFrame: pandas.testing.assert_frame_equal, pandas.Series: pandas.testing.assert_series_equal}.get(type(theirs))
    if check is None:
        assert ours == theirs, f"{ours!r} is not {theirs!r}"
    else:
        check(ours, theirs, **options)


def make_files(folder):
    random = np.random.default_rng(0)
    orders = pandas.DataFrame({
        "customer": random.integers(0, 500, ROWS), "amount": random.random(ROWS).round(3) * 100, "count": random.integers(1, 9, ROWS),
        "kind": random.choice(["book", "film", "song", "game"], ROWS), "note": [f"order {i} of many" for i in range(ROWS)]})
    orders.loc[::97, "amount"] = np.nan
    orders.to_csv(folder / "orders.csv", index=False)
    pandas.DataFrame({"customer": range(480), "city": random.choice(["Ulm", "Bonn", "Kiel"], 480)}).to_csv(folder / "customers.csv", index=False)


def jobs(lib, folder):
    """(what, its result) of each job, in `lib`."""
    orders = lib.read_csv(folder / "orders.csv")
    customers = lib.read_csv(folder / "customers.csv")
    yield "read_csv", orders
    yield "describe", orders.describe()
    yield "groupby", orders.groupby("customer").agg({"amount": "mean", "count": "sum"})
    yield "groupby of two keys", orders.groupby(["kind", "count"])["amount"].sum()
    yield "groupby apply", orders.groupby("kind")["amount"].apply(lambda group: group.max() - group.min())
    merged = orders.merge(customers, on="customer", how="left")
    yield "merge", merged
    yield "inner merge", orders.merge(customers, on="customer")
    yield "value_counts", merged["city"].value_counts().sort_index()
    yield "apply to rows", orders[["amount", "count"]].apply(lambda row: row["amount"] * row["count"], axis=1)
    yield "apply to columns", orders[["amount", "count"]].apply(np.nansum)
    yield "map", orders["note"].map(len)
    yield "sort_values", orders.sort_values(["kind", "amount", "note"])
    yield "sort_values, descending", orders.sort_values("amount", ascending=False, kind="stable").head(100)
    yield "filter", orders[(orders["amount"] > 50) & (orders["kind"] == "book")]
    yield "fillna", orders["amount"].fillna(0).sum().round(6)
    yield "pivot_table", orders.pivot_table(index="kind", columns="count", values="amount", aggfunc="mean")
    yield "concat", lib.concat([orders.head(1000), orders.tail(1000)])
    yield "melt", orders.head(500).melt(id_vars="customer", value_vars=["amount", "count"])
    yield "rolling", orders["count"].rolling(7).mean()
    yield "cumsum", orders[["count"]].cumsum()
    yield "drop_duplicates", orders[["kind", "count"]].drop_duplicates().reset_index(drop=True)
    yield "quantile", orders["amount"].quantile([0.1, 0.5, 0.9])
    yield "isin, loc", orders.loc[orders["customer"].isin([1, 2, 3]), ["note", "amount"]]
    orders["total"] = orders["amount"] * orders["count"]
    yield "a new column", orders[["total"]]
    yield "strings", orders["note"].str.upper().str.slice(0, 8)
    orders.to_csv(folder / f"{lib.__name__}.csv", index=False)
    yield "to_csv", (folder / f"{lib.__name__}.csv").read_text()


def main():
    ray.init(num_cpus=2)
    assert Engine.get() == "Ray", "it has not found Ray"
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        make_files(folder)
        count = 0
        for (what, ours), (_, theirs) in zip(jobs(pd, folder), jobs(pandas, folder), strict=True):
            try:
                same(ours, theirs)
            except AssertionError as error:
                raise AssertionError(f"{what}: {error}") from error
            count += 1
        frame = pd.read_csv(folder / "orders.csv")
        data = frame.modin.to_ray()  # and back
        assert data.count() == ROWS and data.columns() == list(frame.columns)
        same(data.to_pandas(), frame.modin.to_pandas())
        same(from_ray(data), frame.modin.to_pandas())
    print(f"{count} jobs of {NPartitions.get()} x {NPartitions.get()} partitions gave what pandas gives")


if __name__ == "__main__":
    main()
