"""The programs of examples/python: each checks its own result, and says so by its exit status."""

import pathlib
import subprocess
import sys

import pytest

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples" / "python"
WITH_VERBS = {"code_search.py"}  # test_code_search.py


def run(name, *arguments):
    result = subprocess.run([sys.executable, str(EXAMPLES / name), *arguments], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.py") if path.name not in WITH_VERBS))
def test_it_does_what_it_says(name):
    assert run(name) != ""


def test_hello_says_49():
    assert run("hello.py") == "49\n"


def test_arguments_are_taken():
    assert run("fibonacci.py", "7") == "fibonacci(7) = 13\n"
