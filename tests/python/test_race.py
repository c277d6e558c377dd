"""python -m manta.race: one program on both sides. Ray's is played by a module of that name that runs everything in place."""

import json
import os
import pathlib
import pty
import select
import signal
import subprocess
import sys
import time
import uuid

import pytest

STAND_IN = """
import subprocess, sys

_child = None


class _Context:
    address_info = {"session_dir": None}


def init(*args, **kwargs):
    global _child
    _child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"], start_new_session=True)
    return _Context()


def is_initialized():
    return _child is not None


def shutdown():
    global _child
    if _child is not None and "--leaves" not in sys.argv:
        _child.kill()
    _child = None


def remote(function):
    function.remote = function
    return function


def get(values):
    return values
"""

PROGRAM = """
import sys, time
import ray

@ray.remote
def square(x):
    return x * x

ray.init()
if len(sys.argv) > 1 and sys.argv[1] == "sleep":
    print("sleeps", flush=True)
    time.sleep(1000)
print("sum", sum(ray.get([square.remote(i) for i in range(100)])), sys.argv[1:])
time.sleep(0.3)
ray.shutdown()
if "fail" in sys.argv:
    sys.exit(3)
"""


@pytest.fixture
def race(tmp_path):
    """Arguments -> the started command; at the end nothing of it may run."""
    (tmp_path / "with_ray" / "ray").mkdir(parents=True)
    (tmp_path / "with_ray" / "ray" / "__init__.py").write_text(STAND_IN)
    python = tmp_path / "python-with-ray"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={tmp_path / "with_ray"}:$PYTHONPATH exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    (tmp_path / "program.py").write_text(PROGRAM)
    mark = f"RACE_OF_THIS_TEST={uuid.uuid4()}"

    def start(*arguments, with_ray=True, **options):
        given = ["--ray-python", str(python)] if with_ray else []
        environment = {**os.environ, "TMPDIR": str(tmp_path), **dict([mark.split("=")])}
        return subprocess.Popen([sys.executable, "-m", "manta.race", *given, *arguments], text=True, cwd=tmp_path, env=environment,
                                **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options})

    def those_left():
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and mark.encode() in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                pass
        return found

    start.those_left = those_left
    yield start
    assert those_left() == []
    assert list(tmp_path.glob("race-*")) == []


def finished(process):
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def wait_for_lines(process, words, times):
    lines = []
    while sum(words in line for line in lines) < times:
        lines.append(process.stdout.readline())
        assert lines[-1], "".join(lines) + process.stderr.read()


def test_both_sides_run_and_are_compared(race):
    status, out, err = finished(race("program.py", "a", "b"))
    assert status == 0, out + err
    for side in ("Ray", "Manta"):
        assert f"{side:5} | sum 328350 ['a', 'b']" in out
        assert f"race: {side}: init() has returned after" in out
        assert f"race: {side}: ended with status 0 after" in out
    table = out[out.index("elapsed  "):]
    for row in ("start-up until init() has returned", "tasks finished", "tasks per second meanwhile", "most memory (PSS)", "most processes",
                "exit status"):
        assert row in table
    assert "times better" in table or "times worse" in table


def test_figures_for_programs(race):
    status, out, err = finished(race("--json", "program.py"))
    assert status == 0, out + err
    figures = json.loads(out)
    manta, ray = figures["manta"], figures["ray"]
    assert figures["program"] == ["program.py"] and figures["note"] is None and figures["stopped"] is False
    assert manta["tasks"] == 100 and manta["tasks_exact"] is True and manta["tasks_per_second"] > 0
    assert 0 < manta["init_seconds"] <= manta["start_up_seconds"] < manta["elapsed_seconds"]
    assert manta["peak_processes"] >= 2 and manta["peak_memory_bytes"] > 1 << 20
    assert ray["peak_processes"] == 2, "the program, and what it has detached"
    assert ray["tasks"] is None and "No module named 'ray._private'" in ray["tasks_missing"]
    assert ray["exit_code"] == manta["exit_code"] == 0
    assert ray["output"] == manta["output"] == ["sum 328350 []"]
    assert figures["times_better"]["elapsed"] == pytest.approx(ray["elapsed_seconds"] / manta["elapsed_seconds"], rel=0.01)


def test_one_after_the_other(race):
    status, out, _ = finished(race("--in-turn", "program.py"))
    assert status == 0
    assert out.index("race: Ray: ended") < out.index("race: Manta: init()")


def test_without_ray_manta_runs_alone(race):
    status, out, err = finished(race("--json", "program.py", with_ray=False))
    if "has no Ray" not in err:
        pytest.skip("this interpreter has Ray")
    figures = json.loads(out)
    assert status == 0 and "--ray-python PATH" in err and "has no Ray" in figures["note"]
    assert "ray" not in figures and figures["manta"]["tasks"] == 100


def test_a_module(race):
    status, out, err = finished(race("-m", "program", "x"))
    assert status == 0, err
    assert out.count("sum 328350 ['x']") == 2


def test_the_exit_status_is_the_programs(race):
    status, out, _ = finished(race("program.py", "fail"))
    assert status == 3
    assert "race: Manta: ended with status 3" in out and "race: Ray: ended with status 3" in out


def test_what_a_program_leaves_is_ended(race):
    process = race("--json", "program.py", "--leaves")
    status, out, err = finished(process)
    assert status == 0, err
    assert json.loads(out)["ray"]["processes_killed"] == 0, "SIGTERM was enough"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_both_sides(race, number):
    process = race("program.py", "sleep")
    wait_for_lines(process, "| sleeps", 2)
    process.send_signal(number)
    status, out, err = finished(process)
    assert status == 128 + number and "stopped" in err
    assert "elapsed" in out and "times" not in out, "what was stopped is not compared"


def test_nothing_stays_when_the_race_is_killed(race, tmp_path):
    process = race("program.py", "sleep")
    wait_for_lines(process, "| sleeps", 2)
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 30
    while race.those_left() and time.monotonic() < deadline:
        time.sleep(0.05)
    for folder in tmp_path.glob("race-*"):
        subprocess.run(["rm", "-rf", folder], check=True)


def test_in_a_terminal_both_are_drawn_side_by_side(race):
    pytest.importorskip("rich")
    ours, theirs = pty.openpty()
    process = race("program.py", stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    while select.select([ours], [], [], 60)[0]:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the other end has been closed
            break
        shown += part
    os.close(ours)
    assert process.wait(timeout=60) == 0
    text = shown.decode(errors="replace")
    assert any("Ray" in line and "Manta" in line and "╭" in line for line in text.splitlines())
    assert "tasks per second meanwhile" in text


def test_wrong_arguments_are_told(race):
    for arguments, words in ((["nothing.py"], "nothing.py"), ([], "PROGRAM"), (["--interval", "0", "program.py"], "--interval"),
                             (["--ray-python", "/nowhere/python", "program.py"], "/nowhere/python")):
        status, _, err = finished(race(*arguments, with_ray=False))
        assert status == 2 and words in err


def test_the_native_command_says_where_it_is():
    from manta import _command

    for verb in ("race", "microbenchmark"):
        done = subprocess.run([_command.executable(), verb], capture_output=True, text=True, timeout=60)
        assert done.returncode == 2 and f"python3 -m manta.{verb}" in done.stderr
