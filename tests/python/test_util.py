"""manta.util (the contract's section 1.11)."""

import io
import multiprocessing
import os
import threading
import time

import pytest

import manta as ray
from manta.util import ActorPool, as_completed, inspect_serializability, map_unordered
from manta.util.queue import Empty, Full, Queue
from manta.util.serialization import deregister_serializer, register_serializer

pytestmark = pytest.mark.usefixtures("cluster")


@ray.remote
def after(seconds):
    time.sleep(seconds)
    return seconds


@ray.remote(num_cpus=0)
class Doubler:
    def double(self, x):
        return 2 * x

    def slow(self, seconds):
        time.sleep(seconds)
        return seconds


def test_as_completed_gives_what_comes_first():
    refs = [after.remote(3), after.remote(0)]
    assert list(as_completed(refs, chunk_size=1)) == [0, 3]
    assert set(as_completed(refs, yield_obj_refs=True)) == set(refs)
    with pytest.raises(ValueError):
        list(as_completed(refs, chunk_size=0))


def test_map_unordered():
    @ray.remote
    def square(x):
        return x * x

    assert sorted(map_unordered(square, range(50), backpressure_size=5)) == [i * i for i in range(50)]
    with pytest.raises(TypeError):
        list(map_unordered(len, [[]]))


def test_a_pool_gives_results_in_order_or_as_they_come():
    pool = ActorPool([Doubler.remote(), Doubler.remote()])
    assert list(pool.map(lambda a, v: a.double.remote(v), range(10))) == [2 * i for i in range(10)]
    assert sorted(pool.map_unordered(lambda a, v: a.double.remote(v), range(10))) == [2 * i for i in range(10)]
    assert pool.has_free()
    pool.submit(lambda a, v: a.slow.remote(v), 0.4)
    pool.submit(lambda a, v: a.slow.remote(v), 0)
    pool.submit(lambda a, v: a.double.remote(v), 4)
    with pytest.raises(TimeoutError):
        pool.get_next(timeout=0.05)
    assert [pool.get_next() for _ in range(3)] == [0.4, 0, 8]
    assert not pool.has_next()
    one = pool.pop_idle()
    with pytest.raises(ValueError):
        pool.push(pool._idle[0])
    pool.push(one)


def test_a_queue_between_processes():
    queue = Queue(maxsize=2)

    @ray.remote
    def produce(queue, count):
        for i in range(count):
            queue.put(i)
        return count

    done = produce.remote(queue, 10)
    assert [queue.get(timeout=60) for _ in range(10)] == list(range(10))
    assert ray.get(done) == 10
    with pytest.raises(Empty):
        queue.get_nowait()
    with pytest.raises(Empty):
        queue.get(timeout=0.05)
    queue.put_nowait_batch([1, 2])
    assert queue.full() and len(queue) == 2
    with pytest.raises(Full):
        queue.put_nowait(3)
    with pytest.raises(Empty):
        queue.get_nowait_batch(3)
    assert queue.get_nowait_batch(2) == [1, 2]
    assert queue.empty()
    queue.shutdown()


def test_serializers_of_the_users_own():
    class Handle:
        def __init__(self, number):
            self.number = number
            self.lock = threading.Lock()

    with pytest.raises(TypeError):
        ray.put(Handle(1))
    register_serializer(Handle, serializer=lambda handle: handle.number, deserializer=Handle)
    assert ray.get(ray.put([Handle(5)]))[0].number == 5
    deregister_serializer(Handle)
    with pytest.raises(TypeError):
        ray.put(Handle(1))


def test_what_does_not_pickle_is_found():
    class Outer:
        def __init__(self):
            self.fine = 1
            self.inner = {"lock": threading.Lock()}

    out = io.StringIO()
    fine, failures = inspect_serializability(Outer(), name="outer", print_file=out)
    assert not fine and [failure.name for failure in failures] == ["lock"]
    assert "inner" in out.getvalue()
    assert inspect_serializability(5, print_file=out) == (True, set())


def test_a_pool_of_processes():
    from manta.util.multiprocessing import Pool, TimeoutError

    def start(text):
        os.environ["STARTED"] = text

    def told(_):
        return os.environ["STARTED"]

    def fail(x):
        raise KeyError(x)

    with Pool(2, initializer=start, initargs=("begun",)) as pool:
        assert pool.map(told, range(3)) == ["begun"] * 3
        assert pool.map(lambda x: x + 1, range(100)) == list(range(1, 101))
        assert pool.starmap(lambda a, b: a * b, [(1, 2), (3, 4)]) == [2, 12]
        assert pool.apply(lambda a, b=0: a + b, (1,), {"b": 2}) == 3
        assert list(pool.imap(lambda x: 2 * x, range(10))) == [2 * i for i in range(10)]
        assert sorted(pool.imap_unordered(lambda x: 2 * x, range(10), chunksize=3)) == [2 * i for i in range(10)]
        slow = pool.imap(lambda x: time.sleep(x) or x, [0, 0.5])
        assert slow.next(timeout=20) == 0
        with pytest.raises(multiprocessing.TimeoutError):
            slow.next(timeout=0.05)
        assert slow.next() == 0.5
        with pytest.raises(StopIteration):
            slow.next()
        with pytest.raises(KeyError):
            pool.map(fail, [1])
        slow = pool.apply_async(time.sleep, (1,))
        with pytest.raises(TimeoutError):
            slow.get(timeout=0.05)
        with pytest.raises(ValueError):
            slow.successful()
        slow.wait()
        assert slow.successful()
        seen = []
        pool.map_async(lambda x: x, [1, 2], callback=seen.append).wait()
        deadline = time.monotonic() + 20
        while not seen and time.monotonic() < deadline:
            time.sleep(0.01)
        assert seen == [[1, 2]]
    with pytest.raises(ValueError):
        pool.map(told, [1])
    pool.join()


def test_processes_of_a_pool_that_serve_for_a_while():
    from manta.util.multiprocessing import Pool

    pool = Pool(1, maxtasksperchild=2)
    pids = [pool.apply(os.getpid) for _ in range(4)]
    assert pids[0] == pids[1] != pids[2] == pids[3]
    pool.close()
    with pytest.raises(ValueError, match="not running"):
        pool.map(abs, [])
    pool.join()


def test_keys_and_values():
    from manta.experimental import internal_kv as kv

    assert kv._internal_kv_get(b"key") is None
    assert not kv._internal_kv_put(b"key", b"value")
    assert kv._internal_kv_put(b"key", b"other")
    assert kv._internal_kv_get("key") == b"other" and kv._internal_kv_exists(b"key")
    assert not kv._internal_kv_exists(b"key", namespace=b"elsewhere")
    kv._internal_kv_put(b"key2", b"")
    assert sorted(kv._internal_kv_list(b"ke")) == [b"key", b"key2"]
    assert kv._internal_kv_del(b"ke", del_by_prefix=True) == 2
    with pytest.raises(TypeError):
        kv._internal_kv_get(5)

    @ray.remote
    def put():
        kv._internal_kv_put(b"from a task", b"1")

    ray.get(put.remote())
    assert kv._internal_kv_get(b"from a task") == b"1"
    kv._internal_kv_del(b"from a task")
