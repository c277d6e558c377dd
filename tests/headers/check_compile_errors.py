#!/usr/bin/env python3
"""Checks what the compiler says about the mistakes in compile_errors.cc.

usage: check_compile_errors.py COMPILER INCLUDE_DIR [name...]

Each case must fail with exactly one error, which contains the case's text; a case without a text
must compile. The common part is precompiled once, as C++17; cases named cxx20_* are compiled as C++20.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile


def parse(path):
    """The common part, and a list of (name, expected text, source)."""
    common, *rest = re.split(r"^//// (.*)$", path.read_text(), flags=re.M)
    cases = []
    for head, source in zip(rest[::2], rest[1::2]):
        name, _, expected = head.partition(":")
        cases.append((name.strip(), expected.strip(), source))
    return common, cases


def main():
    compiler, include, *wanted = sys.argv[1:]
    common, cases = parse(pathlib.Path(__file__).with_name("compile_errors.cc"))
    if wanted:
        cases = [case for case in cases if case[0] in wanted]
    environment = dict(os.environ, LC_ALL="C")
    flags = ["-std=c++17", f"-I{include}"]
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        header = folder / "common.h"
        header.write_text(common)
        subprocess.run([compiler, *flags, "-x", "c++-header", str(header), "-o", f"{header}.gch"],
                       check=True, env=environment)
        for name, expected, source in cases:
            unit = folder / f"{name}.cc"
            unit.write_text(source)
            standard = ["-std=c++20"] if name.startswith("cxx20_") else []
            result = subprocess.run(
                [compiler, *flags, *standard, "-fsyntax-only", "-include", str(header), str(unit)],
                capture_output=True, text=True, env=environment)
            errors = re.findall(r"error: .*", result.stderr)
            if expected:
                good = len(errors) == 1 and expected in errors[0]
            else:
                good = result.returncode == 0
            if not good:
                failed += 1
                wanted_error = f"one error with {expected!r}" if expected else "none"
                print(f"{name}: expected {wanted_error}, got {len(errors)}:\n{result.stderr}\n")
    print(f"{len(cases) - failed} of {len(cases)} cases are as expected")
    return 1 if failed or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
