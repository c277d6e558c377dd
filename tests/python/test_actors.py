"""Actors (the contract's sections 1.6, 3.6, 3.7)."""

import atexit
import os
import signal
import tempfile
import threading
import time

import pytest

import manta as ray

from waiting import eventually

pytestmark = pytest.mark.usefixtures("cluster")


@ray.remote(num_cpus=0)
class Counter:
    """Counts."""

    def __init__(self, start=0):
        self.count = start

    def add(self, number=1):
        self.count += number
        return self.count

    def pid(self):
        return os.getpid()

    def fail(self):
        raise LookupError("nothing here")

    def leave(self):
        ray.actor.exit_actor()

    @ray.method(num_returns=2)
    def two(self):
        return self.count, -self.count

    def _hidden(self):
        return "hidden"

    @staticmethod
    def static(x):
        return x + 1


def test_calls_run_in_order_and_keep_state():
    counter = Counter.remote(10)
    refs = [counter.add.remote(i) for i in range(1000)]
    assert ray.get(refs[-1]) == 10 + sum(range(1000))
    assert ray.get(counter.two.remote()) == [499510, -499510]
    assert ray.get(counter._hidden.remote()) == "hidden"
    assert ray.get(counter.static.remote(1)) == 2


def test_wrong_use_is_told():
    with pytest.raises(TypeError, match="cannot be called"):
        Counter()
    with pytest.raises(TypeError):
        Counter.remote(1, 2, 3)
    counter = Counter.remote()
    with pytest.raises(AttributeError, match="no attribute 'missing'"):
        counter.missing
    with pytest.raises(TypeError, match="cannot be called here"):
        counter.add(1)
    with pytest.raises(TypeError):

        class Derived(Counter):
            pass


def test_inheritance_of_plain_classes():
    class Base:
        def name(self):
            return "base"

        def both(self):
            return self.name() + "!"

    @ray.remote(num_cpus=0)
    class Derived(Base):
        def name(self):
            return "derived " + super().name()

    assert ray.get(Derived.remote().both.remote()) == "derived base!"


def test_an_exception_in_a_method_leaves_the_actor_alive():
    counter = Counter.remote()
    with pytest.raises(LookupError, match="nothing here"):
        ray.get(counter.fail.remote())
    assert ray.get(counter.add.remote()) == 1


def test_an_exception_in_the_constructor():
    @ray.remote(num_cpus=0)
    class Broken:
        def __init__(self):
            raise ValueError("cannot be")

        def call(self):
            return 1

    with pytest.raises(ray.exceptions.ActorDiedError, match="cannot be"):
        ray.get(Broken.remote().call.remote())


def test_handles_travel():
    counter = Counter.remote()

    @ray.remote
    def use(handles):
        return ray.get(handles["counter"].add.remote(5))

    assert ray.get(use.remote({"counter": counter})) == 5
    assert ray.get(counter.add.remote()) == 6
    assert ray.get(ray.put(counter)) == counter


def test_methods_travel():
    @ray.remote
    def call(method, *args):
        return ray.get(method.remote(*args))

    counter = Counter.remote()
    assert ray.get(call.remote(counter.add, 5)) == 5
    assert sorted(ray.get(call.remote(counter.two.options(num_returns=2)))) == sorted(ray.get(counter.two.remote()))
    assert ray.get(call.remote(Counter.remote(3).add)) == 4  # which is all that refers to this actor


def test_special_methods_that_the_class_defines():
    @ray.remote
    class Items:
        def __init__(self, *items):
            self.items = items

        def __len__(self):
            return len(self.items)

        def __getitem__(self, index):
            return self.items[index]

        def __call__(self):
            return "called"

    items = Items.remote("a", "b")
    assert ray.get([items.__len__.remote(), items.__getitem__.remote(1), items.__call__.remote()]) == [2, "b", "called"]
    with pytest.raises(TypeError):
        items.__getitem__.remote()
    with pytest.raises(AttributeError):
        items.__contains__
    assert repr(Items).startswith("ActorClass(") and "Items" in repr(Items)


def test_an_actor_ends_with_its_last_handle():
    counter = Counter.remote()
    pid = ray.get(counter.pid.remote())
    del counter
    deadline = time.monotonic() + 20
    while os.path.exists(f"/proc/{pid}") and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not os.path.exists(f"/proc/{pid}")


def test_named_actors():
    counter = Counter.options(name="named").remote(7)
    found = ray.get_actor("named")
    assert ray.get(found.add.remote()) == 8
    assert ray.get(found.two.remote()) == [8, -8]
    with pytest.raises(AttributeError):
        found.missing
    with pytest.raises(TypeError):
        found.add.remote(1, 2, 3)
    with pytest.raises(ValueError):
        ray.get_actor("nobody")
    with pytest.raises(ValueError):
        ray.get(Counter.options(name="named").remote().add.remote())
    same = Counter.options(name="named", get_if_exists=True).remote()
    assert ray.get(same.add.remote()) == 9
    assert same == counter
    with pytest.raises(ValueError):
        Counter.options(get_if_exists=True)


def test_whoever_finds_an_actor_knows_the_methods_of_that_one():
    @ray.remote(num_cpus=0)
    class First:
        def first(self):
            return "first"

    @ray.remote(num_cpus=0)
    class Second:
        def second(self):
            return "second"

    made = First.options(name="either", get_if_exists=True).remote()
    for found in (ray.get_actor("either"), Second.options(name="either", get_if_exists=True).remote()):
        assert found == made and ray.get(found.first.remote()) == "first"
        with pytest.raises(AttributeError, match="First has no attribute 'second'"):
            found.second
    ray.kill(made)

    @ray.remote(num_cpus=0)
    def look(until):
        """What finds an actor while others take its name, one after the other, always knows the class of the one that it has found."""
        classes = set()
        while not os.path.exists(until):
            try:
                found = ray.get_actor("either")
                named = found.__ray_call__.remote(lambda actor: type(actor).__name__)
                classes.add((found._description.class_name, ray.get(named)))
            except (ValueError, ray.exceptions.ActorDiedError):
                pass  # there was none, or it has died since
        return classes

    with tempfile.TemporaryDirectory() as directory:
        looking = look.remote(os.path.join(directory, "done"))
        ends = time.monotonic() + 1
        while time.monotonic() < ends:
            for Class in (First, Second):
                try:
                    made = Class.options(name="either").remote()
                except ValueError:
                    continue  # the name is still that of the former
                ray.get(made.__ray_ready__.remote())
                time.sleep(0.02)  # to be found
                ray.kill(made)
        open(os.path.join(directory, "done"), "w").close()
        assert ray.get(looking) == {("First", "First"), ("Second", "Second")}


def test_kill():
    counter = Counter.remote()
    ray.get(counter.add.remote())
    ray.kill(counter)
    with pytest.raises(ray.exceptions.ActorDiedError):
        ray.get(counter.add.remote())
    with pytest.raises(ValueError):
        ray.kill("no actor")


def test_restarts():
    counter = Counter.options(max_restarts=1, max_task_retries=2).remote()
    first = ray.get(counter.pid.remote())
    os.kill(first, signal.SIGKILL)
    second = ray.get(counter.pid.remote())
    assert second != first
    os.kill(second, signal.SIGKILL)
    with pytest.raises(ray.exceptions.RayActorError):
        ray.get(counter.pid.remote())


def test_leaving():
    counter = Counter.remote()
    with pytest.raises(ray.exceptions.RayActorError):
        ray.get(counter.leave.remote())
    with pytest.raises(ray.exceptions.ActorDiedError):
        ray.get(counter.add.remote())
    with pytest.raises(TypeError):
        ray.actor.exit_actor()


def test_what_every_actor_has():
    counter = Counter.remote(3)
    assert ray.get(counter.__ray_ready__.remote()) is True
    assert ray.get(counter.__ray_call__.remote(lambda self, n: self.count + n, 4)) == 7


def test_threads():
    @ray.remote(num_cpus=0, max_concurrency=4)
    class Meeting:
        def __init__(self):
            self.barrier = threading.Barrier(4)

        def meet(self):
            return self.barrier.wait(timeout=60)

    meeting = Meeting.remote()
    assert sorted(ray.get([meeting.meet.remote() for _ in range(4)])) == [0, 1, 2, 3]


def test_concurrency_groups():
    @ray.remote(num_cpus=0, concurrency_groups={"io": 2})
    class Groups:
        def __init__(self):
            self.barrier = threading.Barrier(2)

        @ray.method(concurrency_group="io")
        def meet(self):
            return self.barrier.wait(timeout=60)

        def quick(self):
            return "quick"

    groups = Groups.remote()
    met = [groups.meet.remote() for _ in range(2)]
    assert ray.get(groups.quick.remote()) == "quick"
    assert sorted(ray.get(met)) == [0, 1]
    assert ray.get(ray.remote(num_cpus=0, concurrency_groups=[])(list).remote().__ray_ready__.remote())  # as if there were none


@pytest.mark.parametrize("groups, kind, says", [
    (["io"], TypeError, "dict of names and numbers of threads, such as {'io': 2}"), ([{"name": "io"}], TypeError, "dict of names"),
    ({1: 1}, TypeError, "1 in it is no name"), ({"io": None}, TypeError, "a number of threads, not None"),
    ({"io": 0.5}, TypeError, "a whole number"), ({"io": 0}, ValueError, "1 or more"), ({"io": 2**32}, ValueError, "2147483647 or less")])
def test_concurrency_groups_that_are_none_are_refused(groups, kind, says):
    with pytest.raises(kind, match=says):
        ray.remote(concurrency_groups=groups)(list)


def test_pending_calls():
    @ray.remote(num_cpus=0, max_pending_calls=2)
    class Slow:
        def wait(self):
            time.sleep(1)

    slow = Slow.remote()
    with pytest.raises(ray.exceptions.PendingCallsLimitExceeded):
        for _ in range(10):
            slow.wait.remote()


def test_context():
    @ray.remote(num_cpus=0)
    class Where:
        def ids(self):
            context = ray.get_runtime_context()
            return context.get_actor_id(), context.get_task_name(), context.namespace

    actor = Where.remote()
    actor_id, name, namespace = ray.get(actor.ids.remote())
    assert actor_id == actor._actor_id.hex()
    assert name == "Where.ids"
    assert namespace == ray.get_runtime_context().namespace
    assert ray.get_runtime_context().get_actor_id() is None


class Passing(Exception):
    pass


@pytest.mark.parametrize("kind", ["plain", "async", "stream", "async_stream"])
def test_methods_are_tried_again_after_listed_exceptions(cluster, kind):
    class Base:
        tries = 0

        def count(self, least):
            self.tries += 1
            if self.tries < least:
                raise Passing("not yet")
            return self.tries

        @ray.method(retry_exceptions=[Passing], max_task_retries=5)
        def plain(self, least):
            return self.count(least)

        @ray.method(retry_exceptions=[Passing], max_task_retries=5)
        def stream(self, least):
            yield self.count(least)

        @ray.method(retry_exceptions=[KeyError], max_task_retries=5)
        def of_others(self):
            self.count(1)
            raise Passing("never")

        def number(self):
            return self.tries

    class Async(Base):
        @ray.method(retry_exceptions=[Passing], max_task_retries=5)
        async def plain(self, least):
            return self.count(least)

        @ray.method(retry_exceptions=[Passing], max_task_retries=5)
        async def stream(self, least):
            yield self.count(least)

    actor = ray.remote(Async if kind.startswith("async") else Base).remote()
    result = [ray.get(ref) for ref in actor.stream.remote(3)] if kind.endswith("stream") else [ray.get(actor.plain.remote(3))]
    assert result == [3]
    with pytest.raises(Passing, match="never"):
        ray.get(actor.of_others.remote())
    assert ray.get(actor.number.remote()) == 4, "it was tried once"


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_a_call_may_list_exceptions_of_its_own(cluster, kind):
    class Passing(Exception):
        pass

    class Base:
        def __init__(self):
            self.tries = 0

        def count(self, least):
            self.tries += 1
            if self.tries < least:
                raise Passing(f"try {self.tries}")
            return self.tries

        def number(self):
            return self.tries

    class Plain(Base):
        @ray.method(retry_exceptions=[KeyError])
        def run(self, least, *, more=0):
            return self.count(least) + more

        def stream(self, least):
            yield self.count(least)

    class Async(Base):
        @ray.method(retry_exceptions=[KeyError])
        async def run(self, least, *, more=0):
            return self.count(least) + more

        async def stream(self, least):
            yield self.count(least)

    actor = ray.remote(Plain if kind == "plain" else Async).remote()
    again = {"max_task_retries": 5, "retry_exceptions": [Passing]}
    assert ray.get(actor.run.options(**again).options(name="again").remote(3, more=10)) == 13
    assert [ray.get(ref) for ref in actor.stream.options(**again).remote(6)] == [6]
    # Those of the class count no more.
    with pytest.raises(Passing, match="try 7"):
        ray.get(actor.run.options(max_task_retries=5, retry_exceptions=[KeyError, ValueError]).remote(100))
    with pytest.raises(TypeError):
        actor.run.options(**again).remote()
    assert ray.get(actor.number.remote()) == 7


def test_calls_may_keep_their_order_where_they_need_not(cluster):
    @ray.remote(allow_out_of_order_execution=True)
    class Actor:
        def echo(self, value):
            return value

    actor = Actor.remote()
    assert ray.get([actor.echo.remote(i) for i in range(10)]) == list(range(10))


def test_an_actor_makes_actors_of_its_own_class(cluster):
    class Node:
        def __init__(self, depth):
            self.children = [Node.remote(depth - 1) for _ in range(2)] if depth else []

        def count(self):
            return 1 + sum(ray.get([child.count.remote() for child in self.children]))

        @ray.method(num_returns=2)
        def two(self):
            return 1, 2

    Node = ray.remote(num_cpus=0)(Node)
    assert ray.get(Node.remote(2).count.remote()) == 7
    with pytest.raises(TypeError):
        Node.remote()


@ray.remote(num_cpus=0)
class Named:
    @ray.method(num_returns=2)
    def two(self):
        return 1, 2


@ray.remote
def use_as_soon_as_it_is_there(name):
    while True:
        try:
            return ray.get(ray.get_actor(name).two.remote())
        except ValueError:
            pass


def test_whoever_finds_an_actor_knows_its_methods_at_once(cluster):
    for i in range(20):
        found = [use_as_soon_as_it_is_there.remote(f"found {i}") for _ in range(2)]
        actor = Named.options(name=f"found {i}").remote()
        assert ray.get(found, timeout=20) == [[1, 2], [1, 2]]
        del actor


def test_get_if_exists_leaves_an_actor_of_another_class_as_it_is(cluster):
    @ray.remote(num_cpus=0)
    class Other:
        def one(self):
            return 1

    @ray.remote
    def join():
        Other.options(name="kept", get_if_exists=True).remote()

    actor = Named.options(name="kept").remote()
    ray.get(actor.two.remote())
    ray.get(join.remote())
    assert ray.get(ray.get_actor("kept").two.remote()) == [1, 2]


class Closing:
    def __init__(self, path):
        atexit.register(lambda: path.touch())

    def leave(self):
        ray.actor.exit_actor()


@pytest.mark.parametrize("end", ["terminate", "last handle", "exit_actor"])
def test_an_actor_that_ends_by_itself_runs_what_it_has_registered_with_atexit(cluster, tmp_path, end):
    actor = ray.remote(Closing).remote(tmp_path / "closed")
    ray.get(actor.__ray_ready__.remote())
    if end == "terminate":
        actor.__ray_terminate__.remote()
    elif end == "exit_actor":
        with pytest.raises(ray.exceptions.ActorDiedError):
            ray.get(actor.leave.remote())
    else:
        del actor
    assert eventually(lambda: (tmp_path / "closed").exists())


def test_one_that_is_killed_does_not(cluster, tmp_path):
    actor = ray.remote(Closing).remote(tmp_path / "closed")
    ray.get(actor.__ray_ready__.remote())
    ray.kill(actor)
    with pytest.raises(ray.exceptions.ActorDiedError):
        ray.get(actor.__ray_ready__.remote())
    time.sleep(0.2)
    assert not (tmp_path / "closed").exists()
