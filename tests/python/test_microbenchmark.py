"""python -m manta.microbenchmark."""

import json
import subprocess
import sys


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
