#!/usr/bin/env python3
"""Runs bench/vs_ray/common.cc under Ray's own C++ package and under Manta, in one run, and prints both; or the rows of
`ray microbenchmark` in Python (python/manta/microbenchmark.py).

    vs_ray.py --build build/release [--python PYTHON] [--seconds S] [--json FILE] [--ray VERSION]

--python names the interpreter that runs Manta's side; Ray's side gets an environment made from the same one.

Ray is installed into a virtual environment of its own below the build folder. The programs take turns, whole runs at a time:
Ray's processes are gone before Manta's start. The geometric mean leaves out bandwidth, and the repeated get of one value,
which Ray answers from a cache of the process.
"""

import argparse
import json
import math
import os
import pathlib
import subprocess
import sys
import venv

NOT_IN_THE_MEAN = {"repeated get of one number"}
SOURCE = pathlib.Path(__file__).resolve().parent.parent / "bench" / "vs_ray" / "common.cc"
INCLUDE = SOURCE.parent.parent.parent / "include"
MICROBENCHMARK = SOURCE.parent.parent.parent / "python" / "manta" / "microbenchmark.py"


def fail(message):
    sys.exit(f"vs_ray: {message}")


def run(command, what, **options):
    done = subprocess.run([str(word) for word in command], text=True, capture_output=True, **options)
    if done.returncode != 0:
        fail(f"{what} has failed ({done.returncode}):\n{' '.join(map(str, command))}\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    return done.stdout


def install_ray(folder, version):
    """Returns the folder of the virtual environment and that of Ray's C++ package."""
    python = folder / "venv" / "bin" / "python"
    if not python.exists():
        venv.create(folder / "venv", with_pip=True)
    wanted = "ray[cpp]" + (f"=={version}" if version else "")
    run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wanted, "numpy"],
        f"installing {wanted} (are package sources reachable?)", timeout=900)
    package = run([python, "-c", "import ray, pathlib; print(pathlib.Path(ray.__file__).parent / 'cpp')"],
                  "looking for Ray's C++ package").strip()
    return folder / "venv", pathlib.Path(package)


def compile_programs(folder, build, ray):
    common = ["c++", "-std=c++17", "-O2", SOURCE]
    # Ray's library has the old string ABI, and its workers load the program's code as a library.
    with_ray = ["-D_GLIBCXX_USE_CXX11_ABI=0", "-isystem", ray / "include", "-L", ray / "lib", "-lray_api",
                f"-Wl,-rpath,{ray / 'lib'}", "-lpthread"]
    run([*common, *with_ray, "-o", folder / "with_ray"], "compiling against Ray")
    run([*common, "-shared", "-fPIC", *with_ray, "-o", folder / "libwith_ray.so"], "compiling against Ray, as a library")
    run([*common, "-I", INCLUDE, "-L", build / "lib", "-lmanta", f"-Wl,-rpath,{build / 'lib'}", "-o", folder / "with_manta"],
        "compiling against Manta")


def ray_runs():
    """Whether a cluster of Ray runs on this machine: the program would join it, and it would be ended in the end."""
    for process in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if b"gcs_server" in process.read_bytes().split(b"\0")[0]:
                return True
        except OSError:
            pass  # it has ended
    return False


def rows_of(command, what, environment):
    output = run(command, what, timeout=1800, env={**os.environ, **environment})
    rows = [json.loads(line) for line in output.splitlines() if line.startswith('{"row"')]
    if not rows:
        fail(f"{what} printed no figures:\n{output[-2000:]}")
    return {row["row"]: row for row in rows}


def python_rows(python, module, seconds, file, environment):
    """The rows of the microbenchmark under `module`; those of gigabytes are bandwidth."""
    # Not as a script: its folder, which has a types.py, would come before the standard library.
    script = "import runpy, sys; sys.argv[0] = sys.argv.pop(1); runpy.run_path(sys.argv[0], run_name='__main__')"
    run([python, "-c", script, MICROBENCHMARK, "--module", module, "--seconds", seconds, "--json", file], f"the microbenchmark under {module}",
        timeout=3600, env={**os.environ, **environment})
    return {name: {"value": row["per_second"], "unit": "GB/s" if "gigabytes" in name else "/s"}
            for name, row in json.loads(file.read_text()).items()}


def times_better(ours, theirs):
    """How many times better the first is; a time is better when it is shorter."""
    if ours["unit"] == "ms":
        return theirs["value"] / ours["value"]
    return ours["value"] / theirs["value"]


def figure(row):
    value = row["value"]
    text = f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
    return f"{text} {row['unit']}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--python", type=pathlib.Path, help="compare in Python, with this interpreter")
    parser.add_argument("--seconds", type=float, help="how long each repeated row takes at least (default: 3, in Python 1)")
    parser.add_argument("--json", type=pathlib.Path, help="write all figures there")
    parser.add_argument("--ray", help="the version of Ray to install (default: the newest)")
    arguments = parser.parse_args()
    if ray_runs():
        fail("a cluster of Ray runs on this machine: stop it first (ray stop)")
    build = arguments.build.resolve()
    folder = build / "vs_ray"
    folder.mkdir(parents=True, exist_ok=True)
    environment, package = install_ray(folder, arguments.ray)
    if arguments.seconds is None:
        arguments.seconds = 1 if arguments.python else 3
    if not arguments.python:
        compile_programs(folder, build, package)

    print("vs_ray: Ray ...", flush=True)
    with_ray = {"PATH": f"{environment / 'bin'}:{os.environ['PATH']}", "RAY_USAGE_STATS_ENABLED": "0"}
    try:
        if arguments.python:
            ray = python_rows(environment / "bin" / "python", "ray", arguments.seconds, folder / "ray.json", with_ray)
        else:
            ray = rows_of([folder / "with_ray", arguments.seconds, folder / "libwith_ray.so"], "the program under Ray", with_ray)
    finally:  # a program that fails leaves its cluster behind
        subprocess.run([environment / "bin" / "ray", "stop", "--force"], capture_output=True, timeout=120)
    print("vs_ray: Manta ...", flush=True)
    if arguments.python:
        with_manta = {"PYTHONPATH": str(build / "python")}
        manta = python_rows(arguments.python.absolute(), "manta", arguments.seconds, folder / "manta.json", with_manta)
    else:
        manta = rows_of([folder / "with_manta", arguments.seconds], "the program under Manta", {})

    rows, logarithms = [], []
    for name, ours in manta.items():
        if name not in ray:
            fail(f"Ray's run has no row '{name}'")
        ratio = times_better(ours, ray[name])
        counts = ours["unit"] != "GB/s" and name not in NOT_IN_THE_MEAN
        if counts:
            logarithms.append(math.log(ratio))
        rows.append({"row": name, "ray": ray[name]["value"], "manta": ours["value"], "unit": ours["unit"],
                     "times_better": ratio, "in_the_mean": counts})
        print(f"  {name:46} Ray {figure(ray[name]):>16}   Manta {figure(ours):>16}   {ratio:10,.1f} x{'' if counts else '  (not in the mean)'}")
    mean = math.exp(sum(logarithms) / len(logarithms))
    print(f"  geometric mean of {len(logarithms)} rows: {mean:,.0f} x (target: {60 if arguments.python else 300})")
    if arguments.json:
        arguments.json.write_text(json.dumps({"rows": rows, "geometric_mean": mean}, indent=1) + "\n")


if __name__ == "__main__":
    main()
