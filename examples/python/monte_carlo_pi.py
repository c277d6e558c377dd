"""Pi by throwing darts: actors that keep a state between calls.

    monte_carlo_pi.py [DARTS]        default: 400000

A dart thrown at a square hits the circle inside of it with a probability of pi / 4. Each actor owns a random number generator, which is its
state: every call goes on where the last one ended.
"""

import math
import random
import sys

import manta as ray

THROWERS = 4
ROUNDS = 10


@ray.remote
class Thrower:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def throw(self, darts):
        """How many of `darts` hit the circle."""
        hits = 0
        for _ in range(darts):
            x, y = self.random.uniform(-1, 1), self.random.uniform(-1, 1)
            hits += x * x + y * y <= 1
        return hits


def main(darts):
    ray.init()
    # remote returns at once; calls of one actor run one after the other, those of several at the same time.
    throwers = [Thrower.remote(seed + 1) for seed in range(THROWERS)]
    per_call = darts // (THROWERS * ROUNDS)
    calls = [thrower.throw.remote(per_call) for _ in range(ROUNDS) for thrower in throwers]
    thrown = per_call * len(calls)
    pi = 4 * sum(ray.get(calls)) / thrown
    # Five standard deviations: that a right program misses them happens once in two million seeds.
    tolerance = 5 * math.sqrt(math.pi * (4 - math.pi) / thrown)
    print(f"{thrown} darts by {THROWERS} actors: pi is about {pi:.6f} (off by {abs(pi - math.pi):.6f}, {tolerance:.6f} allowed)")
    return 0 if abs(pi - math.pi) <= tolerance else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 400_000))
