"""Fibonacci by tasks that make tasks.

    fibonacci.py [N]                 default: 10
"""

import sys

import manta as ray


@ray.remote
def fibonacci(n):
    return n if n < 2 else sum(ray.get([fibonacci.remote(n - 1), fibonacci.remote(n - 2)]))


def main(n):
    ray.init()
    result = ray.get(fibonacci.remote(n))
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    print(f"fibonacci({n}) = {result}")
    return 0 if result == a else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10))
