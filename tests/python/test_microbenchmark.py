"""python -m manta.microbenchmark."""

import json
import pathlib
import subprocess
import sys

BENCH = pathlib.Path(__file__).parents[2] / "bench" / "python_bench.py"


def test_it_measures_the_rows_that_are_asked_for(tmp_path):
    figures = tmp_path / "figures.json"
    result = subprocess.run([sys.executable, "-m", "manta.microbenchmark", "--seconds", "0.02", "--rows", "calls sync|put calls|10k refs",
                             "--json", str(figures)], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    rows = json.loads(figures.read_text())
    assert set(rows) == {"1:1 actor calls sync", "single client put calls (Plasma Store)", "multi client put calls (Plasma Store)", "1:1 async-actor calls sync",
                         "single client get object containing 10k refs"}
    assert all(row["per_second"] > 0 for row in rows.values())
    assert result.stdout.count(" per second ") == 5


def test_wrong_arguments_are_told():
    result = subprocess.run([sys.executable, "-m", "manta.microbenchmark", "--seconds", "0"], capture_output=True, text=True, timeout=60)
    assert result.returncode == 2 and "--seconds" in result.stderr


def test_it_says_that_it_needs_numpy():
    # -S: without what is installed beside Python.
    result = subprocess.run([sys.executable, "-S", "-m", "manta.microbenchmark"], capture_output=True, text=True, timeout=60)
    assert result.returncode == 1 and "numpy, which is not installed" in result.stderr and "Traceback" not in result.stderr


def test_the_benchmark_compares_medians_with_targets(tmp_path):
    figures = tmp_path / "figures.json"
    result = subprocess.run([sys.executable, str(BENCH), "--quick", "--rows", "start|idle", "--json", str(figures)], capture_output=True, text=True,
                            timeout=120)
    assert result.returncode == 0, result.stderr
    rows = json.loads(figures.read_text())
    assert {name.split("/")[0] for name in rows} == {"start", "idle"}
    assert all(row["met"] == (row["median"] <= row["at_most"]) for row in rows.values())
    # A daemon, a zygote and two workers are there to be measured.
    assert rows["idle/memory of all (PSS), no driver"]["beside"].split(", ")[0] == "manta-node"
    assert len(rows["idle/memory of all (PSS), no driver"]["beside"].split(", ")) >= 4
    assert len(rows["idle/a worker's private memory"]["rounds"]) == 2


def test_the_benchmark_names_its_rows():
    result = subprocess.run([sys.executable, str(BENCH), "--rows", "nothing"], capture_output=True, text=True, timeout=60)
    assert result.returncode == 2 and "batches-of-tasks" in result.stderr
