"""The first program: a task, an actor, and what they give back.

    hello.py
"""

import manta as ray


@ray.remote
def square(x):
    return x * x


@ray.remote
class Counter:
    def __init__(self):
        self.total = 0

    def add(self, x):
        self.total += x
        return self.total


if __name__ == "__main__":
    ray.init()
    squared = square.remote(7)
    counter = Counter.remote()
    print(ray.get(counter.add.remote(squared)))  # 49
