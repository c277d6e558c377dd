"""Tensors of PyTorch as values, arguments and results: read in place, written into pages of one's own."""

import gc
import pathlib
import sys
import time
import warnings

sys.path.append("/usr/lib/python3/dist-packages")  # Debian's python3-torch, where no other is installed
warnings.filterwarnings("ignore", "Failed to initialize NumPy")
try:
    import torch
except ImportError as error:
    print(f"skipped: {error}")
    raise SystemExit(77) from None
import ray

MIB = 2**20


def own_memory():
    """MiB of this process's own pages: not those of the object store that it reads."""
    lines = pathlib.Path("/proc/self/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Anonymous:")) / 1024


@ray.remote
def double_in_place(tensor):
    return float(tensor.sum()), tensor.mul_(2)


@ray.remote
def sum_and_growth(refs):
    torch.ones(2).sum()
    before = own_memory()
    total = sum(float(tensor.sum()) for tensor in ray.get(refs))
    return total, own_memory() - before


def large_ones_are_read_in_place():
    ones = torch.ones(16 * MIB, dtype=torch.float32)
    ref = ray.put(ones)
    before = own_memory()
    first, second = ray.get(ref), ray.get(ref)
    assert first.sum() == second.sum() == 16 * MIB
    assert own_memory() - before < 4, "64 MiB were copied"
    total, grown = ray.get(sum_and_growth.remote([ref, ref]))
    assert total == 32 * MIB and grown < 4, f"{grown} MiB were copied"
    first[5] = 7
    assert (first[5], second[5], ray.get(ref)[5]) == (7, 1, 1)
    assert own_memory() - before < 4, "more than a page was copied"
    del ref, second
    gc.collect()
    assert first[5] == 7 and first.sum() == 16 * MIB + 6, "a view outlives the reference"


def tasks_may_write_into_their_arguments():
    ref = ray.put(torch.arange(MIB))
    total = MIB * (MIB - 1) // 2
    for _ in range(2):
        seen, doubled = ray.get(double_in_place.remote(ref))
        assert seen == float(torch.arange(MIB).sum()) and doubled.sum() == 2 * total
    assert ray.get(ref).sum() == total


def all_kinds_come_back_as_they_were():
    values = [torch.tensor(3.5), torch.empty(0, 3), torch.arange(24).reshape(2, 3, 4), torch.ones(3, dtype=torch.bfloat16),
              torch.tensor([True, False]), torch.tensor([1 + 2j, 3j]), torch.arange(6).reshape(2, 3).T, torch.arange(100)[10:20],
              torch.arange(5.0).requires_grad_(), torch.nn.Parameter(torch.ones(70, 70)), torch.eye(3).to_sparse()]
    for value, back in zip(values, ray.get(ray.put(values))):
        assert (type(back), back.dtype, back.shape, back.requires_grad) == (type(value), value.dtype, value.shape, value.requires_grad)
        assert torch.equal(value.to_dense(), back.to_dense()) if value.is_sparse else torch.equal(value, back), value
    twice = values[2]
    one, other = ray.get(ray.put([twice, twice]))
    assert one is other
    model = torch.nn.Sequential(torch.nn.Linear(300, 100), torch.nn.ReLU(), torch.nn.Linear(100, 10))
    data = torch.ones(5, 300)
    assert torch.equal(ray.get(ray.remote(lambda model, data: model(data)).remote(model, data)), model(data))


def what_it_held_comes_back(before):
    gc.collect()
    deadline = time.monotonic() + 20
    while ray.available_resources()["object_store_memory"] < before:
        assert time.monotonic() < deadline, "tensors are gone, and hold memory"
        time.sleep(0.05)


if __name__ == "__main__":
    ray.init(num_cpus=2)
    free = ray.available_resources()["object_store_memory"]
    large_ones_are_read_in_place()
    tasks_may_write_into_their_arguments()
    all_kinds_come_back_as_they_were()
    what_it_held_comes_back(free)
    print(f"PyTorch {torch.__version__}: tensors are read in place")
