"""joblib's jobs in a Pool. joblib knows how to use a pool of multiprocessing's kind: this gives it ours."""

from __future__ import annotations

import manta
from joblib._parallel_backends import MultiprocessingBackend
from manta.util.multiprocessing.pool import Pool


class RayBackend(MultiprocessingBackend):
    """`ray_remote_args`: options of the pool's actors, as in parallel_backend("ray", ray_remote_args={"num_cpus": 2})."""

    # Batches of so long that what a call costs does not count.
    MIN_IDEAL_BATCH_DURATION = 0.02
    supports_sharedmem = False

    def __init__(self, nesting_level=None, inner_max_num_threads=None, ray_remote_args=None, **kwargs):
        super().__init__(nesting_level=nesting_level, inner_max_num_threads=inner_max_num_threads, **kwargs)
        self._ray_remote_args = ray_remote_args

    def configure(self, n_jobs=1, parallel=None, prefer=None, require=None, **kwargs):
        n_jobs = self.effective_n_jobs(n_jobs)
        self._pool = Pool(n_jobs, ray_remote_args=self._ray_remote_args)
        self.parallel = parallel
        return n_jobs

    def effective_n_jobs(self, n_jobs):
        """-1: one for each CPU of the cluster."""
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")
        if not manta.is_initialized():
            manta.init()
        cpus = max(1, int(manta.cluster_resources().get("CPU", 1)))
        if n_jobs is None:
            return cpus
        return max(1, cpus + 1 + n_jobs) if n_jobs < 0 else n_jobs

    def terminate(self):
        if getattr(self, "_pool", None) is not None:
            self._pool.close()
            self._pool.terminate()
            self._pool = None


__all__ = ["RayBackend"]
