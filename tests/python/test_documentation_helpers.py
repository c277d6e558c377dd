"""What Ray's guides to ActorPool, Queue, multiprocessing.Pool and the like show, in programs of our own."""

import multiprocessing.pool
import os
import subprocess
import sys
import threading
import time

import pytest

import manta as ray
from manta.util import ActorPool
from manta.util.multiprocessing import Pool, TimeoutError as PoolTimeoutError
from manta.util.queue import Empty, Full, Queue


@pytest.fixture(autouse=True)
def connected(cluster):
    yield


@ray.remote(num_cpus=0)
class Doubles:
    def double(self, x):
        time.sleep(0.05 if x == 0 else 0)
        return 2 * x

    @ray.method(num_returns=2)
    def both(self, x):
        return x, self.double(x)

    def pid(self, _):
        return os.getpid()


def test_a_pool_of_actors_that_we_made():
    pool = ActorPool([Doubles.remote(), Doubles.remote()])
    assert list(pool.map(lambda actor, x: actor.double.remote(x), range(6))) == [0, 2, 4, 6, 8, 10]
    assert sorted(pool.map_unordered(lambda actor, x: actor.double.remote(x), range(6))) == [0, 2, 4, 6, 8, 10]
    for x in range(3):
        pool.submit(lambda actor, x: actor.double.remote(x), x)
    assert pool.has_next() and [pool.get_next() for _ in range(3)] == [0, 2, 4] and not pool.has_next()
    pool.submit(lambda actor, x: actor.double.remote(x), 0)
    pool.submit(lambda actor, x: actor.double.remote(x), 1)
    assert not pool.has_free() and pool.pop_idle() is None
    assert pool.get_next_unordered() == 2 and pool.get_next_unordered() == 0
    with pytest.raises(StopIteration):
        pool.get_next()
    idle = pool.pop_idle()
    pool.push(idle)
    pool.push(Doubles.remote())
    with pytest.raises(ValueError):
        pool.push(idle)
    assert len(set(pool.map(lambda actor, x: actor.pid.remote(x), range(12)))) == 3


def test_a_pool_of_methods_with_several_results():
    pool = ActorPool([Doubles.remote(), Doubles.remote()])
    assert list(pool.map(lambda actor, x: actor.both.remote(x), range(4))) == [[0, 0], [1, 2], [2, 4], [3, 6]]
    assert sorted(pool.map_unordered(lambda actor, x: actor.both.remote(x), range(4))) == [[0, 0], [1, 2], [2, 4], [3, 6]]
    pool.submit(lambda actor, x: actor.both.remote(x), 5)
    assert pool.get_next(timeout=60) == [5, 10]


def test_a_queue_between_tasks():
    queue = Queue(maxsize=10)

    @ray.remote
    def produce(queue, n):
        for i in range(n):
            queue.put(i)
        queue.put(None)

    @ray.remote
    def consume(queue):
        seen = []
        while (item := queue.get(timeout=20)) is not None:
            seen.append(item)
        return seen

    produced = produce.remote(queue, 50)
    assert ray.get(consume.remote(queue)) == list(range(50))
    ray.get(produced)
    queue.shutdown()


def test_a_queue_that_is_full_or_empty():
    queue = Queue(maxsize=3, actor_options={"num_cpus": 0})
    assert queue.empty() and queue.size() == queue.qsize() == len(queue) == 0
    queue.put_nowait_batch([1, 2])
    queue.put(3)
    assert queue.full()
    for attempt in (lambda: queue.put_nowait(4), lambda: queue.put(4, timeout=0.05), lambda: queue.put(4, block=False),
                    lambda: queue.put_nowait_batch([4, 5])):
        with pytest.raises(Full):
            attempt()
    assert queue.get_nowait_batch(2) == [1, 2] and queue.get() == 3
    for attempt in (queue.get_nowait, lambda: queue.get(timeout=0.05), lambda: queue.get(block=False), lambda: queue.get_nowait_batch(1)):
        with pytest.raises(Empty):
            attempt()
    with pytest.raises(ValueError):
        queue.get(timeout=-1)
    queue.shutdown(force=True)


def test_a_queue_in_coroutines():
    import asyncio

    async def both():
        queue = Queue()
        await asyncio.gather(*[queue.put_async(i) for i in range(5)])
        got = sorted(await asyncio.gather(*[queue.get_async() for _ in range(5)]))
        with pytest.raises(Empty):
            await queue.get_async(timeout=0.05)
        queue.shutdown()
        return got

    assert asyncio.run(both()) == list(range(5))


def test_hundreds_wait_at_a_queue():
    import asyncio

    async def waiting_first(queue, waiters, others):
        waiters = [asyncio.create_task(one) for one in waiters]
        await asyncio.sleep(0.5)
        await asyncio.gather(*others)
        return await asyncio.wait_for(asyncio.gather(*waiters), 60)

    queue, many = Queue(), range(300)
    got = asyncio.run(waiting_first(queue, [queue.get_async() for _ in many], [queue.put_async(i) for i in many]))
    assert sorted(got) == list(many) and queue.empty()
    queue.shutdown()

    queue = Queue(maxsize=1)
    queue.put(None)
    asyncio.run(waiting_first(queue, [queue.put_async(i) for i in many], [queue.get_async() for _ in many]))
    assert queue.full()
    queue.shutdown()


def add(x, y=1):
    return x + y


def fail(x):
    raise ValueError(f"bad {x}")


def test_the_pool_of_multiprocessing():
    with Pool(processes=2) as pool:
        assert pool.map(add, range(10)) == list(range(1, 11))
        assert pool.map(add, range(10), chunksize=3) == list(range(1, 11))
        assert pool.starmap(add, [(1, 2), (3, 4)]) == [3, 7]
        assert pool.apply(add, (1,), {"y": 5}) == 6
        result = pool.apply_async(add, (1, 2))
        assert result.get(timeout=20) == 3 and result.ready() and result.successful()
        assert pool.map_async(add, [1, 2]).get() == [2, 3] and pool.starmap_async(add, [(1, 1)]).get() == [2]
        assert list(pool.imap(add, range(5), chunksize=2)) == [1, 2, 3, 4, 5]
        assert sorted(pool.imap_unordered(add, range(5))) == [1, 2, 3, 4, 5]
        with pytest.raises(ValueError, match="bad 1"):
            pool.map(fail, [1])
        with pytest.raises(PoolTimeoutError):
            pool.apply_async(time.sleep, (5,)).get(timeout=0.1)
        called = []
        assert pool.apply_async(add, (1,), callback=called.append).get() == 2
        deadline = time.monotonic() + 10
        while not called and time.monotonic() < deadline:
            time.sleep(0.01)
        assert called == [2]
    with pytest.raises(ValueError):
        pool.map(add, [1])


class _Locked(Exception):
    """Pickles no more than what it holds."""

    def __init__(self, text):
        super().__init__(text)
        self.lock = threading.Lock()


def _fail_with_a_lock(number):
    raise _Locked(f"no {number}")


def test_a_pool_tells_of_errors_that_do_not_pickle():
    with Pool(1) as pool:
        with pytest.raises(multiprocessing.pool.MaybeEncodingError, match="no 4.*cannot pickle"):
            pool.apply(_fail_with_a_lock, (4,))


def test_a_pool_with_an_initializer():
    def begin(value):
        os.environ["POOL_OF_THIS_TEST"] = value

    pool = Pool(2, initializer=begin, initargs=("set",))
    assert pool.map(lambda _: os.environ["POOL_OF_THIS_TEST"], range(4)) == ["set"] * 4
    pool.close()
    pool.join()


def test_values_as_they_come():
    @ray.remote
    def after(seconds):
        time.sleep(seconds)
        return seconds

    ray.get([after.remote(0), after.remote(0)])
    assert list(ray.util.as_completed([after.remote(0.4), after.remote(0.0)], chunk_size=1)) == [0.0, 0.4]
    assert sorted(ray.util.map_unordered(after, [0.02, 0.01, 0.0], backpressure_size=2)) == [0.0, 0.01, 0.02]


def test_output_of_tasks_is_the_drivers(tmp_path):
    program = tmp_path / "program.py"
    program.write_text("import manta as ray\nray.init(num_cpus=1)\n\n@ray.remote\ndef speak(i):\n    print('said', i)\n\n"
                       "ray.get([speak.remote(i) for i in range(3)])\nray.shutdown()\n")
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, timeout=60)
    lines = [line for line in (done.stdout + done.stderr).splitlines() if "said" in line]
    assert done.returncode == 0 and len(lines) == 3 and all("pid=" in line for line in lines), done.stdout + done.stderr


def test_metrics_of_an_application():
    from manta.util.metrics import Counter, Gauge, Histogram

    @ray.remote
    class Served:
        def __init__(self):
            self.requests = Counter("requests_of_this_test", description="requests", tag_keys=("route",))
            self.requests.set_default_tags({"route": "/"})
            self.size = Gauge("size_of_this_test", tag_keys=("route",))
            self.latency = Histogram("latency_of_this_test", boundaries=[0.1, 1])

        def request(self):
            self.requests.inc()
            self.requests.inc(2, tags={"route": "/other"})
            self.size.set(5, tags={"route": "/"})
            self.latency.observe(0.5)
            return True

    assert ray.get(Served.remote().request.remote())


def test_what_the_cluster_has():
    assert ray.is_initialized()
    assert ray.cluster_resources()["CPU"] == 2 and 0 <= ray.available_resources().get("CPU", 0) <= 2
    node, = ray.nodes()
    assert node["Alive"] and node["Resources"]["CPU"] == 2 and node["NodeID"] == ray.get_runtime_context().get_node_id()


def test_gpus_of_a_machine_that_says_it_has_some():
    program = """
import collections, os
import manta as ray
ray.init(num_cpus=2, num_gpus=2)

@ray.remote(num_gpus=1)
def whole():
    return tuple(ray.get_gpu_ids()), os.environ["CUDA_VISIBLE_DEVICES"], ray.get_runtime_context().get_accelerator_ids()["GPU"]

@ray.remote(num_gpus=0.5, num_cpus=0)
class Half:
    def id(self):
        return os.environ["CUDA_VISIBLE_DEVICES"]

ids, visible, more = ray.get(whole.remote())
assert len(ids) == 1 and str(ids[0]) == visible == more[0], (ids, visible, more)
halves = [Half.remote() for _ in range(4)]
print(sorted(collections.Counter(ray.get([half.id.remote() for half in halves])).items()))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout == "[('0', 2), ('1', 2)]\n", done.stderr
