"""The exceptions: their hierarchy, how user code makes them, and that they travel (the contract's section 1.8)."""

import asyncio
import builtins
import dataclasses
import gc
import os
import pickle
import re
import sys
import time
import weakref

import cloudpickle
import pytest

import manta as ray
from manta import exceptions as e

OBJECT_LOST = dict(object_ref_hex="ab" * 16, owner_address="owner", call_site="file.py:3")


def task_error(cause=None):
    return e.RayTaskError("f", "Traceback: ...", cause or ValueError("bad"), pid=12, ip="10.0.0.1", actor_repr="A()", actor_id="aa")


MADE = [
    # exception, its bases, attributes
    (e.RayError("x"), (Exception,), {}),
    (task_error(), (e.RayError,), dict(function_name="f", traceback_str="Traceback: ...", pid=12, ip="10.0.0.1", actor_repr="A()",
                                       actor_id="aa", proctitle="ray::f")),
    (e.CrossLanguageError("java said no"), (e.RayError,), {}),
    (e.UserCodeException("x"), (e.RayError,), {}),
    (e.TaskCancelledError(ray.TaskID(b"\x01" * 16)), (e.RayError,), dict(task_id=ray.TaskID(b"\x01" * 16))),
    (e.TaskCancelledError(error_message="why"), (e.RayError,), dict(task_id=None, error_message="why")),
    (e.RayActorError("aa", "why", True, True), (e.RayError,), dict(actor_id="aa", error_msg="why", actor_init_failed=True, preempted=True)),
    (e.ActorDiedError(actor_id="aa", error_msg="why", preempted=True), (e.RayActorError,),
     dict(actor_id="aa", error_msg="why", actor_init_failed=False, preempted=True)),
    (e.ActorUnavailableError("The actor is restarting", b"aa"), (e.RayActorError,),
     dict(actor_id=b"aa", error_msg="The actor is restarting", preempted=False)),
    (e.AsyncioActorExit("x"), (e.RayError,), {}),
    (e.WorkerCrashedError(), (e.RayError,), {}),
    (e.NodeDiedError("gone"), (e.RayError,), dict(message="gone")),
    (e.LocalRayletDiedError(), (e.RayError,), {}),
    (e.RaySystemError("low", "Traceback"), (e.RayError,), dict(client_exc="low", traceback_str="Traceback")),
    (e.AuthenticationError("wrong secret"), (e.RayError,), dict(message="wrong secret")),
    (e.UnserializableException("Traceback"), (e.RayError,), dict(original_stack_trace="Traceback")),
    (e.ObjectStoreFullError("full"), (e.RayError,), {}),
    (e.OutOfDiskError("full"), (e.RayError,), {}),
    (e.OutOfMemoryError("much"), (e.RayError,), dict(message="much")),
    (e.ObjectLostError(**OBJECT_LOST), (e.RayError,), OBJECT_LOST),
    (e.ObjectFetchTimedOutError(**OBJECT_LOST), (e.ObjectLostError,), OBJECT_LOST),
    (e.ReferenceCountingAssertionError(**OBJECT_LOST), (e.ObjectLostError, AssertionError), OBJECT_LOST),
    (e.ObjectFreedError(**OBJECT_LOST), (e.ObjectLostError,), OBJECT_LOST),
    (e.OwnerDiedError(**OBJECT_LOST), (e.ObjectLostError,), OBJECT_LOST),
    (e.ObjectReconstructionFailedError(**OBJECT_LOST), (e.ObjectLostError,), OBJECT_LOST),
    (e.ObjectReconstructionFailedMaxAttemptsExceededError(**OBJECT_LOST), (e.ObjectReconstructionFailedError,), OBJECT_LOST),
    (e.ObjectReconstructionFailedLineageEvictedError(**OBJECT_LOST), (e.ObjectReconstructionFailedError,), OBJECT_LOST),
    (e.GetTimeoutError("late"), (e.RayError, TimeoutError), {}),
    (e.PlasmaObjectNotAvailable("x"), (e.RayError,), {}),
    (e.PendingCallsLimitExceeded("many"), (e.RayError,), dict(error_message="many")),
    (e.TaskUnschedulableError("nowhere"), (e.RayError,), dict(error_message="nowhere")),
    (e.ActorUnschedulableError("nowhere"), (e.RayError,), dict(error_message="nowhere")),
    (e.TaskPlacementGroupRemoved(), (e.RayError,), {}),
    (e.ActorPlacementGroupRemoved(), (e.RayError,), {}),
    (e.RuntimeEnvSetupError("no such package"), (e.RayError,), dict(error_message="no such package")),
    (e.RayChannelError("x"), (e.RaySystemError,), {}),
    (e.RayChannelTimeoutError("x"), (e.RayChannelError, TimeoutError), {}),
    (e.RayCgraphCapacityExceeded("x"), (e.RaySystemError,), {}),
    (e.ObjectRefStreamEndOfStreamError("x"), (e.RayError,), {}),
    (e.RpcError("no answer", rpc_code=4), (e.RayError,), dict(message="no answer", rpc_code=4)),
    (e.ActorHandleNotFoundError("x"), (ValueError, e.RayError), {}),
    (e.StreamingGeneratorReplayInconsistentError("x"), (e.RaySystemError,), {}),
    (e.RayDirectTransportError("x"), (e.RaySystemError,), {}),
    (e.OufOfBandObjectRefSerializationException("x"), (e.RayError,), {}),
]


@pytest.mark.parametrize("error, bases, attributes", MADE, ids=[type(error).__name__ for error, _, _ in MADE])
def test_it_is_made_as_in_ray_and_travels(error, bases, attributes):
    assert all(isinstance(error, base) for base in bases) and isinstance(error, e.RayError)
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error) and str(copy) == str(error) and str(error)
    for name, value in attributes.items():
        assert getattr(error, name) == value and getattr(copy, name) == value


def test_all_classes_are_among_them():
    made = {type(error).__name__ for error, _, _ in MADE}
    assert set(e.__all__) - made == {"ActorAlreadyExistsError"}
    assert issubclass(e.ActorAlreadyExistsError, ValueError)


def test_an_actor_died_of_its_constructor():
    died = e.ActorDiedError(task_error())
    assert died.actor_init_failed and died.actor_id == "aa" and "an error raised in its creation task" in str(died)
    copy = pickle.loads(pickle.dumps(died))
    assert copy.actor_init_failed and str(copy) == str(died)


def test_an_error_is_of_its_causes_type_too():
    class Mine(Exception):
        def __init__(self, code):
            super().__init__(code)
            self.code = code

    error = task_error(Mine(7)).as_instanceof_cause()
    assert isinstance(error, Mine) and isinstance(error, e.RayTaskError)
    assert error.code == 7 and "RayTaskError(Mine)" in repr(type(error)) and "Traceback: ..." in str(error)


def test_an_error_keeps_no_class_alive():
    def of_a_class_of_its_own():
        class Mine(Exception):
            pass

        error = task_error(Mine()).as_instanceof_cause()
        assert type(task_error(Mine()).as_instanceof_cause()) is type(error)
        return weakref.ref(Mine), weakref.ref(type(error))

    mine, double = of_a_class_of_its_own()
    gc.collect()
    assert mine() is None and double() is None


def test_a_class_travels_without_what_errors_are_made_of():
    class Mine(Exception):
        pass

    assert isinstance(task_error(Mine()).as_instanceof_cause(), Mine)
    copy = pickle.loads(cloudpickle.dumps(Mine))
    assert isinstance(task_error(copy()).as_instanceof_cause(), copy) and b"RayTaskError" not in cloudpickle.dumps(Mine)


def test_a_cause_that_nothing_can_be_derived_from():
    class Meta(type):
        def __new__(mcs, name, bases, members):
            if any(isinstance(base, Meta) for base in bases):
                raise TypeError("final")
            return super().__new__(mcs, name, bases, members)

    class Final(Exception, metaclass=Meta):
        pass

    with pytest.warns(UserWarning, match="Final cannot be derived from"):
        error = task_error(Final("x")).as_instanceof_cause()
    assert type(error) is e.RayTaskError and isinstance(error.cause, Final)


@pytest.mark.usefixtures("cluster")
def test_user_code_raises_and_catches_them():
    @ray.remote(max_retries=0)
    def fail(error):
        raise error

    for error in (e.OutOfMemoryError("much"), e.RayActorError("aa", "why"), e.ObjectLostError(**OBJECT_LOST), e.RaySystemError("low")):
        with pytest.raises(type(error)) as caught:
            ray.get(fail.remote(error))
        assert isinstance(caught.value, e.RayTaskError)


@pytest.mark.usefixtures("cluster")
def test_what_programs_look_for_in_the_texts():
    @ray.remote(num_cpus=0)
    class Actor:
        def __init__(self, fine):
            if not fine:
                raise ValueError("cannot be")

        def ping(self):
            return 1

    with pytest.raises(e.ActorDiedError, match="an error raised in its creation task") as caught:
        ray.get(Actor.remote(False).ping.remote())
    assert caught.value.actor_init_failed and "cannot be" in str(caught.value)
    killed = Actor.remote(True)
    assert ray.get(killed.ping.remote()) == 1
    ray.kill(killed, no_restart=True)
    with pytest.raises(e.ActorDiedError, match="killed by `ray.kill`") as caught:
        ray.get(killed.ping.remote())
    assert not caught.value.actor_init_failed and not caught.value.preempted


@ray.remote(num_cpus=0)
class Replica:
    def __init__(self, index):
        self.index = int(index)

    def __repr__(self):
        return f"Replica(index={self.index})"

    def fail(self):
        raise ValueError("cannot be")

    async def fail_later(self):
        raise ValueError("cannot be")

    def crash(self):
        os._exit(1)


@pytest.mark.parametrize("method", ["fail", "fail_later"])
def test_an_error_says_which_actor_has_raised_it(cluster, method):
    replica = Replica.remote(3)
    with pytest.raises(ValueError) as caught:
        ray.get(getattr(replica, method).remote())
    error = caught.value
    assert (error.function_name, error.proctitle, error.actor_repr, error.actor_id) == (
        method, f"ray::Replica.{method}", "Replica(index=3)", replica._actor_id.hex())
    assert re.match(rf"ray::Replica.{method}\(\) \(pid={error.pid}, ip=127.0.0.1, actor_id={error.actor_id}, repr=Replica\(index=3\)\)\n"
                    "Traceback", str(error))


def test_an_error_says_which_task_has_raised_it(cluster):
    @ray.remote
    def fail():
        raise ValueError("cannot be")

    with pytest.raises(ValueError) as caught:
        ray.get(fail.options(name="named").remote())
    error = caught.value
    assert (error.proctitle, error.actor_repr, error.actor_id) == ("ray::named", None, None)
    assert str(error).startswith(f"ray::named() (pid={error.pid}, ip=127.0.0.1)\nTraceback")


def test_an_actor_whose_repr_fails_is_named_all_the_same(cluster):
    @ray.remote
    class Shy:
        def __repr__(self):
            return self.missing

        def fail(self):
            raise ValueError("cannot be")

    with pytest.raises(ValueError, match="cannot be") as caught:
        ray.get(Shy.remote().fail.remote())
    assert "Shy object at 0x" in caught.value.actor_repr


def killed():
    replica = Replica.remote(0)
    ray.kill(replica)
    return replica, replica.fail.remote()


def crashed():
    replica = Replica.remote(0)
    return replica, replica.crash.remote()


def restarting():
    replica = Replica.options(max_restarts=1).remote(0)
    return replica, replica.crash.remote()


def without_constructor():
    replica = Replica.remote("no number")
    return replica, replica.fail.remote()


@pytest.mark.parametrize("make", [killed, crashed, restarting, without_constructor])
def test_an_error_says_which_actor_cannot_run_the_call(cluster, make):
    replica, ref = make()

    @ray.remote
    def use(value):
        return value

    for failed in (ref, use.remote(ref)):  # and of whom a task cannot get its argument
        with pytest.raises(e.RayActorError) as caught:
            ray.get(failed)
        assert caught.value.actor_id == replica._actor_id.hex()
        assert isinstance(caught.value, e.ActorUnavailableError if make is restarting else e.ActorDiedError)


def test_an_error_says_which_task_was_cancelled(cluster):
    @ray.remote
    def sleep(before=None):
        time.sleep(60)

    running = sleep.remote()
    waiting = sleep.remote(running)
    ray.wait([running], timeout=0.5)
    for ref in (waiting, running):
        ray.cancel(ref)
        with pytest.raises(e.TaskCancelledError) as caught:
            ray.get(ref)
        assert caught.value.task_id == ref.task_id()


def test_the_death_of_an_actor_names_its_class(cluster):
    @ray.remote
    class Mortal:
        def end(self):
            os._exit(4)

    with pytest.raises(ray.exceptions.ActorDiedError, match=r"Mortal, pid \d+"):
        ray.get(Mortal.remote().end.remote())


@pytest.mark.skipif(sys.version_info < (3, 11), reason="exception groups came with 3.11")
def test_exceptions_that_are_made_from_arguments_alone(cluster):
    @ray.remote
    def group():
        raise ExceptionGroup("two", [ValueError(1), KeyError(2)])

    @ray.remote
    def memory():
        raise MemoryError("too much")

    class Strict(Exception):
        def __new__(cls, first, second):
            return super().__new__(cls, first, second)

    @ray.remote
    def strict():
        raise Strict(1, 2)

    with pytest.raises(ExceptionGroup) as caught:
        ray.get(group.remote())
    assert isinstance(caught.value, ray.exceptions.RayTaskError)
    assert [type(one) for one in caught.value.exceptions] == [ValueError, KeyError]
    assert type(caught.value.split(ValueError)[0].exceptions[0]) is ValueError
    with pytest.raises(MemoryError, match="too much"):
        ray.get(memory.remote())
    with pytest.raises(Strict) as caught:
        ray.get(strict.remote())
    assert caught.value.args == (1, 2)


@ray.remote
def raises_builtin(kind):
    if kind == "stop":
        next(iter([]))
    if kind == "file":
        open("/nowhere/x")
    if kind == "import":
        import a_module_that_nobody_has  # noqa: F401
    b"\xff".decode()


def test_what_builtin_exceptions_keep_outside_of_their_dicts_arrives(cluster):
    with pytest.raises(StopIteration) as stopped:
        ray.get(raises_builtin.remote("stop"))
    assert stopped.value.value is None
    with pytest.raises(FileNotFoundError) as missing:
        ray.get(raises_builtin.remote("file"))
    assert (missing.value.filename, missing.value.strerror) == ("/nowhere/x", "No such file or directory")
    with pytest.raises(ImportError) as absent:
        ray.get(raises_builtin.remote("import"))
    assert absent.value.name == "a_module_that_nobody_has"
    with pytest.raises(UnicodeDecodeError) as undecodable:
        ray.get(raises_builtin.remote("decode"))
    assert (undecodable.value.start, undecodable.value.reason) == (0, "invalid start byte")


def test_every_builtin_exception_arrives_in_every_way(cluster):
    @ray.remote
    def raises(error):
        raise error

    async def awaits(ref):
        await ref

    def yields(ref):
        class Items:
            def __iter__(self):
                return self

            def __next__(self):
                return ray.get(ref)

        yield from Items()

    kinds = [kind for kind in vars(builtins).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    for kind in kinds:
        error = kind("utf-8", b"x", 0, 1, "why") if kind is UnicodeDecodeError else (
            kind("utf-8", "x", 0, 1, "why") if kind is UnicodeEncodeError else kind("x", 0, 1, "why") if kind is UnicodeTranslateError else
            kind("group", [ValueError("x")]) if kind.__name__ == "ExceptionGroup" else kind("x"))
        ref = raises.remote(error)
        with pytest.raises(kind):
            ray.get(ref)
        with pytest.raises(e.RayTaskError if issubclass(kind, StopIteration) else kind):
            asyncio.run(awaits(ref))
        if not issubclass(kind, StopIteration):
            with pytest.raises(kind):
                list(yields(ref))


def test_classes_of_exceptions_that_do_as_they_please(cluster):
    @ray.remote
    def raises(how):
        @dataclasses.dataclass(frozen=True)
        class Frozen(Exception):
            code: int

        class Mute(Exception):
            def __str__(self):
                raise LookupError("no text")

        class Agreeable(Exception):
            def __getattr__(self, name):
                return name

        raise {"frozen": Frozen, "mute": Mute, "agreeable": Agreeable}[how](3)

    for how in ("frozen", "mute", "agreeable"):
        with pytest.raises(e.RayTaskError) as caught:
            ray.get(raises.remote(how))
        assert how.capitalize() in str(caught.value)


def test_of_an_exception_that_is_too_large_the_class_arrives(cluster):
    @ray.remote
    def raises(message, attached):
        error = ValueError(message)
        error.code, error.attached = 3, attached
        raise error

    with pytest.raises(ValueError, match="ValueError: short") as caught:
        ray.get(raises.remote("short", bytes(5 << 20)))
    assert caught.value.code == 3 and not hasattr(caught.value.cause, "attached")
    assert "left out: attached" in caught.value.cause.__notes__[0]
    with pytest.raises(ValueError) as caught:
        ray.get(raises.remote("begins" + "y" * (3 << 20) + "ends", None))
    assert caught.value.args[0].startswith("begins") and caught.value.args[0].endswith("ends") and " more " in caught.value.args[0]
