"""What `import ray` finds first in processes that a program under manta.as_ray starts, such as those of multiprocessing: Manta."""

import sys

from manta import as_ray

del sys.modules["ray"]
as_ray.install()
import ray  # noqa: E402, F401  (whoever imports this one gets what is in sys.modules now)
