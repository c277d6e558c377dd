"""Tensors of PyTorch in the memory of CPUs: their bytes travel beside the pickle, and are read in place. PyTorch itself pickles them as one
copy inside of another."""

from __future__ import annotations

import ctypes
import pickle


def reduce(tensor):
    """What __reduce__ is to give for a plain tensor, contiguous, of the CPU; None: for others PyTorch's own serves."""
    import torch

    if (tensor.device.type != "cpu" or tensor.layout is not torch.strided or not tensor.is_contiguous() or tensor.is_quantized
            or tensor.is_conj() or tensor.is_neg() or vars(tensor) or tensor._backward_hooks):
        return None
    data = (ctypes.c_ubyte * (tensor.numel() * tensor.element_size())).from_address(tensor.data_ptr())
    data.tensor = tensor  # whose memory it is
    return _tensor, (pickle.PickleBuffer(data), tensor.dtype, tuple(tensor.shape), tensor.requires_grad)


def _tensor(buffer, dtype, shape, requires_grad):
    """PyTorch knows no read-only tensors: who writes into this one writes into copies of the pages, and the object stays as it is."""
    import torch

    from manta import _manta

    if 0 in shape:
        tensor = torch.empty(shape, dtype=dtype)
    else:
        tensor = torch.frombuffer(_manta.writable_buffer(buffer), dtype=dtype).reshape(shape)
    return tensor.requires_grad_() if requires_grad else tensor
