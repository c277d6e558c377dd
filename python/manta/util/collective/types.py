"""What collective operations are told (ray.util.collective.types)."""

import enum


class Backend:
    NCCL = "nccl"
    GLOO = "gloo"
    TORCH_GLOO = "torch_gloo"
    UNRECOGNIZED = "unrecognized"


class ReduceOp(enum.Enum):
    SUM = 0
    PRODUCT = 1
    MIN = 2
    MAX = 3
