"""examples/python/code_search.py: an index of this tree's own sources, asked for fifty words that grep counts, too."""

import collections
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import pytest

from manta import _command
from waiting import eventually

ROOT = pathlib.Path(__file__).parents[2]
PROGRAM = ROOT / "examples" / "python" / "code_search.py"


def command(*arguments):
    return [sys.executable, "-m", "manta.as_ray", str(PROGRAM), *map(str, arguments)]


def run(*arguments, status=0):
    done = subprocess.run(command(*arguments), capture_output=True, text=True, timeout=120)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def by_grep(word, tree):
    """(occurrences, files)"""
    environment = {**os.environ, "LC_ALL": "C"}
    found = subprocess.run(["grep", "-rao", "-w", "--", word, str(tree)], capture_output=True, env=environment).stdout.splitlines()
    return len(found), len({line.rpartition(b":")[0] for line in found})


@pytest.fixture(scope="module", autouse=True)
def cluster_ends(sessions):
    yield
    run("stop")


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Sources, and what is hard: binary files, no newline at the end, links, an empty file, names with blanks."""
    folder = tmp_path_factory.mktemp("tree")
    (folder / "src").symlink_to(ROOT / "src")  # not followed
    subprocess.run(["cp", "-r", ROOT / "src" / "worker", ROOT / "src" / "model", ROOT / "include", folder], check=True)
    (folder / "binary").write_bytes(b"\0Owner\0\xff_x9\xfe\nOwner" + bytes(range(256)) * 20)
    (folder / "a name with blanks").write_text("Owner owner_ OWNER")
    (folder / "empty").write_bytes(b"")
    return folder


@pytest.fixture(scope="module")
def index(tree):
    return run("build", tree)


def fifty_words(tree):
    """Frequent ones, rare ones, one that is in the binary file alone, and some that are nowhere."""
    words = collections.Counter()
    for path in sorted(tree.rglob("*")):
        if path.is_file() and not path.is_symlink() and "src" not in path.relative_to(tree).parts:
            words.update(re.findall(rb"[A-Za-z0-9_]+", path.read_bytes()))
    ranked = [word.decode() for word, _ in sorted(words.items(), key=lambda item: (-item[1], item[0]))]
    chosen = ranked[:20] + ranked[len(ranked) // 2:][:12] + ranked[-12:] + ["_x9", "Owner", "no_such_word", "x" * 300]
    return list(dict.fromkeys(chosen)) + ["0123456789"] + ["A" * 5]


def test_counts_are_those_of_grep(tree, index):
    words = fifty_words(tree)
    assert len(words) >= 49
    answers = dict(re.findall(r"^(\w+): (.*)$", run("query", *words), re.MULTILINE))
    for word in words:
        occurrences, files = by_grep(word, tree)
        assert answers[word] == (f"{occurrences:,} occurrence{'s' * (occurrences != 1)} in {files:,} file{'s' * (files != 1)}"), word


def test_the_best_files_come_first(tree, index):
    lines = run("query", "Owner").splitlines()
    counts = [int(line.split()[0].replace(",", "")) for line in lines[1:11]]
    assert counts == sorted(counts, reverse=True) and len(counts) == 10
    count, path = lines[1].split(maxsplit=1)
    assert int(count) == by_grep("Owner", path)[0]


def test_figures(tree, index):
    figures = dict(re.findall(r"^(\S.*?)  +(\S+)$", index, re.MULTILINE))
    files = [path for path in tree.rglob("*") if path.is_file() and not path.is_symlink() and "src" not in path.relative_to(tree).parts]
    assert int(figures["files"].replace(",", "")) == len(files)
    assert int(figures["bytes"].replace(",", "")) == sum(path.stat().st_size for path in files)


def test_another_index_replaces_the_first(tree, index):
    try:
        assert "Started a cluster" not in run("build", "--shards", "7", tree / "model")
        assert by_grep("Owner", tree / "model")[0] != by_grep("Owner", tree)[0]
        assert f"Owner: {by_grep('Owner', tree / 'model')[0]} occ" in run("query", "Owner")
    finally:
        run("build", tree)
    assert f"Owner: {by_grep('Owner', tree)[0]:,} occ" in run("query", "Owner")


def actors():
    return json.loads(subprocess.run([_command.executable(), "list", "actors", "--json"], capture_output=True, text=True, check=True).stdout)


def living_generations():
    """Of which there are shards."""
    return {row["name"].split("-")[1] for row in actors() if row["name"].startswith("shard-") and row["state"] == "ALIVE"}


def test_an_interrupted_build_leaves_the_index(tree, index):
    building = subprocess.Popen(command("build", "/usr"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert "Indexing" in building.stdout.readline()
    time.sleep(1)
    building.send_signal(signal.SIGINT)
    assert "interrupted" in building.communicate(timeout=60)[1]
    assert building.returncode == 130
    assert f"Owner: {by_grep('Owner', tree)[0]:,} occ" in run("query", "Owner")
    assert len(living_generations()) == 1


def test_a_directory_that_crashes_is_started_again(tree, index):
    os.kill(next(row["worker"]["pid"] for row in actors() if row["name"] == "directory"), signal.SIGKILL)
    assert "there is no index yet" in run("query", "Owner", status=1)
    run("build", tree)
    assert f"Owner: {by_grep('Owner', tree)[0]:,} occ" in run("query", "Owner")
    assert eventually(lambda: len(living_generations()) == 1)


def test_what_cannot_be_is_told(index):
    assert "'a-b' is no word" in run("query", "a-b", status=1)
    assert "nowhere" in run("build", "/nowhere", status=1)
    assert "--shards" in run("build", "--shards", "1000", status=2)
    assert "usage" in run(status=2)


def test_stop_ends_the_cluster_that_build_has_started(index):
    assert "has ended" in run("stop")
    assert "nothing to stop" in run("stop")
    assert "there is no index yet" in run("query", "Owner", status=1)
