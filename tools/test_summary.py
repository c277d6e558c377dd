#!/usr/bin/env python3
"""Prints a table by label from the JUnit files that ctest writes.

    test_summary.py NAME=FILE...

Exits 1 when a test failed or a file is missing.
"""

import pathlib
import sys
import xml.etree.ElementTree as ElementTree


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    failures, skips, missing = [], [], 0
    print(f'{"preset":<10}{"label":<12}{"passed":>8}{"failed":>8}{"skipped":>9}{"seconds":>10}')
    for argument in sys.argv[1:]:
        name, _, path = argument.partition('=')
        if not pathlib.Path(path).exists():
            print(f'{name:<10}(no result: the build or ctest itself failed)')
            missing += 1
            continue
        rows = {}
        for case in ElementTree.parse(path).getroot().iter('testcase'):
            labels = [p.get('value') for p in case.iter('property')
                      if p.get('name') == 'cmake_labels']
            row = rows.setdefault((labels or ['(none)'])[0] or '(none)', [0, 0, 0, 0.0])
            status = case.get('status')
            if case.find('skipped') is not None or status in ('notrun', 'disabled'):
                # A test whose program was not built is a failure, any other one is a skip.
                missing_program = case.get('name', '').endswith('_NOT_BUILT')
                row[1 if missing_program else 2] += 1
                (failures if missing_program else skips).append(f'{name}: {case.get("name")}')
            elif status == 'run' and case.find('failure') is None:
                row[0] += 1
            else:
                row[1] += 1
                failures.append(f'{name}: {case.get("name")}')
            row[3] += float(case.get('time') or 0)
        for label, (passed, failed, skipped, seconds) in sorted(rows.items()):
            print(f'{name:<10}{label:<12}{passed:>8}{failed:>8}{skipped:>9}{seconds:>10.2f}')
        if not rows:
            print(f'{name:<10}(no tests)')
    for skip in skips:
        print(f'skipped  {skip}')
    for failure in failures:
        print(f'FAILED   {failure}')
    return 1 if failures or missing else 0


if __name__ == '__main__':
    sys.exit(main())
