"""How programs end: with threads of theirs and ours at work, and when a task leaves by sys.exit."""

import subprocess
import sys
import textwrap

import pytest

import manta as ray

_BEGIN = """
import sys, threading, time
import manta as ray
from manta.util.multiprocessing import Pool

ray.init(num_cpus=1)

@ray.remote(num_cpus=0)
def nap(seconds):
    time.sleep(seconds)

def in_threads(call):
    def again():
        while True:
            call()
    for _ in range(3):
        threading.Thread(target=again, daemon=True).start()
    time.sleep(0.2)
"""


def run(program):
    return subprocess.run([sys.executable, "-c", _BEGIN + textwrap.dedent(program)], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("at_work", [
    "future = nap.remote(30).future()",
    "futures = [nap.remote(0).future() for _ in range(100)]",
    "in_threads(lambda: ray.get(nap.remote(30)))",
    "in_threads(lambda: ray.get(nap.remote(0)))",
    "in_threads(lambda: nap.remote(0))",
    "in_threads(lambda: ray.put(bytes(1000)))",
    "in_threads(ray.available_resources)",
    "future = nap.remote(30).future(); ray.shutdown()",
    "pool = Pool(1); pool.map_async(abs, range(100), callback=lambda values: time.sleep(0.001))",
])
def test_threads_that_are_at_work_do_not_disturb_the_end(at_work):
    for _ in range(3):
        ended = run(at_work + "\nprint('end')")
        assert (ended.returncode, ended.stdout) == (0, "end\n"), ended.stderr


def test_an_uncaught_exception_is_the_end_that_it_is_anywhere():
    ended = run("future = nap.remote(30).future()\nraise KeyError('mine')")
    assert ended.returncode == 1 and ended.stderr.rstrip().endswith("KeyError: 'mine'"), ended.stderr


def test_a_task_that_leaves_does_not_take_its_caller_along(cluster):
    @ray.remote
    def leave(code):
        sys.exit(code)

    with pytest.raises(ray.exceptions.WorkerCrashedError, match=r"sys.exit\(3\) was called in .*leave"):
        ray.get(leave.remote(3))
    with pytest.raises(ray.exceptions.WorkerCrashedError):
        ray.get(leave.options(max_retries=0).remote(0))
    ended = run("""
    @ray.remote
    def leave():
        sys.exit("that is all")
    ray.get(leave.remote())
    """)
    assert ended.returncode == 1 and "that is all" in ended.stderr


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_an_actor_that_leaves_ends(cluster, kind):
    class Plain:
        def leave(self):
            sys.exit(2)

    class Async:
        async def leave(self):
            sys.exit(2)

    actor = ray.remote(max_restarts=3)(Plain if kind == "plain" else Async).options(name="leaver").remote()
    with pytest.raises(ray.exceptions.ActorDiedError, match=r"sys.exit\(2\)"):
        ray.get(actor.leave.remote(), timeout=20)
    with pytest.raises(ray.exceptions.ActorDiedError):
        ray.get(actor.__ray_ready__.remote(), timeout=20)
    with pytest.raises(ValueError):
        ray.get_actor("leaver")


def test_a_forked_child_takes_nothing_along():
    ended = run("""
    import os

    @ray.remote
    class Actor:
        def answer(self):
            return 42

    actor, ref = Actor.remote(), ray.put("parent's")
    ray.get(actor.answer.remote())
    for leave in (sys.exit, lambda: None):
        child = os.fork()
        if child == 0:
            if leave is sys.exit:
                sys.exit()
            del actor, ref
            os._exit(0)
        os.waitpid(child, 0)
    time.sleep(0.3)
    print(ray.get([ref, actor.answer.remote()]))
    """)
    assert (ended.returncode, ended.stdout) == (0, "[\"parent's\", 42]\n"), ended.stderr
