#!/usr/bin/env python3
"""Proves that the tests catch the bugs in planted/: a test of the tests.

    planted.py [--jobs N] [list|check|all|rotate|NAME...]

A bug is a file planted/NAME.patch (unified diff, -p1) with header lines
    # what: one line on what is broken
    # caught-by: regular expression for ctest -R
    # target: CMake targets to build, e.g. shm_test
    # preset: release (the default), debug, asan or tsan
The tree (tracked files, and untracked ones that git does not ignore) is copied to
build/planted/tree. There the named tests must pass as the tree is, and fail once the patch is
applied. `rotate`, the default, takes three by the day of the year. `check` only says
whether all patches still apply to the tree. Logs: build/planted/NAME.log.
"""

import argparse
import datetime
import os
import re
import subprocess
import sys
import time

from tree_copy import ROOT, Failure, TreeCopy

ROTATE = 3


class Bug:
    def __init__(self, path):
        self.path = path
        self.name = path.stem
        text = path.read_text()
        header = dict(re.findall(r'^# ([a-z-]+): *(.*?) *$', text, re.MULTILINE))
        for key in ('what', 'caught-by', 'target'):
            if not header.get(key):
                raise Failure(f'planted/{path.name}: no "# {key}: ..." line')
        self.what = header['what']
        self.caught_by = header['caught-by']
        self.targets = header['target'].replace(',', ' ').split()
        self.preset = header.get('preset', 'release')


def build(log, copy, bug, jobs):
    if not (copy.tree / 'build' / bug.preset / 'build.ninja').exists():
        if copy.run(log, 'cmake', '--preset', bug.preset) != 0:
            raise Failure('the configure step fails')
    if copy.run(log, 'cmake', '--build', '--preset', bug.preset, '-j', str(jobs),
                '--target', *bug.targets) != 0:
        raise Failure('the build fails')


def run_tests(log, copy, bug):
    """True when all matching tests pass. No matching test at all is a Failure."""
    listing = subprocess.run(['ctest', '--preset', bug.preset, '-N', '-R', bug.caught_by], cwd=copy.tree,
                             capture_output=True, text=True).stdout
    log.write(listing)
    tests = re.findall(r'^\s*Test\s+#\d+: (\S+)', listing, re.MULTILINE)
    missing = [t for t in tests if t.endswith('_NOT_BUILT')]
    if not tests or missing:
        raise Failure(f'no test matches {bug.caught_by}' if not tests else
                      f'{missing[0]}: name its target in the "# target:" line')
    return copy.run(log, 'ctest', '--preset', bug.preset, '-R', bug.caught_by, '--timeout', '60') == 0


def check(bugs):
    """Whether each patch still applies; names those that do not."""
    stale = [bug.name for bug in bugs if subprocess.run(
        ['git', 'apply', '--check', '-p1', str(bug.path)], cwd=ROOT, capture_output=True).returncode]
    for name in stale:
        print(f'planted/{name}.patch does not apply any more: make it anew with git diff')
    print(f'planted: {len(bugs) - len(stale)} of {len(bugs)} patches apply')
    return 1 if stale else 0


def tail(path, count=25):
    return '\n'.join('    ' + line for line in path.read_text(errors='replace').splitlines()[-count:])


def prove(copy, bug, jobs):
    """Raises Failure unless the bug's tests pass without it and fail with it."""
    with open(copy.work / f'{bug.name}.log', 'w') as log:
        try:
            copy.sync()
            build(log, copy, bug, jobs)
            if not run_tests(log, copy, bug):
                raise Failure(f'{bug.caught_by} fails without the bug already')
            if copy.run(log, 'git', 'apply', '-p1', str(bug.path)) != 0:
                raise Failure('the patch does not apply any more')
            build(log, copy, bug, jobs)
            if run_tests(log, copy, bug):
                raise Failure(f'NOT CAUGHT: {bug.caught_by} passes with the bug')
        finally:
            log.flush()


def choose(bugs, names):
    if names == ['all']:
        return bugs
    if names in ([], ['rotate']):
        if len(bugs) <= ROTATE:
            return bugs
        first = datetime.date.today().timetuple().tm_yday * ROTATE
        return [bugs[(first + i) % len(bugs)] for i in range(ROTATE)]
    by_name = {bug.name: bug for bug in bugs}
    for name in names:
        if name not in by_name:
            sys.exit(f'planted: no planted/{name}.patch; there are: {" ".join(by_name) or "none"}')
    return [by_name[name] for name in names]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--jobs', type=int, default=os.cpu_count())
    parser.add_argument('names', nargs='*', metavar='list|check|all|rotate|NAME')
    arguments = parser.parse_args()
    try:
        bugs = [Bug(path) for path in sorted((ROOT / 'planted').glob('*.patch'))]
    except Failure as failure:
        sys.exit(str(failure))
    if arguments.names == ['list']:
        for bug in bugs:
            print(f'{bug.name:<28} {bug.what}')
        return 0
    if arguments.names == ['check']:
        return check(bugs)
    chosen = choose(bugs, [name.removesuffix('.patch') for name in arguments.names])
    print(f'planted: {len(chosen)} of {len(bugs)} bugs')
    copy = TreeCopy('planted')
    failed = 0
    for bug in chosen:
        start = time.monotonic()
        print(f'  {bug.name}: {bug.what}', flush=True)
        try:
            prove(copy, bug, arguments.jobs)
            print(f'    caught by {bug.caught_by} ({time.monotonic() - start:.1f} s)', flush=True)
        except Failure as failure:
            failed += 1
            log = copy.work / f'{bug.name}.log'
            print(f'    FAILED: {failure}; the end of {log.relative_to(ROOT)}:\n{tail(log)}',
                  flush=True)
    print(f'planted: {len(chosen) - failed} caught, {failed} failed')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
