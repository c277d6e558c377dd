#!/usr/bin/env python3
"""Prints a table by label from the JUnit files that ctest writes.

    test_summary.py NAME=FILE.xml...

Beside each FILE.xml stands FILE.json, the output of ctest --show-only=json-v1, for the labels.
What failed tests said comes last, so that the end of a log tells why a run failed.
Exits 1 when a test failed, none ran, or a file is missing.
"""

import json
import pathlib
import sys
import xml.etree.ElementTree as ElementTree

OUTPUTS_SHOWN = 5
FIRST_LINES, LAST_LINES = 30, 15


def read_labels(path):
    """Test name -> its first label."""
    labels = {}
    for test in json.loads(path.read_text()).get('tests', []):
        for prop in test.get('properties', []):
            if prop['name'] == 'LABELS' and prop['value']:
                labels[test['name']] = prop['value'][0]
    return labels


def output_of(case):
    lines = (case.findtext('system-out') or '').rstrip().splitlines()
    left_out = len(lines) - FIRST_LINES - LAST_LINES
    if left_out > 0:
        lines[FIRST_LINES:-LAST_LINES] = [f'[{left_out} lines]']
    return '\n'.join(f'  | {line}' for line in lines)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    failures, skips, outputs, missing, tests = [], [], [], 0, 0
    print(f'{"preset":<10}{"label":<12}{"passed":>8}{"failed":>8}{"skipped":>9}{"seconds":>10}')
    for argument in sys.argv[1:]:
        name, _, path = argument.partition('=')
        path = pathlib.Path(path)
        if not path.exists() or not path.with_suffix('.json').exists():
            print(f'{name:<10}(no result: the build or ctest itself failed)')
            missing += 1
            continue
        labels = read_labels(path.with_suffix('.json'))
        rows = {}
        for case in ElementTree.parse(path).getroot().iter('testcase'):
            row = rows.setdefault(labels.get(case.get('name'), '(none)'), [0, 0, 0, 0.0])
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
                outputs.append(f'{failures[-1]} said:\n{output_of(case)}')
            row[3] += float(case.get('time') or 0)
            tests += 1
        for label, (passed, failed, skipped, seconds) in sorted(rows.items()):
            print(f'{name:<10}{label:<12}{passed:>8}{failed:>8}{skipped:>9}{seconds:>10.2f}')
        if not rows:
            print(f'{name:<10}(no tests)')
    for skip in skips:
        print(f'skipped  {skip}')
    for failure in failures:
        print(f'FAILED   {failure}')
    for output in outputs[:OUTPUTS_SHOWN]:
        print(output)
    if tests == 0:
        print('FAILED   no test has run: does the name or the label exist?')
    return 1 if failures or missing or tests == 0 else 0


if __name__ == '__main__':
    sys.exit(main())
