"""What tasks and actors print, as the driver's program shows it."""

import contextlib
import io
import os
import re
import subprocess
import sys
import textwrap
import time

import pytest

import manta as ray
from waiting import ends, eventually


@pytest.fixture(scope="module", autouse=True)
def runtime(cluster):
    yield cluster


def output(capfd, *texts):
    """(standard output, standard error), once all of the texts are in one of them."""
    deadline = time.monotonic() + 20
    out = err = ""
    while not all(text in out + err for text in texts) and time.monotonic() < deadline:
        time.sleep(0.05)
        more = capfd.readouterr()
        out, err = out + more.out, err + more.err
    return out, err


def test_output_reaches_the_driver_while_the_task_runs(capfd, tmp_path):
    seen = tmp_path / "seen"

    @ray.remote
    def say():
        print("said in a task")
        print("an error line", file=sys.stderr)
        while not seen.exists():
            time.sleep(0.01)
        return os.getpid()

    saying = say.options(name="speaker").remote()
    out, err = output(capfd, "said in a task", "an error line")
    seen.touch()
    pid = ray.get(saying, timeout=60)
    assert out == f"(speaker pid={pid}) said in a task\n" and err == f"(speaker pid={pid}) an error line\n"


def test_output_says_which_task_it_is_of(capfd):
    @ray.remote(num_cpus=2)
    def say(text, end="\n"):
        print(text, end=end)

    ray.get([say.options(name="one").remote("a 1"), say.options(name="two").remote("b"), say.options(name="two").remote("no end", end=""),
             say.options(name="one").remote("last")])
    out, _ = output(capfd, "last\n")
    assert [line.split(" pid=")[0] + line.split(")")[1] for line in out.splitlines()] == ["(one a 1", "(two b", "(two no end", "(one last"]


def test_output_of_an_actor_names_it(capfd):
    @ray.remote
    class Speaker:
        def say(self):
            print("as an actor")

    ray.get(Speaker.remote().say.remote())
    out, _ = output(capfd, "as an actor")
    assert "Speaker pid=" in out and "say pid" not in out


def test_output_of_an_actor_names_it_as_it_calls_itself(capfd):
    @ray.remote
    class Speaker:
        def __init__(self, index):
            self.index = index
            print("under the name of its class")

        def __repr__(self):
            return f"Speaker(index={self.index})"

        def say(self):
            print("under its own name")

    ray.get([speaker.say.remote() for speaker in [Speaker.remote(1)]])
    out, _ = output(capfd, "own name")
    first, second = out.splitlines()
    assert re.fullmatch(r"\(.*\bSpeaker pid=\d+\) under the name of its class", first), out
    assert re.fullmatch(r"\(Speaker\(index=1\) pid=\d+\) under its own name", second), out


def test_what_is_printed_without_an_end_comes_at_the_workers_end(capfd):
    @ray.remote(max_calls=1)
    def say():
        print("half a line", end="")
        return os.getpid()

    assert ends(ray.get(say.remote(), timeout=60))
    out, _ = output(capfd, "half a line")
    assert "say pid=" in out and out.endswith(") half a line\n")


# ---- Where it goes

@ray.remote
def say(text):
    print(text)
    print(text + " failed", file=sys.stderr)


def test_it_goes_where_the_program_has_redirected_its_output_to():
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        ray.get(say.remote("to a string"))
        assert eventually(lambda: "to a string\n" in out.getvalue() and "to a string failed\n" in err.getvalue())
    assert "(say pid=" in out.getvalue() and "failed" not in out.getvalue()


def test_what_the_runtime_says_does_so_too():
    @ray.remote(num_cpus=2)
    def hold(seconds):
        time.sleep(seconds)

    err = io.StringIO()
    with contextlib.redirect_stderr(err):
        holds, waits = hold.remote(30), hold.remote(0)
        assert eventually(lambda: "have waited for 5 s" in err.getvalue() or "has waited for 5 s" in err.getvalue())
        ray.cancel(holds, force=True)
        ray.get(waits)


class Broken(io.StringIO):
    def write(self, text):
        raise OSError("full")


@pytest.mark.parametrize("stream", [None, Broken()], ids=["none", "broken"])
def test_it_is_not_lost_when_the_program_has_no_output(stream, capfd):
    with contextlib.redirect_stdout(stream):
        ray.get(say.remote("shown all the same"))
        out, _ = output(capfd, "shown all the same\n")
    assert "say pid=" in out


def run(program):
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_all_of_it_is_there_when_the_program_has_ended():
    shown = run("""
        import manta as ray

        @ray.remote
        def count():
            for i in range(2_000):
                print("line", i)

        ray.init(num_cpus=1)
        ray.get(count.remote())
        """)
    assert [line.split(") ")[1] for line in shown.splitlines()] == [f"line {i}" for i in range(2_000)]


def test_a_child_of_fork_shows_that_of_its_own_cluster():
    shown = run("""
        import os
        import manta as ray

        @ray.remote
        def say(text):
            print(text)

        def once(text):
            ray.init(num_cpus=1)
            ray.get(say.remote(text))
            ray.shutdown()

        once("parent")
        child = os.fork()
        if child == 0:
            once("child")
            os._exit(0)
        os.waitpid(child, 0)
        once("parent again")
        """)
    assert [line.split(") ")[1] for line in shown.splitlines()] == ["parent", "child", "parent again"]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_shows_in_color_who_says_it():
    out = Terminal()
    with contextlib.redirect_stdout(out):
        ray.get(say.remote("in color"))
        assert eventually(lambda: "in color" in out.getvalue())
    assert out.getvalue().startswith("\x1b[36m(say pid=") and out.getvalue().endswith(")\x1b[0m in color\n")
