"""What the tables of public names have in common: how they are written, and what their commands do."""

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def render(heading, states, counts, sections, last_column):
    """The table's text: `heading` lines, how many names are in each state, and for each section its rows."""
    lines = [*heading, '', '| state | names |', '|---|---|']
    lines += [f'| {state} | {counts[state]} |' for state in states]
    for section, rows in sections.items():
        lines += ['', f'## {section}', '', f'| name | state | {last_column} |', '|---|---|---|', *rows]
    return '\n'.join(lines) + '\n'


def check_arguments(usage):
    arguments = sys.argv[1:]
    if len(arguments) > 1 or arguments and arguments[0] not in ('--check', '--counts'):
        sys.exit(usage)


def run(program, path, states, text, counts):
    """Prints the counts; writes the file, or with --check fails when it is stale. Returns the exit status."""
    print(f'{program}: ' + ', '.join(f'{counts[state]} {state}' for state in states))
    if not sys.argv[1:]:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    elif sys.argv[1] == '--check' and (not path.exists() or path.read_text() != text):
        print(f'{program}: {path.relative_to(ROOT)} is stale: run python3 tools/{program}.py', file=sys.stderr)
        return 1
    return 0
