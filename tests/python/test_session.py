"""init, shutdown, and programs as their users start them (the contract's section 1.2)."""

import os
import subprocess
import sys
import textwrap

import pytest

import manta as ray


def run(program, *, check=True, **environment):
    """What a program of its own prints."""
    result = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=60,
                            env={**os.environ, **environment})
    assert not check or result.returncode == 0, result.stderr
    return result.stdout if check else result.stderr


def test_the_first_program():
    assert run("""
        import manta as ray
        ray.init()

        @ray.remote
        def square(x):
            return x * x

        print(ray.get([square.remote(i) for i in range(4)]))
        """) == "[0, 1, 4, 9]\n"


def test_init_is_automatic():
    assert run("""
        import manta as ray
        print(ray.get(ray.put(5)), ray.is_initialized())
        """) == "5 True\n"


def test_a_script_that_ends_without_shutdown_leaves_nothing():
    run("""
        import manta as ray

        @ray.remote
        class Actor:
            def ping(self):
                return 1

        actor = Actor.remote()
        print(ray.get(actor.ping.remote()))
        """)


def test_twice():
    for _ in range(3):
        ray.init(num_cpus=1)
        assert ray.is_initialized()
        with pytest.raises(RuntimeError, match="ignore_reinit_error"):
            ray.init()
        ray.init(ignore_reinit_error=True)

        @ray.remote
        def one():
            return 1

        assert ray.get(one.remote()) == 1
        ray.shutdown()
        assert not ray.is_initialized()
        ray.shutdown()


RECURSION = """
    import os
    import manta as ray
    ray.init(num_cpus=2)

    @ray.remote
    def fibonacci(n):
        if n < 2:
            return n, {os.getpid()}
        (a, these), (b, those) = ray.get([fibonacci.remote(n - 1), fibonacci.remote(n - 2)])
        return a + b, these | those | {os.getpid()}

    result, pids = ray.get(fibonacci.remote(%d))
    print(result, len(pids))
    """


def test_children_run_in_processes_of_their_own_unless_they_may_run_in_place():
    result, processes = run(RECURSION % 6).split()
    assert result == "8" and int(processes) > 4
    result, processes = run(RECURSION % 12, MANTA_PYTHON_CHILDREN_IN_PLACE="1").split()
    assert result == "144" and int(processes) <= 4


def test_a_function_outlives_a_session():
    @ray.remote
    def cpus():
        return ray.get_runtime_context().get_assigned_resources()["CPU"]

    both = cpus.options(num_cpus=2)
    for _ in range(2):
        with ray.init(num_cpus=2):
            assert ray.get([cpus.remote(), both.remote()]) == [1, 2]


def test_resources():
    with ray.init(num_cpus=3, num_gpus=2, resources={"slot": 4}, object_store_memory=64 << 20) as context:
        assert os.path.isdir(context["session_dir"])
        total = ray.cluster_resources()
        assert (total["CPU"], total["GPU"], total["slot"]) == (3, 2, 4)

        @ray.remote(num_gpus=1)
        def gpus():
            return ray.get_gpu_ids(), os.environ["CUDA_VISIBLE_DEVICES"]

        ids, visible = ray.get(gpus.remote())
        assert len(ids) == 1 and visible == str(ids[0])


def test_programs_may_choose_their_gpus_themselves(monkeypatch):
    monkeypatch.setenv("RAY_EXPERIMENTAL_NOSET_CUDA_VISIBLE_DEVICES", "1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,4")
    with ray.init(num_cpus=1, num_gpus=2):

        @ray.remote(num_gpus=1)
        def gpus():
            return len(ray.get_gpu_ids()), os.environ["CUDA_VISIBLE_DEVICES"]

        assert ray.get(gpus.remote()) == (1, "3,4")


@pytest.mark.parametrize("arguments, kind, says", [
    (dict(num_cpus="2"), TypeError, "num_cpus"), (dict(num_cpus=-1), ValueError, "num_cpus"),
    (dict(resources=[1]), TypeError, "resources"), (dict(namespace=""), ValueError, "namespace"),
    (dict(num_cpus=float("nan")), ValueError, "num_cpus"), (dict(object_store_memory=float("inf")), ValueError, "object_store_memory"),
    (dict(resources={1: 1}), TypeError, "1 in it is no name"), (dict(nonsense=1), TypeError, "nonsense"), (dict(runtime_env={"pip": ["x"]}), NotImplementedError, "runtime_env"),
    (dict(address="auto"), ConnectionError, "start")])
def test_bad_arguments(arguments, kind, says):
    with pytest.raises(kind, match=says):
        ray.init(**arguments)
    assert not ray.is_initialized()


def test_references_of_an_earlier_session_are_refused():
    ray.init(num_cpus=1)
    ref = ray.put("x" * 100_000)
    ray.shutdown()
    with ray.init(num_cpus=1):
        with pytest.raises(ValueError, match="shut down"):
            ray.get(ref)


def test_driver_and_workers_share_the_path_of_modules(tmp_path):
    (tmp_path / "helper_module.py").write_text("def value():\n    return 42\n")
    assert run(f"""
        import sys
        sys.path.insert(0, {str(tmp_path)!r})
        import helper_module
        import manta as ray
        print(ray.get(ray.remote(helper_module.value).remote()))
        """) == "42\n"


def test_a_worker_serves_one_task_that_uses_a_gpu():
    with ray.init(num_cpus=2, num_gpus=1):
        def process():
            return os.getpid()

        used = ray.remote(num_gpus=1)(process)
        assert len({ray.get(used.remote()) for _ in range(3)}) == 3
        assert len({ray.get(used.options(num_gpus=0).remote()) for _ in range(3)}) == 1
        again = ray.remote(num_gpus=1, max_calls=0)(process)
        assert len({ray.get(again.remote()) for _ in range(3)}) == 1
