"""References that a program carries by itself, pickled outside of values: in bytes, in files, from process to process."""

import gc
import pickle
import subprocess
import sys

import pytest

import manta as ray
from waiting import eventually

# Kept for the job's life, on purpose: what was pickled by hand.
OBJECTS_OF_EXPORTED_FUNCTIONS = 100


@ray.remote
def load_and_get(pickled):
    return ray.get(pickle.loads(pickled))


@ray.remote
def put_and_pickle(value):
    return pickle.dumps(ray.put(value))


@ray.remote
def slow(value):
    import time

    time.sleep(0.3)
    return value


@ray.remote
class Keeper:
    def take(self, pickled):
        self.refs = pickle.loads(pickled)

    def get(self):
        return ray.get(self.refs)

    def give(self):
        return pickle.dumps(self.refs)


@pytest.mark.parametrize("value", [7, "x" * 1_000_000], ids=["small", "large"])
def test_into_a_task(cluster, value):
    assert ray.get(load_and_get.remote(pickle.dumps(ray.put(value)))) == value


@pytest.mark.parametrize("value", [7, "x" * 1_000_000], ids=["small", "large"])
def test_out_of_a_task(cluster, value):
    assert ray.get(pickle.loads(ray.get(put_and_pickle.remote(value)))) == value


def test_before_the_value_is_there(cluster):
    assert ray.get(load_and_get.remote(pickle.dumps(slow.remote("late")))) == "late"


def test_the_same_reference_in_the_process_that_pickled_it(cluster):
    ref = ray.put("mine")
    assert pickle.loads(pickle.dumps(ref)) == ref


def test_many_at_once(cluster):
    refs = [ray.put(i) for i in range(20)]
    keeper = Keeper.remote()
    ray.get(keeper.take.remote(pickle.dumps(refs)))
    assert ray.get(keeper.get.remote()) == list(range(20))


def test_by_its_id(cluster):
    ref = ray.put("known")
    for same in (ray.ObjectRef.from_binary(ref.binary()), ray.ObjectRef.from_hex(ref.hex())):
        assert same == ref and hash(same) == hash(ref) and ray.get(same) == "known"
    with pytest.raises(ValueError, match="16 bytes"):
        ray.ObjectRef.from_binary(b"short")


def test_one_that_names_no_object(cluster):
    nil, random = ray.ObjectRef.nil(), ray.ObjectRef.from_random()
    assert nil.is_nil() and nil == ray.ObjectRef.nil() and not random.is_nil() and random != ray.ObjectRef.from_random()
    for ref in (nil, random):
        with pytest.raises(ray.exceptions.ObjectLostError):
            ray.get(ref, timeout=60)
        with pytest.raises(ray.exceptions.ObjectLostError):
            ray.get(load_and_get.remote(ref), timeout=60)


def test_what_was_pickled_stays_though_its_owner_forgets_it(cluster):
    pickled = pickle.dumps(ray.put([1, 2, 3]))
    gc.collect()
    assert ray.get(load_and_get.remote(pickled)) == [1, 2, 3]
    assert ray.get(load_and_get.remote(pickled)) == [1, 2, 3]


def test_from_a_borrower_to_a_third_process(cluster):
    first, second = Keeper.remote(), Keeper.remote()
    ray.get(first.take.remote(pickle.dumps([ray.put("passed on")])))
    ray.get(second.take.remote(ray.get(first.give.remote())))
    assert ray.get(second.get.remote()) == ["passed on"]


def test_is_passed_to_tasks_as_any_other(cluster):
    @ray.remote
    def pass_on(pickled):
        ref = pickle.loads(pickled)
        return ray.get(slow.remote(ref)), [ref]

    value, [ref] = ray.get(pass_on.remote(pickle.dumps(ray.put("argument"))))
    assert value == ray.get(ref) == "argument"


def test_its_error_arrives(cluster):
    @ray.remote
    def fail():
        raise KeyError("gone")

    with pytest.raises(KeyError, match="gone"):
        ray.get(load_and_get.remote(pickle.dumps(fail.remote())))


def test_its_owner_has_died(cluster):
    @ray.remote
    class Owner:
        def pickled(self):
            return pickle.dumps(ray.put("mine"))

    owner = Owner.remote()
    pickled = ray.get(owner.pickled.remote())
    ray.kill(owner)

    def lost():
        with pytest.raises(ray.exceptions.RayTaskError) as caught:
            ray.get(load_and_get.remote(pickled), timeout=20)
        return isinstance(caught.value.cause, ray.exceptions.OwnerDiedError)

    assert eventually(lost)


def test_a_handle_of_an_actor(cluster):
    @ray.remote
    class Counter:
        def __init__(self):
            self.count = 0

        def add(self):
            self.count += 1
            return self.count

    @ray.remote
    def add(pickled):
        return ray.get(pickle.loads(pickled).add.remote())

    counter = Counter.remote()
    pickled = pickle.dumps(counter)
    assert ray.get([add.remote(pickled), add.remote(pickled)]) in ([1, 2], [2, 1])
    assert ray.get(pickle.loads(pickled).add.remote()) == 3


def test_may_be_forbidden(cluster, monkeypatch):
    ref = ray.put(1)
    monkeypatch.setenv("RAY_allow_out_of_band_object_ref_serialization", "0")
    with pytest.raises(ray.exceptions.OufOfBandObjectRefSerializationException, match="inside any value"):
        pickle.dumps(ref)
    assert ray.get(ray.get(ray.put([ref]))[0]) == 1


@ray.remote
class Holder:
    def take(self, pickled):
        self.ref = pickle.loads(pickled)

    def give(self):
        return [self.ref]

    def me(self):
        return ray.get_runtime_context().current_actor


@ray.remote
def give_back(pickled):
    return [pickle.loads(pickled)]


def test_back_to_its_owner_in_results(cluster):
    for i in range(300):
        [ref] = ray.get(give_back.remote(pickle.dumps(ray.put(i))))
        assert ray.get(ref) == i
    pickled = [pickle.dumps(ray.put(i)) for i in range(300)]
    assert ray.get([ref for [ref] in ray.get([give_back.remote(one) for one in pickled])]) == list(range(300))


def test_back_to_its_owner_by_a_later_call(cluster):
    holder = Holder.remote()
    for i in range(100):
        holder.take.remote(pickle.dumps(ray.put(i)))
        assert ray.get(ray.get(holder.give.remote())) == [i]


def test_back_to_its_owner_as_an_argument(cluster):
    @ray.remote
    class Owner:
        def make(self):
            return pickle.dumps(ray.put("mine"))

        def get(self, refs):
            return ray.get(refs[0])

    owner = Owner.remote()
    for _ in range(50):
        assert ray.get(owner.get.remote([pickle.loads(ray.get(owner.make.remote()))])) == "mine"


def test_a_handle_of_the_actor_itself(cluster):
    for _ in range(10):
        holder = Holder.remote()
        assert ray.get(holder.me.remote()) == holder


_CARRY = """
import pickle, sys
import manta as ray
ray.init(address=sys.argv[1])
pickle.dump(ray.put('in a file'), open(sys.argv[2], 'wb'))
print('done', flush=True)
sys.stdin.read()
"""

_LOAD = """
import pickle, sys
import manta as ray
ray.init(address=sys.argv[1])
try:
    print(ray.get(pickle.load(open(sys.argv[2], 'rb')), timeout=20))
except ray.exceptions.ObjectLostError as error:
    print(type(error).__name__, error)
"""


def load_elsewhere(address, path):
    loaded = subprocess.run([sys.executable, "-c", _LOAD, address, str(path)], capture_output=True, text=True, timeout=60)
    assert loaded.returncode == 0, loaded.stderr
    return loaded.stdout


def test_through_a_file_to_another_program(other_cluster, tmp_path):
    address, _ = other_cluster
    path = tmp_path / "ref"
    with subprocess.Popen([sys.executable, "-c", _CARRY, address, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as carrier:
        assert carrier.stdout.readline() == "done\n"
        assert load_elsewhere(address, path) == "in a file\n"
        carrier.stdin.close()
    assert load_elsewhere(address, path).startswith("OwnerDiedError")


def test_into_another_cluster_says_so(cluster, tmp_path):
    path = tmp_path / "ref"
    path.write_bytes(pickle.dumps(ray.put("in a file")))
    said = load_elsewhere("local", path)
    assert said.startswith("ObjectLostError") and "another cluster" in said, said
