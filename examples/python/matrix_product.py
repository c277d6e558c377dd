"""A product of matrices in blocks, over objects that are never copied.

    matrix_product.py [SIZE]         default: 512

The rows of A and the columns of B are cut into panels. Each panel is put into shared memory once, and each task is given references to two of
them: it reads both where they lie, however many tasks use them.
"""

import sys

import manta as ray
import numpy as np

PANELS = 4


@ray.remote
def multiply(a, b):
    return a @ b


def main(size):
    ray.init()
    random = np.random.default_rng(1)
    a, b = random.random((size, size)), random.random((size, size))
    rows = [ray.put(panel) for panel in np.array_split(a, PANELS, axis=0)]
    columns = [ray.put(np.ascontiguousarray(panel)) for panel in np.array_split(b, PANELS, axis=1)]
    blocks = [[multiply.remote(row, column) for column in columns] for row in rows]
    product = np.block([ray.get(line) for line in blocks])
    off = float(np.abs(product - a @ b).max())
    print(f"{size} x {size} in {PANELS * PANELS} blocks: off by at most {off:.3g}")
    return 0 if off < 1e-9 * size else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 512))
