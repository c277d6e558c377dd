"""A parameter server: one actor holds the weights of a model, tasks compute gradients for it.

    parameter_server.py [STEPS]      default: 60

The model is a linear one, y = w . x, and the samples are made from weights that we know, so that we can see whether training finds them.
Weights and gradients are arrays of numpy: wherever they arrive, they are read in shared memory, without a copy. The driver only passes
references on: it never waits within a step, and never sees a gradient.
"""

import sys

import manta as ray
import numpy as np

WEIGHTS = 10_000
WORKERS = 4
SAMPLES = 1000  # of each worker in each step
FEATURES = 20   # that are not zero in a sample
RATE = 0.5
TRUE = np.sin(np.arange(WEIGHTS))  # what training is to find


@ray.remote
class ParameterServer:
    def __init__(self, size):
        self.weights = np.zeros(size)
        self.sum = np.zeros(size)

    def get(self):
        return self.weights

    def add(self, gradient):
        """Collects the gradient of one worker."""
        self.sum += gradient

    def step(self):
        """Takes one step along all the gradients that were collected; the new weights."""
        self.weights = self.weights - RATE * self.sum
        self.sum[:] = 0
        return self.weights


@ray.remote
def gradient(weights, worker, step):
    """Of the squared error over samples that only this worker sees."""
    random = np.random.default_rng(step * WORKERS + worker)
    features = random.integers(0, WEIGHTS, (SAMPLES, FEATURES))
    x = random.choice([-1.0, 1.0], (SAMPLES, FEATURES))
    error = ((weights - TRUE)[features] * x).sum(axis=1, keepdims=True)
    result = np.zeros(WEIGHTS)
    np.add.at(result, features, error * x / FEATURES)
    return result


def main(steps):
    ray.init()
    server = ParameterServer.remote(WEIGHTS)
    weights = server.get.remote()
    distance = lambda ref: float(np.sqrt(np.mean((ray.get(ref) - TRUE) ** 2)))
    before = distance(weights)
    for step in range(steps):
        for worker in range(WORKERS):
            # `weights` is a reference to a value that may not be there yet: the task starts when it is.
            # Calls of one process to an actor run in order, so that step below comes after all of these.
            server.add.remote(gradient.remote(weights, worker, step))
        weights = server.step.remote()
    after = distance(weights)
    expected = before * 0.9**steps
    print(f"{steps} steps of {WORKERS} workers: error {before:.6f} -> {after:.6f} (at most {expected:.6f} expected)")
    return 0 if after <= expected else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 60))
