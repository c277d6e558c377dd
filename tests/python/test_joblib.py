"""joblib's jobs on a cluster (ray.util.joblib)."""

import os

import pytest

import manta as ray
from manta.util.joblib import register_ray

joblib = pytest.importorskip("joblib")
pytestmark = pytest.mark.usefixtures("cluster")


def square(x):
    return x * x


def fail(x):
    raise KeyError(x)


def test_jobs_run_in_the_processes_of_a_pool():
    register_ray()
    with joblib.parallel_backend("ray"):
        assert joblib.Parallel(n_jobs=2)(joblib.delayed(square)(i) for i in range(200)) == [i * i for i in range(200)]
        pids = set(joblib.Parallel(n_jobs=2)(joblib.delayed(os.getpid)() for _ in range(20)))
        assert os.getpid() not in pids and len(pids) <= 2
        with pytest.raises(KeyError):
            joblib.Parallel(n_jobs=2)(joblib.delayed(fail)(i) for i in range(3))


def test_as_many_jobs_as_the_cluster_has_cpus():
    register_ray()
    with joblib.parallel_config("ray", ray_remote_args={"max_restarts": 1}):
        parallel = joblib.Parallel(n_jobs=-1)
        assert parallel(joblib.delayed(square)(i) for i in range(4)) == [0, 1, 4, 9]
        with parallel:
            assert parallel._effective_n_jobs() == ray.cluster_resources()["CPU"]
