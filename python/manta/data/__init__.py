"""Of ray.data: data sets that are made of pandas frames and given back as such, as packages exchange them. Nothing transforms them yet."""

from manta.data.dataset import Dataset, MaterializedDataset, from_pandas, from_pandas_refs

__all__ = ["Dataset", "MaterializedDataset", "from_pandas", "from_pandas_refs"]


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    raise AttributeError(f"ray.data.{name} is not there yet in Manta: of ray.data there are {', '.join(__all__)}")
