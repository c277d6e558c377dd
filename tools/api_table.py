#!/usr/bin/env python3
"""Writes docs/api-surface.md: every public name and option, and the test that covers it.

    api_table.py [--check | --counts]

Reads include/manta/*.h, include/manta/manta_c.h and include/ray, and looks the names up in the tests.
What a name means is found by its form alone (a method is .Name( or ->Name(, a field is .name), so a
row says where to look, and not more. Each name is one of
  covered      a test runs it against the real library
  header only  only tests of the headers, against a C interface in memory, use it
  not there    it answers NotSupportedError
  uncovered    no test names it
--check fails when the file is stale, --counts only prints how many there are of each.
"""

import collections
import pathlib
import re
import sys

import surface_table
from surface_table import ROOT

TABLE = ROOT / 'docs' / 'api-surface.md'
STATES = ['covered', 'header only', 'not there', 'uncovered']
HIDDEN = {'detail', 'internal', 'std', 'boost'}
# Where users meet what stands in a hidden namespace: setters that are inherited, exceptions to catch.
SHOWN = {'manta/options.h': r'\w+Setters', 'ray/api/task_caller.h': 'TaskCaller',
         'ray/api/actor_creator.h': 'ActorCreator', 'ray/api/ray_exception.h': ''}
# Called by their operator() only, by Serialize hooks.
ARCHIVES = re.compile(r'(Size|Write|Read)Archive|Owner')
NO_NAMES = {'noexcept', 'operator', 'const', 'std', 'override'}

Name = collections.namedtuple('Name', 'header scope name kind body')
Test = collections.namedtuple('Test', 'path where text is_ray is_real')


def blank(match):
    return re.sub(r'[^\n]', ' ', match.group())


def strip(text, strings=True):
    """Without comments, and without the insides of strings unless told otherwise."""
    text = re.sub(r'//[^\n]*|/\*.*?\*/', blank, text, flags=re.S)
    if strings:
        text = re.sub(r'"(?:[^"\\\n]|\\.)*"', lambda m: '"' + ' ' * (len(m.group()) - 2) + '"', text)
    return text


def end_of_block(text, begin):
    depth = 0
    for at in range(begin, len(text)):
        depth += {'{': 1, '}': -1}.get(text[at], 0)
        if depth == 0:
            return at
    return len(text)


def without_templates(head):
    """`template <...>` and attributes removed from the front."""
    head = re.sub(r'\[\[.*?\]\]|\b(MANTA_API|inline|constexpr|static|explicit|virtual|typedef)\b', ' ',
                  head).strip()
    while head.startswith('template'):
        depth = 0
        for at, char in enumerate(head):
            depth += {'<': 1, '>': -1}.get(char, 0)
            if char == '>' and depth == 0:
                break
        head = head[at + 1:].strip()
    return re.sub(r'^std::enable_if_t<[^;{]*?, ([\w&]+)>', r'\1', head)


def split_access(head, access):
    while match := re.match(r'\s*(public|private|protected)\s*:', head):
        access, head = match.group(1), head[match.end():]
    return head, access


def function_name(head):
    depth = 0
    for at, char in enumerate(head):
        depth += {'<': 1, '>': -1}.get(char, 0)
        if char == '(' and depth == 0:
            match = re.search(r'(?<!::)\b(~?\w+)\s*$', head[:at])  # A::b() was declared before
            return match.group(1) if match and 'operator' not in head[:at] else None
    return None


def declarations(header, text):
    """Yields the public names of a C++ header."""

    def visit(begin, end, scope, access, is_class):
        at = begin
        head_begin = begin
        while at < end:
            char = text[at]
            if char not in '{;':
                at += 1
                continue
            head, access = split_access(text[head_begin:at], access)
            stop = end_of_block(text, at) if char == '{' else at
            plain = without_templates(head)
            body = text[at:stop]
            head_begin = at = stop + 1
            if match := re.match(r'(?:inline )?namespace\s*(\w*)', plain):
                if match.group(1) not in HIDDEN or header in SHOWN:
                    yield from visit(stop - len(body) + 1, stop, scope, 'public', False)
                continue
            if plain.startswith('extern'):
                yield from visit(stop - len(body) + 1, stop, scope, 'public', False)
                continue
            if access != 'public' or plain.startswith(('friend', 'static_assert')):
                continue
            if match := re.match(r'(class|struct|enum class|enum)\s+(\w+)\s*([^(]*)$', plain):
                kind, name, rest = match.groups()
                if char == ';' or rest.startswith('<'):
                    continue
                yield Name(header, scope, name, 'type', body)
                if kind == 'struct' or kind == 'class':
                    inner = 'private' if kind == 'class' else 'public'
                    yield from visit(stop - len(body) + 1, stop, name, inner, True)
                elif kind == 'enum class':
                    for value in re.findall(r'(\w+)\s*(?:=[^,}]*)?[,}]', body):
                        yield Name(header, name, value, 'value', '')
                continue
            if match := re.match(r'using\s+(?:\w+::)*(\w+)\s*(=|$)', plain):
                if not is_class:
                    yield Name(header, scope, match.group(1), 'type', body)
                continue
            name = function_name(re.split(r'(?<![=!<>])=(?![=])', plain)[0])
            if name is not None:
                # Of constructors with initializers the last name is that of a member or a base.
                is_constructor = re.match(rf'\W*{scope}\s*\(', plain) if scope else None
                if is_constructor or name.startswith('~') or 'delete' in head.split(')')[-1]:
                    continue
                yield Name(header, scope, name, 'method' if is_class else 'function', body)
            elif match := re.search(r'(\w+)\s*(?:=.*|\[\w*\])?$', plain, flags=re.S):
                if is_class and len(plain.split()) > 1 and not match.group(1).endswith('_'):
                    yield Name(header, scope, match.group(1), 'field', '')

    yield from visit(0, len(text), '', 'public', False)
    for macro in re.findall(r'^#\s*define\s+(\w+)', text, flags=re.M):
        if not macro.endswith('_H_') and 'DETAIL' not in macro and macro != 'MANTA_API':
            yield Name(header, '', macro, 'macro', '')


def c_names(header, text):
    for name in re.findall(r'MANTA_API[^;{]*?\b(manta_\w+)\s*\(', text):
        yield Name(header, '', name, 'c function', '')
    for fields, struct in re.findall(r'typedef struct \w+ \{(.*?)\} (\w+);', text, flags=re.S):
        if not re.search(r'config|options|context', struct):
            continue
        for field in re.findall(r'(\w+)(?:\[\w+\])?;', fields):
            if field != 'struct_size':
                yield Name(header, struct, field, 'c field', '')


def public_names():
    headers = sorted((ROOT / 'include').glob('*/*.h')) + sorted((ROOT / 'include/ray').glob('*/*.h'))
    seen = set()
    for path in headers:
        header = str(path.relative_to(ROOT / 'include'))
        text = strip(path.read_text())
        find = c_names if path.name.endswith('_c.h') else declarations
        if find is declarations:  # the bodies of macros are not declarations
            macros = re.compile(r'^#(?:[^\n]*\\\n)*[^\n]*', flags=re.M)
            names = [n for n in find(header, macros.sub(blank, text))]
            names += [n for n in declarations(header, '\n'.join(macros.findall(text))) if n.kind == 'macro']
        else:
            names = list(find(header, text))
        for name in names:
            key = (header, name.scope, name.name)
            if name.name in NO_NAMES or name.scope in NO_NAMES or ARCHIVES.fullmatch(name.scope):
                continue
            if header in SHOWN and not re.fullmatch(SHOWN[header], name.scope):
                continue
            if key not in seen:
                seen.add(key)
                yield name


def tests():
    """All tests, and for each file what stands outside of them; the real ones first."""
    found = []
    paths = [p for p in (ROOT / 'tests').rglob('*.cc')
             if not re.search(r'fake|null_manta|compile_errors', p.name)]
    for path in sorted(paths, key=lambda p: ('headers' in p.parts, str(p))):
        text = strip(path.read_text())
        is_ray = 'ray/api.h' in path.read_text()
        is_real = 'headers' not in path.parts
        where = str(path.relative_to(ROOT))
        rest = text
        for match in re.finditer(r'^TEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\s*\)\s*\{', text, flags=re.M):
            end = end_of_block(text, match.end() - 1)
            body = text[match.end():end]
            rest = rest[:match.start()] + re.sub(r'[^\n]', ' ', text[match.start():end]) + rest[end:]
            found.append(Test(where, f'{match.group(1)}.{match.group(2)}', body, is_ray, is_real))
        if '_test.cc' not in path.name or re.search(r'\b(manta|ray)::', rest):
            found.append(Test(where, path.name, rest, is_ray, is_real))
    # Tests before what stands outside of them.
    return sorted(found, key=lambda t: (not t.is_real, t.where == pathlib.Path(t.path).name))


def pattern_of(name):
    word = re.escape(name.name)
    if name.kind == 'method':
        return rf'(?:\.|->|::)(?:template )?{word}\s*[<(]'
    if name.kind == 'field':
        return rf'(?:\.|->){word}\b'
    if name.kind == 'value':
        return rf'{name.scope}::{word}\b'
    if name.kind in ('type', 'function'):
        return rf'\b(?:manta|ray|internal)::(?:v1::)?{word}\b'
    return rf'\b{word}\b'


def snake(name):
    return re.sub(r'(?<=[a-z0-9])([A-Z])', r'_\1', re.sub(r'^Set', '', name)).lower()


def refusals():
    """The texts of all places in the library that answer NotSupportedError."""
    texts = []
    for path in sorted((ROOT / 'src').rglob('*.cc')):
        lines = path.read_text().splitlines()
        for at, line in enumerate(lines):
            if 'MANTA_ERROR_NOT_SUPPORTED' in line and 'case' not in line and '_test' not in path.name:
                texts.append('\n'.join(lines[max(0, at - 3):at + 3]))
    return texts


def what_calls():
    """C functions by what calls them for users: the C++ headers, and the Python extension, which the tests of tests/python use."""
    calls = collections.defaultdict(str)
    paths = sorted((ROOT / 'include').glob('manta/**/*.h')) + sorted((ROOT / 'src/bindings/python').glob('*.cc'))
    for path in paths:
        if not path.name.endswith('_c.h'):
            for name in re.findall(r'\b(manta_\w+)\b', strip(path.read_text())):
                calls[name] = calls[name] or path.name
    return calls


def classify(name, all_tests, refused, calls):
    """(state, where)"""
    if name.kind.startswith('c '):
        if name.kind == 'c field':
            if any(re.search(rf'\b{name.name} ?(!=|>|<)', text) for text in refused):
                return 'not there', 'NotSupportedError'
            return 'covered', 'through the C++ headers'
        if name.name in calls:
            return 'covered', f'through {calls[name.name]}'
        for test in all_tests:
            if test.is_real and re.search(rf'\b{name.name}\b', test.text):
                return 'covered', f'{test.where} ({test.path})'
        return 'uncovered', ''
    is_ray = name.header.startswith('ray/')
    is_refusal = re.search(r'NotSupportedError|Refuse\w*\(', name.body) and 'case' not in name.body
    if is_refusal and name.kind != 'type':
        return 'not there', 'NotSupportedError'
    if name.kind == 'method' and name.name.startswith('Set') and not is_ray:
        if any(re.search(rf'\b{snake(name.name)} ?(>|!=)', text) for text in refused):
            return 'not there', 'NotSupportedError'
    # Headers that are there for programs to compile say so at their top.
    if is_ray and 'not there yet' in (ROOT / 'include' / name.header).read_text()[:200]:
        return 'not there', 'the header says so'
    pattern = re.compile(pattern_of(name))
    # Its methods are called as those of standard containers.
    owner = re.compile(r'\bArray<' if name.scope == 'Array' else '')
    header_only = None
    for test in all_tests:
        if test.is_ray != is_ray or not pattern.search(test.text) or not owner.search(test.text):
            continue
        if test.is_real:
            return 'covered', f'{test.where} ({test.path})'
        header_only = header_only or f'{test.where} ({test.path})'
    return ('header only', header_only) if header_only else ('uncovered', '')


def table():
    all_tests, refused, calls = tests(), refusals(), what_calls()
    rows = collections.OrderedDict()
    counts = collections.Counter()
    for name in public_names():
        state, where = classify(name, all_tests, refused, calls)
        counts[state] += 1
        shown = f'{name.scope}::{name.name}' if name.scope else name.name
        rows.setdefault(name.header, []).append(f'| `{shown}` | {state} | {where} |')
    heading = ['# The public surface', '',
               'Made by `tools/api_table.py`; `./dev check` fails when it is stale. Names are found in the tests by',
               'their form (a method is `.Name(`), not by their type: a row says which test to look at first.']
    return surface_table.render(heading, STATES, counts, rows, 'test'), counts


def main():
    surface_table.check_arguments(__doc__)
    text, counts = table()
    return surface_table.run('api_table', TABLE, STATES, text, counts)


if __name__ == '__main__':
    sys.exit(main())
