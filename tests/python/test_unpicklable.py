"""What is said of values that cannot be pickled: which member of which value it is."""

import io
import threading

import pytest

import manta as ray
from manta.util import inspect_serializability

pytestmark = pytest.mark.usefixtures("cluster")
LOCK = threading.Lock()


def of_classes_and_functions():
    lock = LOCK

    class Method:
        def read(self):
            return lock

    class Attribute:
        guard = lock

    class Default:
        def __init__(self, guard=lock):
            self.guard = guard

    class Derived(Attribute):
        pass

    class Static:
        @staticmethod
        def read():
            return lock

    class Recursive(Method):
        def read(self):
            return super().read()

    def default(guard=lock, *, fine=1):
        return guard

    def keyword(*, guard=lock):
        return guard

    def nested():
        return [lambda: lock]

    return [(Method, "{}Method.read, variable 'lock'"), (Attribute, "{}Attribute.guard"),
            (Default, "{}Default.__init__, default of 'guard'"), (Derived, "{}Derived, base class {}Attribute.guard"),
            (Static, "{}Static.read.__func__, variable 'lock'"), (Recursive, "{}Recursive, base class {}Method.read, variable 'lock'"),
            (default, "{}default, default of 'guard'"), (keyword, "{}keyword, default of 'guard'"), (nested, "{}nested, variable 'lock'")]


@pytest.mark.parametrize("target, where", of_classes_and_functions())
def test_a_function_or_class_names_what_it_uses(target, where):
    with pytest.raises(TypeError) as error:
        ray.remote(target).remote()
    where = where.replace("{}", "of_classes_and_functions.<locals>.")
    assert f"What cannot be pickled: {where} = <unlocked _thread.lock" in str(error.value)


def test_a_value_names_its_member_or_its_class():
    class Guarded:
        def __init__(self):
            self.guards = {"first": [LOCK]}

    class Reads:
        def read(self):
            return lock

    lock = LOCK
    with pytest.raises(TypeError, match=r"What cannot be pickled: value\.guards\['first'\]\[0\] = "):
        ray.put(Guarded())
    with pytest.raises(TypeError, match=r"What cannot be pickled: value, class .*Reads\.read, variable 'lock' = "):
        ray.put(Reads())


def test_a_call_names_its_argument():
    @ray.remote
    def add(a, b=None):
        return a

    @ray.remote
    class Adder:
        def __init__(self, *given):
            pass

        def add(self, a):
            return a

    adder, ref = Adder.remote(), ray.put(1)
    for call, text in ((lambda: add.remote(ref, LOCK), r"for a task or actor .*add: .*\n.*: args\[1\] = <unlocked"),
                       (lambda: add.remote(1, b={"x": LOCK}), r"for a task or actor .*add: .*\n.*: kwargs\['b'\]\['x'\] = <unlocked"),
                       (lambda: adder.add.remote([LOCK]), r"for a task or actor add: .*\n.*: args\[0\]\[0\] = <unlocked"),
                       (lambda: Adder.remote(LOCK), r"for a task or actor .*Adder.__init__: .*\n.*: args\[0\] = <unlocked")):
        with pytest.raises(TypeError, match="Could not serialize the argument .*" + text):
            call()


def test_a_class_is_looked_into():
    class Reads:
        guard = LOCK

        def read(self):
            return lock

    lock = LOCK
    for value in (Reads, Reads()):
        out = io.StringIO()
        fine, failures = inspect_serializability(value, print_file=out)
        assert not fine and {failure.name for failure in failures} <= {"guard", "lock"}
    assert "FAIL serialization of guard" in out.getvalue()
