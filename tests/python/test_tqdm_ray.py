"""Progress bars of workers (ray.experimental.tqdm_ray)."""

import io
import os
import pty
import subprocess
import sys

PROGRAM = """
import time
import manta as ray
from manta.experimental import tqdm_ray

ray.init(num_cpus=2)

@ray.remote
def work(name):
    for _ in tqdm_ray.tqdm(range(200), desc=name):
        pass
    with tqdm_ray.tqdm(desc=name + " counts", unit="rows") as bar:
        for _ in range(3):
            bar.update(5)
        if name == "task 1":
            tqdm_ray.safe_print("between")
    return bar.n

print(ray.get([work.remote("task 1"), work.remote("task 2")]))
"""


def test_bars_of_workers_reach_the_driver():
    result = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60)
    assert "[15, 15]" in result.stdout.splitlines(), result.stderr
    shown = result.stdout + result.stderr
    for name in "task 1", "task 2":
        for part in range(1, 10):
            assert f"{name}:  {part}0%|{'#' * part:10}| {20 * part}/200" in shown
        assert f"{name}: 100%|##########| 200/200" in shown
        assert f"{name} counts: 15 rows [" in shown
    assert "between" in shown and "repeated" not in shown and "\x1e" not in shown


def test_a_bar_is_drawn_in_place_on_a_terminal():
    leader, follower = pty.openpty()
    bar = "from manta.experimental.tqdm_ray import tqdm\nfor _ in tqdm([1, 2], desc='x', flush_interval_s=0): pass"
    subprocess.run([sys.executable, "-c", bar], stderr=follower, timeout=60, check=True)
    os.close(follower)
    with io.FileIO(leader) as terminal:
        text = terminal.read(10_000).decode()
    assert text.count("\r\x1b[K") == 3 and "x: 100%|##########| 2/2" in text


def test_a_bar_gives_way_to_other_output():
    leader, follower = pty.openpty()
    bar = """if True:
        import sys
        from manta.experimental import tqdm_ray
        with tqdm_ray.tqdm(total=2, desc="x", flush_interval_s=0) as bar:
            bar.update()
            tqdm_ray.safe_print("above", file=sys.stderr)
            tqdm_ray.instance().hide_bars()
            bar.update()
            tqdm_ray.instance().unhide_bars()
    """
    subprocess.run([sys.executable, "-c", bar], stderr=follower, timeout=60, check=True)
    os.close(follower)
    with io.FileIO(leader) as terminal:
        drawn = [part.split("|")[0] for part in terminal.read(10_000).decode().split("\r\x1b[K")]
    assert drawn == ["", "x:  50%", "above\r\n", "x:  50%", "", "x: 100%", "x: 100%"]


def test_the_parts_of_a_bar(capsys):
    from manta.experimental import tqdm_ray

    bar = tqdm_ray.tqdm(total=4)
    bar.set_description("late")
    bar.set_total(2)
    bar.update(1)
    bar.refresh()
    bar.close()
    bar.close()
    assert "late:  50%|#####     | 1/2" in capsys.readouterr().err
    tqdm_ray.set_enabled(False)
    bar.refresh()
    tqdm_ray.set_enabled(True)
    assert capsys.readouterr().err == ""
