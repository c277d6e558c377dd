"""What Ray's guide to actors shows, in programs of our own."""

import asyncio
import os
import threading
import time

import pytest

import manta as ray


@pytest.fixture(autouse=True)
def connected(cluster):
    yield


@ray.remote
class Counter:
    def __init__(self, start=0):
        self.value = start

    def increment(self, by=1):
        self.value += by
        return self.value

    def get(self):
        return self.value

    @ray.method(num_returns=2)
    def both(self):
        return self.value, -self.value


def wait_until(holds, seconds=20):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_actors_have_states_of_their_own():
    counters = [Counter.remote(10 * i) for i in range(5)]
    assert ray.get([counter.increment.remote() for counter in counters]) == [1, 11, 21, 31, 41]
    assert ray.get([counters[0].increment.remote() for _ in range(5)]) == [2, 3, 4, 5, 6]
    positive, negative = counters[1].both.remote()
    assert ray.get([positive, negative]) == [11, -11]
    assert ray.get(counters[1].increment.options(num_returns=1, name="one").remote(by=4)) == 15


def test_handles_travel_to_tasks_and_actors():
    @ray.remote
    def work(counter):
        for _ in range(100):
            counter.increment.remote()
        return ray.get(counter.get.remote())

    @ray.remote
    class Owner:
        def __init__(self, counter):
            self.counter = counter

        def handle(self):
            return self.counter

    counter = Counter.remote()
    ray.get([work.remote(counter) for _ in range(3)])
    assert ray.get(ray.get(Owner.remote(counter).handle.remote()).get.remote()) == 300


def test_a_class_may_be_made_remote_where_it_is_used():
    class Plain:
        def __init__(self, x):
            self.x = x

        def get(self):
            return self.x, self.twice(self.x), self.name()

        @staticmethod
        def twice(x):
            return 2 * x

        @classmethod
        def name(cls):
            return cls.__name__

    actor = ray.remote(num_cpus=0)(Plain).remote(3)
    assert ray.get(actor.get.remote()) == (3, 6, "Plain") and Plain(4).get()[1] == 8
    assert ray.get(actor.twice.remote(5)) == 10
    with pytest.raises(TypeError):
        ray.remote(Plain)(3)
    with pytest.raises(AttributeError):
        actor.missing
    with pytest.raises(TypeError):
        actor.get()


def test_parents_of_actors_are_plain_classes():
    class Base:
        def where(self):
            return "base"

        def who(self):
            return type(self).__name__

    @ray.remote
    class Child(Base):
        def where(self):
            return "child of " + super().where()

    child = Child.remote()
    assert ray.get([child.where.remote(), child.who.remote()]) == ["child of base", "Child"]


def test_names_and_namespaces():
    Counter.options(name="documented", lifetime="detached").remote(5)
    same = Counter.options(name="documented", get_if_exists=True).remote(100)
    assert ray.get(same.get.remote()) == 5
    with pytest.raises(ValueError):
        Counter.options(name="documented").remote()
    Counter.options(name="documented", namespace="elsewhere", lifetime="detached").remote(7)
    assert ray.get(ray.get_actor("documented", namespace="elsewhere").get.remote()) == 7
    assert {"name": "documented", "namespace": "elsewhere"} in ray.util.list_named_actors(all_namespaces=True)
    for namespace in (None, "elsewhere"):
        ray.kill(ray.get_actor("documented", namespace=namespace))
    with pytest.raises(ValueError):
        ray.get_actor("no such name")


def test_an_actor_ends_with_its_last_handle():
    @ray.remote
    class Marked:
        def pid(self):
            return os.getpid()

    actor = Marked.remote()
    pid = ray.get(actor.pid.remote())
    refs = [actor.pid.remote() for _ in range(100)]
    del actor
    assert ray.get(refs) == [pid] * 100, "what was called before is done"
    wait_until(lambda: not os.path.exists(f"/proc/{pid}"))


def test_ways_to_end_an_actor():
    @ray.remote(max_restarts=5)
    class Ends:
        def leave(self):
            ray.actor.exit_actor()

        def ping(self):
            return "pong"

    leaving, killed, terminated = Ends.remote(), Ends.remote(), Ends.remote()
    ray.get([actor.ping.remote() for actor in (leaving, killed, terminated)])
    leaving.leave.remote()
    ray.kill(killed)
    terminated.__ray_terminate__.remote()
    for actor in (leaving, killed, terminated):
        with pytest.raises(ray.exceptions.RayActorError):
            for _ in range(1000):
                ray.get(actor.ping.remote())
                time.sleep(0.01)


def test_a_constructor_that_fails():
    @ray.remote
    class Fails:
        def __init__(self):
            raise RuntimeError("no config")

        def ping(self):
            pass

    with pytest.raises(ray.exceptions.RayActorError, match="no config"):
        ray.get(Fails.remote().ping.remote())


def test_restarts_and_retries():
    @ray.remote(max_restarts=4, max_task_retries=-1)
    class Dies:
        def __init__(self):
            self.calls = 0

        def call(self):
            self.calls += 1
            if self.calls == 10:
                os._exit(1)
            return self.calls

    actor = Dies.remote()
    assert [ray.get(actor.call.remote()) for _ in range(45)][-1] in range(1, 10)
    with pytest.raises(ray.exceptions.RayActorError):
        for _ in range(10):
            ray.get(actor.call.remote())

    once = Dies.options(max_restarts=1, max_task_retries=0).remote()
    results = []
    for _ in range(12):
        try:
            results.append(ray.get(once.call.remote()))
        except (ray.exceptions.ActorUnavailableError, ray.exceptions.ActorDiedError):
            results.append("lost")
            time.sleep(0.5)
    assert results[:9] == list(range(1, 10)) and results.count("lost") >= 1 and results[-1] in (1, 2, 3)


def test_an_actor_that_restores_its_state(tmp_path):
    @ray.remote(max_restarts=-1, max_task_retries=-1)
    class Restores:
        def __init__(self, path):
            self.path = path
            self.state = int(open(path).read()) if os.path.exists(path) else 0
            self.restarted = ray.get_runtime_context().was_current_actor_reconstructed

        def add(self, crash):
            self.state += 1
            with open(self.path, "w") as file:
                file.write(str(self.state))
            if crash and not self.restarted:
                os._exit(1)
            return self.state, self.restarted

    actor = Restores.remote(str(tmp_path / "state"))
    assert ray.get(actor.add.remote(False)) == (1, False)
    assert ray.get(actor.add.remote(True)) == (3, True)


def test_coroutines_run_at_the_same_time():
    @ray.remote
    class Async:
        def __init__(self):
            self.running = self.most = 0

        async def work(self, i):
            self.running += 1
            self.most = max(self.most, self.running)
            await asyncio.sleep(0.2)
            self.running -= 1
            return i

        async def peak(self):
            return self.most

    actor = Async.remote()
    assert ray.get([actor.work.remote(i) for i in range(20)]) == list(range(20))
    assert ray.get(actor.peak.remote()) == 20
    limited = Async.options(max_concurrency=2).remote()
    ray.get([limited.work.remote(i) for i in range(6)])
    assert ray.get(limited.peak.remote()) == 2


def test_awaiting_inside_and_outside_of_actors():
    @ray.remote
    def slow(x):
        time.sleep(0.1)
        return x

    @ray.remote
    class Gathers:
        async def all(self):
            return await asyncio.gather(*[slow.remote(i) for i in range(3)])

    async def outside(actor):
        return await actor.all.remote()

    assert asyncio.run(outside(Gathers.remote())) == [0, 1, 2]


def test_threads_of_an_actor():
    @ray.remote(max_concurrency=4)
    class Threaded:
        def __init__(self):
            self.barrier = threading.Barrier(4)

        def meet(self):
            self.barrier.wait(timeout=20)
            return threading.get_ident()

    actor = Threaded.remote()
    assert len(set(ray.get([actor.meet.remote() for _ in range(4)]))) == 4


def test_concurrency_groups():
    @ray.remote(concurrency_groups={"io": 2, "compute": 4})
    class Grouped:
        def __init__(self):
            self.open = False

        @ray.method(concurrency_group="io")
        async def wait(self):
            while not self.open:
                await asyncio.sleep(0.01)
            return "io"

        @ray.method(concurrency_group="compute")
        async def compute(self):
            return "compute"

        async def plain(self):
            return "default"

        async def let_go(self):
            self.open = True

    actor = Grouped.remote()
    waiting = [actor.wait.remote() for _ in range(2)]
    assert ray.get([actor.compute.remote(), actor.plain.remote()]) == ["compute", "default"]
    third = actor.compute.options(concurrency_group="io").remote()  # behind those that wait
    assert ray.wait([third], timeout=0.2)[0] == []
    actor.let_go.remote()
    assert ray.get([*waiting, third], timeout=20) == ["io", "io", "compute"]


def test_cancelling_calls():
    @ray.remote
    class Async:
        async def forever(self):
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                self.cancelled = True
                raise

        async def was_cancelled(self):
            return self.cancelled

    actor = Async.remote()
    ref = actor.forever.remote()
    time.sleep(0.3)
    ray.cancel(ref)
    with pytest.raises((ray.exceptions.TaskCancelledError, ray.exceptions.RayTaskError)):
        ray.get(ref, timeout=20)
    assert ray.get(actor.was_cancelled.remote()) is True


def test_a_threaded_call_that_looks_whether_it_is_cancelled():
    @ray.remote(max_concurrency=2)
    class Looks:
        def loop(self):
            while not ray.get_runtime_context().is_canceled():
                time.sleep(0.02)
            return "stopped by itself"

    actor = Looks.remote()
    ref = actor.loop.remote()
    time.sleep(0.3)
    ray.cancel(ref)
    try:
        assert ray.get(ref, timeout=20) == "stopped by itself"
    except ray.exceptions.TaskCancelledError:
        pass


def test_order_of_calls():
    @ray.remote
    class Log:
        def __init__(self):
            self.seen = []

        def add(self, x):
            self.seen.append(x)

        def all(self):
            return self.seen

    @ray.remote
    def later(x):
        time.sleep(0.3)
        return x

    log = Log.remote()
    log.add.remote(later.remote("first"))
    log.add.remote("second")
    assert ray.get(log.all.remote()) == ["first", "second"], "a call waits for the arguments of those before"


def test_an_actor_knows_itself():
    @ray.remote
    class Knows:
        def me(self):
            context = ray.get_runtime_context()
            return context.current_actor, context.get_actor_id(), context.get_job_id(), context.get_task_name()

    actor = Knows.options(name="knows").remote()
    handle, actor_id, job, name = ray.get(actor.me.remote())
    assert actor_id == actor._actor_id.hex() and job == ray.get_runtime_context().get_job_id() and "me" in name
    assert ray.get(handle.me.remote())[1] == actor_id


def test_calls_beyond_the_classs_methods():
    counter = Counter.remote(5)
    ray.get(counter.__ray_ready__.remote())
    assert ray.get(counter.__ray_call__.remote(lambda self, by: self.value * by, 3)) == 15


def test_a_limit_of_calls_that_wait():
    @ray.remote(max_pending_calls=2)
    class Slow:
        def wait(self):
            time.sleep(0.5)

    actor = Slow.remote()
    refs = []
    with pytest.raises(ray.exceptions.PendingCallsLimitExceeded):
        for _ in range(10):
            refs.append(actor.wait.remote())
    ray.get(refs)
