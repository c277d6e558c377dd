"""Processes of a cluster are killed at random moments, while a driver works: every reference gives what the oracle says, or a typed error;
afterwards the cluster works, and nothing is left of what it held. MANTA_KILL_SEED repeats a run."""

import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time

import manta as ray
import numpy as np
import pytest

SEED = int(os.environ.get("MANTA_KILL_SEED", str(random.randrange(1 << 30))))
LARGE = 20_000  # float64s: an object of the arena


@pytest.fixture(autouse=True)
def seed():
    print(f"MANTA_KILL_SEED={SEED}")
    return random.Random(SEED)


@pytest.fixture
def cluster():
    with ray.init(num_cpus=2, resources={"slot": 4}, object_store_memory=256 << 20):
        yield


def kin(pid):
    """The children of a process, with their command lines."""
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == pid:
                found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            pass
    return found


def tree(pid):
    return [pid, *(other for child in kin(pid) for other in tree(child))]


def daemon_of(pid):
    [daemon] = [child for child, command in kin(pid).items() if "manta" in command.split()[0]]
    return daemon


def zygotes(daemon):
    return [child for child, command in kin(daemon).items() if "_worker.main" in command]


def workers(daemon):
    return [worker for zygote in zygotes(daemon) for worker in kin(zygote)]


class Killer:
    """Kills one of what `find` gives now and then, while it is used as a context; `most` in all, for on a busy machine the next kill may
    always come before what it interrupts has got anywhere."""

    def __init__(self, random_numbers, find, most, pause=(0.01, 0.1)):
        self._random, self._find, self._most, self._pause = random_numbers, find, most, pause
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.kills = 0

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exception):
        self._over.set()
        self._thread.join()

    def _run(self):
        while self.kills < self._most and not self._over.wait(self._random.uniform(*self._pause)):
            found = self._find()
            if found:
                try:
                    os.kill(self._random.choice(found), signal.SIGKILL)
                    self.kills += 1
                except ProcessLookupError:
                    pass


def everything_is_free(within=20):
    """Resources and object space come back."""
    total = ray.cluster_resources()
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        free = ray.available_resources()
        if all(abs(free.get(name, 0) - amount) < 1e-6 for name, amount in total.items() if name in ("CPU", "slot")):
            if not ray.util.state.list_objects():
                return True
        time.sleep(0.05)
    return False


@ray.remote(max_retries=-1)
def work(i, values):
    time.sleep(0.001 * (i % 5))
    return i + float(values.sum()), np.full(LARGE if i % 7 == 0 else 3, i)


@ray.remote(max_retries=0)
def once(i):
    time.sleep(0.001 * (i % 5))
    return i * i


@ray.remote(max_retries=-1)
def parent(i, values):
    return sum(value for value, _ in ray.get([work.remote(i + k, values) for k in range(3)]))


def test_workers(cluster, seed):
    daemon = daemon_of(os.getpid())
    values = ray.put(np.ones(LARGE))
    with Killer(seed, lambda: workers(daemon), 20) as killer:
        while killer.kills < 20:
            refs = [work.remote(i, values) for i in range(300)]
            single = [once.remote(i) for i in range(100)]
            nested = [parent.remote(i, values) for i in range(20)]
            for i, (total, array) in enumerate(ray.get(refs, timeout=120)):
                assert total == i + LARGE and array[0] == array[-1] == i
            for i, ref in enumerate(single):
                try:
                    assert ray.get(ref, timeout=60) == i * i
                except ray.exceptions.WorkerCrashedError as error:
                    assert "SIGKILL" in str(error)
            assert ray.get(nested, timeout=120) == [3 * i + 3 + 3 * LARGE for i in range(20)]
    del refs, single, nested, values, array
    assert ray.get(once.remote(7)) == 49 and everything_is_free()


@ray.remote(max_restarts=-1, max_task_retries=-1)
class Account:
    def __init__(self):
        self.entries = {}

    def enter(self, i):
        self.entries[i] = i
        return i, len(self.entries)

    def pid(self):
        return os.getpid()


def test_actors(cluster, seed):
    accounts = [Account.remote() for _ in range(4)]
    pids = dict(zip(accounts, ray.get([account.pid.remote() for account in accounts])))
    daemon = daemon_of(os.getpid())
    with Killer(seed, lambda: workers(daemon), 10, (0.05, 0.2)) as killer:
        while killer.kills < 10:
            for i, ref in [(i, accounts[i % 4].enter.remote(i)) for i in range(100)]:
                assert ray.get(ref, timeout=60)[0] == i
    assert any(ray.get(account.pid.remote()) != pid for account, pid in pids.items())


def test_actors_that_do_not_start_again(cluster, seed):
    Mortal = Account.options(max_restarts=0, max_task_retries=0)
    for _ in range(5):
        account = Mortal.remote()
        pid = ray.get(account.pid.remote())
        refs = [account.enter.remote(i) for i in range(2_000)]
        time.sleep(seed.uniform(0, 0.005))
        os.kill(pid, signal.SIGKILL)
        alive = True
        for i, ref in enumerate(refs):
            try:
                assert ray.get(ref, timeout=60) == (i, i + 1) and alive, "in order, and nothing after its end"
            except ray.exceptions.ActorDiedError as error:
                assert "SIGKILL" in str(error)
                alive = False
        with pytest.raises(ray.exceptions.ActorDiedError):
            ray.get(account.pid.remote(), timeout=60)


def test_zygotes(cluster, seed):
    daemon = daemon_of(os.getpid())
    values = ray.put(np.ones(LARGE))
    with Killer(seed, lambda: zygotes(daemon), 4, (0.3, 0.6)) as killer:
        while killer.kills < 4:
            totals = [total for total, _ in ray.get([work.remote(i, values) for i in range(200)], timeout=120)]
            assert totals == [i + LARGE for i in range(200)]
    assert ray.get(once.remote(3), timeout=60) == 9


def test_streams(cluster, seed):
    @ray.remote(max_retries=-1)
    def numbers(count):
        for i in range(count):
            time.sleep(0.001)
            yield i, np.full(LARGE if i % 10 == 0 else 2, i)

    daemon = daemon_of(os.getpid())
    with Killer(seed, lambda: workers(daemon), 4, (0.02, 0.1)) as killer:
        while killer.kills < 4:
            streams = [numbers.remote(60) for _ in range(3)]
            for stream in streams:
                for expected, ref in enumerate(stream):
                    i, array = ray.get(ref, timeout=60)
                    assert i == expected and array[-1] == i
                assert expected == 59


DRIVER = '''
    import os, sys, threading, time
    import manta as ray
    import numpy as np
    context = ray.init(num_cpus=2)

    @ray.remote(max_retries=-1)
    def work(i, values):
        time.sleep(0.001)
        return i + values.sum(), np.ones(20_000)

    @ray.remote
    class Actor:
        def ping(self, value):
            return value

    values = ray.put(np.ones(20_000))
    actor = Actor.options(name="a").remote()
    ray.get(actor.ping.remote(1))
    print(context["session_dir"], flush=True)
    kept = []
    while True:
        kept = kept[-100:] + [work.remote(i, values) for i in range(50)] + [actor.ping.remote(values)]
        try:
            ray.get(kept, timeout=60)
        except ray.exceptions.RayError as error:
            print(type(error).__name__, flush=True)
            break
    try:
        ray.get(work.remote(1, 2), timeout=60)
    except Exception as error:
        print(type(error).__name__, flush=True)
'''


def start_driver():
    driver = subprocess.Popen([sys.executable, "-c", textwrap.dedent(DRIVER)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    session = driver.stdout.readline().strip()
    assert session, driver.stderr.read()
    return driver, session


def left_in(session):
    """Beside logs and recorder."""
    return sorted(set(os.listdir(session)) - {"logs", "recorder"}) if os.path.exists(session) else []


def await_end(pids, within=20):
    deadline = time.monotonic() + within
    while time.monotonic() < deadline and any(os.path.exists(f"/proc/{pid}") for pid in pids):
        time.sleep(0.02)
    return [pid for pid in pids if os.path.exists(f"/proc/{pid}")]


@pytest.mark.parametrize("turn", range(4))
def test_drivers(seed, turn):
    driver, session = start_driver()
    time.sleep(seed.uniform(0, 0.5))
    family = tree(driver.pid)
    assert len(family) > 3
    driver.kill()
    driver.wait()
    assert await_end(family[1:]) == []
    deadline = time.monotonic() + 10
    while left_in(session) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert left_in(session) == []


@pytest.mark.parametrize("turn", range(4))
def test_daemons(seed, turn):
    driver, session = start_driver()
    time.sleep(seed.uniform(0, 0.5))
    family = tree(driver.pid)
    os.kill(daemon_of(driver.pid), signal.SIGKILL)
    out, err = driver.communicate(timeout=60)
    said = out.split()
    assert driver.returncode == 0 and len(said) == 2, (out, err)
    assert set(said) <= {"LocalRayletDiedError", "NodeDiedError", "ActorDiedError", "OwnerDiedError"}, out
    assert await_end(family) == [] and left_in(session) == []


def test_json_of_lists_stays_readable_under_kills(cluster, seed):
    daemon = daemon_of(os.getpid())
    over = threading.Event()

    def storm():
        while not over.is_set():
            ray.get([once.options(max_retries=-1).remote(i) for i in range(50)], timeout=60)

    thread = threading.Thread(target=storm)
    thread.start()
    with Killer(seed, lambda: workers(daemon), 20, (0.02, 0.1)):
        for _ in range(10):
            for rows in (ray.util.state.list_tasks(), ray.util.state.list_workers(), ray.util.state.list_actors()):
                json.dumps([dict(vars(row)) if not isinstance(row, dict) else row for row in rows], default=str)
    over.set()
    thread.join(timeout=60)
    assert not thread.is_alive()
