#!/usr/bin/env python3
"""Writes docs/python-surface.md: every name of Ray's core interface in Python (tools/python_surface.txt), and what becomes of it.

    python_table.py            writes the table
    python_table.py --check    fails when the file is stale, or a name is missing
    python_table.py --counts   one line for the summary of tests

The built package (build/release/python) says what is there, and refuses what is not there yet; the texts of
tests/python say what is covered.
"""

import ast
import collections
import importlib
import inspect
import os
import pathlib
import re
import sys

import surface_table
from surface_table import ROOT

SURFACE = ROOT / 'tools/python_surface.txt'
TABLE = ROOT / 'docs/python-surface.md'
BUILD = ROOT / 'build/release/python'
INTERPRETER = ROOT / 'build/python/bin/python3'
STATES = ('covered', 'not there yet', 'uncovered', 'missing')
KINDS = ('task', 'actor', 'method')
SAYS_SO = 'not there'

Entry = collections.namedtuple('Entry', 'section text expression')
# `words`: each name, attribute and short text in it; `calls`: what is called with which argument by name, as "put(_owner=".
Test = collections.namedtuple('Test', 'where path words calls module_words')


def entries():
    section = ''
    for line in SURFACE.read_text().splitlines():
        if line.startswith('## '):
            section = line[3:]
        elif line.strip() and not line.startswith('#'):
            text, _, expression = line.partition(' | ')
            yield Entry(section, text.strip(), expression.strip())


# ---- What is there


def find(name):
    """The object that is `ray.x.y` in Ray; AttributeError or ImportError when there is none."""
    parts = name.replace('ray', 'manta', 1).split('.')
    for end in range(len(parts) - 1, 0, -1):  # what has the name of a module may be a function: ray.util.placement_group
        try:
            value = importlib.import_module('.'.join(parts[:end]))
        except ImportError:
            continue
        for part in parts[end:]:
            value = inspect.getattr_static(value, part) if inspect.isclass(value) else getattr(value, part)
        return value
    raise ImportError(name)


def refuses(use):
    """Whether it raises the error that says that it is not there yet."""
    try:
        use()
    except NotImplementedError as error:
        return SAYS_SO in str(error)
    except Exception:
        return False
    return False


def refuses_expression(expression):
    ray = importlib.import_module('manta')
    importlib.import_module('manta.util')
    names = {
        'ray': ray,
        'task': lambda **options: ray.remote(**options)(lambda: None),
        'actor': lambda **options: ray.remote(**options)(type('Actor', (), {})),
    }
    names['task'].bind = lambda *args: ray.remote(len).bind(*args)
    names['actor'].bind = lambda *args: ray.remote(type('Actor', (), {})).bind(*args)
    # A function and the module of its name: here the module is meant.
    expression = re.sub(r'ray((?:\.\w+)+?)\.(PlacementGroup)\b', r'find("ray\1.\2")', expression)
    try:
        return refuses(lambda: eval(expression, {**names, 'find': find}))
    finally:
        if ray.is_initialized():
            ray.shutdown()


def is_there(entry):
    """None, or why not."""
    name = entry.text.split('(')[0]
    try:
        if name.split()[0] in KINDS:
            kind, option = name.split()
            return None if option.rstrip('=') in options_of(kind) else 'no such option'
        value = find(name)
    except (ImportError, AttributeError) as error:
        return str(error)
    if argument := re.fullmatch(r'.*\((\w+)=\)', entry.text):
        parameters = inspect.signature(value).parameters
        is_private = argument[1].startswith('_') and any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        return None if argument[1] in parameters or is_private else f'no argument {argument[1]}'
    return None


def options_of(kind):
    options = importlib.import_module('manta._options')
    return {name for name, row in options.TABLE.items() if row[options._COLUMN[kind]]}


def is_refused(entry):
    if entry.expression:
        return refuses_expression(entry.expression)
    if '(' in entry.text or ' ' in entry.text:
        return False
    value = find(entry.text)
    value = getattr(value, '__func__', value)  # of a staticmethod
    return getattr(value, '__manta_not_there_yet__', False) and refuses(value)


# ---- What is covered


def words_of(node):
    words, calls = set(), set()
    # Of dicts, which may be given as arguments by name.
    options = {key.value for part in ast.walk(node) if isinstance(part, ast.Dict) for key in part.keys
               if isinstance(key, ast.Constant) and isinstance(key.value, str)}
    options |= {keyword.arg for part in ast.walk(node) if isinstance(part, ast.Call) and getattr(part.func, 'id', '') == 'dict'
                for keyword in part.keywords if keyword.arg}
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            words.add(part.id)
        elif isinstance(part, ast.Attribute):
            words.add(part.attr)
            if isinstance(part.value, (ast.Name, ast.Attribute)):
                words.add(f"{getattr(part.value, 'id', None) or part.value.attr}.{part.attr}")
        elif isinstance(part, (ast.alias, ast.ImportFrom)):
            parts = (part.name if isinstance(part, ast.alias) else part.module or '').split('.')
            words.update(parts, (f'ray.{name}' for name in parts[1:2]))
        elif isinstance(part, ast.Constant) and isinstance(part.value, str) and part.value.isidentifier():
            words.add(part.value)
        elif isinstance(part, ast.Await):
            words.add('__await__')
        elif isinstance(part, ast.Call):
            callee = part.func.attr if isinstance(part.func, ast.Attribute) else getattr(part.func, 'id', '')
            for keyword in part.keywords:
                calls.update(f'{callee}({name}=' for name in ([keyword.arg] if keyword.arg else options))
            # Options that are told in turn.
            calls.update(f'{callee}({name}=' for argument in part.args if isinstance(argument, ast.Starred) for name in options)
        elif isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef)) and part is not node:
            words.add(part.name)
    # Programs that tests run are texts.
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str) and '\n' in part.value:
            words.update(re.findall(r'\w+', part.value), re.findall(r'\w+\.\w+', part.value))
            for callee, arguments in re.findall(r'(\w+)\(([^()]*(?:\([^()]*\)[^()]*)*)\)', part.value):
                calls.update(f'{callee}({name}=' for name in re.findall(r'(\w+)=', arguments))
    return words, calls


def tests():
    found = []
    for path in sorted((ROOT / 'tests/python').glob('test_*.py')):
        tree = ast.parse(path.read_text())
        module_words = words_of(tree)[0]
        where = str(path.relative_to(ROOT))
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith('test_'):
                found.append(Test(node.name, where, *words_of(node), module_words))
        rest = ast.Module([node for node in tree.body if not (isinstance(node, ast.FunctionDef) and node.name.startswith('test_'))], [])
        found.append(Test('', where, *words_of(rest), module_words))
    # Tests before what stands outside of them.
    return sorted(found, key=lambda test: not test.where)


def covered_by(entry, all_tests):
    text = entry.text
    if argument := re.search(r'(\w+)=\)?$', text):
        needed = {'task': ('remote', 'options'), 'actor': ('remote', 'options'), 'method': ('method', 'options')}.get(
            text.split()[0], (text.split('(')[0].rsplit('.', 1)[-1],))
        if text.startswith('ray.init('):
            needed += 'logs',  # a helper of tests, which hands its arguments on
        fits = lambda test: any(f'{word}({argument[1]}=' in test.calls for word in needed)
    else:
        parts = text.split('.')
        # What is called on a class itself stands behind its name.
        of_class = isinstance(find(text), (staticmethod, classmethod))
        wanted = '.'.join(parts[-2:]) if len(parts) == 2 or of_class else parts[-1]
        # Where what it belongs to is spoken of: the class of a member, the module of a name that others may have, too.
        of = parts[-2] if len(parts) > 2 and parts[-2] not in ('util', 'RuntimeContext', 'ObjectRef') else None
        imported = len(parts) == 2 and parts[1][0].isupper()
        fits = lambda test: ((wanted in test.words or imported and parts[1] in test.words)
                             and (of is None or of in test.module_words))
        # First the tests that speak of both.
        all_tests = sorted(all_tests, key=lambda test: of is not None and of not in test.words)
    for test in all_tests:
        if fits(test):
            return f'{test.where} ({test.path})' if test.where else test.path
    return None


def classify(entry, all_tests):
    """(state, where)"""
    if entry.expression and is_refused(entry):
        return 'not there yet', 'NotImplementedError'
    if '"' in entry.text or '{' in entry.text:
        return 'uncovered', 'what it was to raise it does not'
    if missing := is_there(entry):
        return 'missing', missing
    if is_refused(entry):
        return 'not there yet', 'NotImplementedError'
    where = covered_by(entry, all_tests)
    return ('covered', where) if where else ('uncovered', '')


def table():
    all_tests = tests()
    rows = collections.OrderedDict()
    counts = collections.Counter()
    for entry in entries():
        state, where = classify(entry, all_tests)
        counts[state] += 1
        rows.setdefault(entry.section, []).append(f'| `{entry.text}` | {state} | {where} |')
    heading = ['# The public surface of the Python package', '',
               'Made by `tools/python_table.py` of the names in `tools/python_surface.txt`; `./dev check` fails when it is stale.',
               'What is not there yet can be imported, and raises a NotImplementedError that says so where it is used. Names are',
               'found in the tests by their form: a row says which test to look at first.']
    return surface_table.render(heading, STATES, counts, rows, 'where'), counts


def main():
    surface_table.check_arguments(__doc__)
    if not (BUILD / 'manta/_manta.so').exists() or not INTERPRETER.exists():
        print('python_table: the Python package is not built, its names are not checked')
        return 0
    if pathlib.Path(sys.prefix) != INTERPRETER.parent.parent:
        os.execv(INTERPRETER, [str(INTERPRETER), *sys.argv])
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(BUILD))
    text, counts = table()
    return surface_table.run('python_table', TABLE, STATES, text, counts)


if __name__ == '__main__':
    sys.exit(main())
