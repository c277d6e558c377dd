#!/usr/bin/env python3
"""Looks for changes of the pure state machines that no test notices: a test of the tests.

    mutate.py [--files GLOB] [--seconds N] [--seed S] [--jobs N] [--list]

In a copy of the tree, build/mutate/tree, one small mistake after the other is made in a file of SUBJECTS: a comparison negated or
moved by one, && for ||, + for -, a number one more or less, a flag returned the other way round, a call left out, a `!` dropped. Each
mutant is built and tested: the unit tests first, and when they pass the simulation, the model checker or the explorer that runs the
file, too. A mutant that a test fails on, or hangs in, is killed; one that does not compile does not count; one that no test notices
SURVIVES: a hole in the tests, unless the mutant means the same as the original.

The seed decides which mutants come first. Within the time they are spread over the files, the larger ones getting more. Optimization
is light, and assertions hold. Survivors are listed in build/mutate/survivors.txt, what was built and run in
build/mutate/log. Exits 0 unless the unmutated tree fails.
"""

import argparse
import fnmatch
import os
import random
import re
import subprocess
import sys
import time

from tree_copy import ROOT, Failure, TreeCopy

# Tests: (CMake target, program below the build folder, gtest filter).
MODEL = ('model_test', 'tests/model_test', '*')
RINGS = ('shm_test', 'tests/shm_test', '*Ring*')
PINS = ('shm_test', 'tests/shm_test', '*Pin*')
# Only parts of the simulation, the worlds and the explorations: those that take seconds.
SIMULATION = ('simulator_test', 'testing/simulator_test', 'Seeds/*/0')
WORLDS = ('reference_world_test', 'testing/reference_world_test',
          'References.ResultsContainReferences:References.ArgumentsSurviveACrash')


def explorer(target, which='*'):
    return (target, f'testing/{target}', which)


# What is mutated, and what tests it: the first that matches.
SUBJECTS = [
    ('src/shm/message_ring.h', [RINGS, explorer('message_ring_test')]),
    ('src/shm/slot_ring.h', [RINGS, explorer('slot_ring_test')]),
    ('src/shm/payload_ring.h', [RINGS]),
    ('src/shm/pin_table.h', [PINS, explorer('pin_table_test', 'PinTable.AnObjectIsReadOnceItIsSealed:PinTableMutants.*')]),
    ('src/model/reference_table.*', [MODEL, WORLDS]),
    # Not those that nothing of testing/ runs, nor what only shows and checks.
    ('src/model/actor_life.*', [MODEL]),
    ('src/model/demand_split.h', [MODEL]),
    ('src/model/error_codec.*', [MODEL]),
    ('src/model/start_attempts.h', [MODEL]),
    ('src/model/*_test.cc', None),
    ('src/model/*_check.cc', None),
    ('src/model/*', [MODEL, SIMULATION]),
]

# Functions that check, and calls that say or check something: who breaks those breaks no promise.
CHECKS = re.compile(r'\b(CheckInvariants|CheckLeases|CheckDemands|CheckCounts|BrokenInvariant)\(\) const {')
SAYS = {'assert', 'static_assert', 'Require', 'MakeError', 'alignas', 'sizeof'}

TOKEN = re.compile(r'''(?P<skip>//[^\n]*|/\*.*?\*/|^[ \t]*\#[^\n]*|R"\((?:.*?)\)"|\s+)
                     |(?P<string>"(?:\\.|[^"\\])*"|(?<![0-9a-zA-Z_])'(?:\\.|[^'\\])*')
                     |(?P<number>\d(?:'?[0-9a-zA-Z_.])*(?:(?<=[eE])[+-]\d+)?)
                     |(?P<word>[A-Za-z_]\w*)
                     |(?P<sign><=>|<<=|>>=|->|\+\+|--|&&|\|\||<<|[-+*/%&|^=!<>]=|::|.)''',
                   re.VERBOSE | re.DOTALL | re.MULTILINE)

SWAPS = {'==': ['!='], '!=': ['=='], '<': ['<=', '>='], '<=': ['<', '>'], '>': ['>=', '<='], '>=': ['>', '<'],
         '&&': ['||'], '||': ['&&'], '+': ['-'], '-': ['+'], '+=': ['-='], '-=': ['+=']}
LARGEST_NUMBER = 100  # one more or less than a thousand is hardly a mistake


class Token:
    def __init__(self, kind, text, begin, end):
        self.kind, self.text, self.begin, self.end = kind, text, begin, end


class Mutant:
    def __init__(self, path, text, begin, end, replacement):
        self.path, self.begin, self.end, self.replacement = path, begin, end, replacement
        self.line = text.count('\n', 0, begin) + 1
        start = text.rfind('\n', 0, begin) + 1
        stop = text.find('\n', end)
        changed = replacement if replacement != '{}' else f'/* left out: */ {text[begin:end]}'
        self.shown = ' '.join((text[start:begin] + changed + text[end:stop]).split())

    def __str__(self):
        return f'{self.path}:{self.line}: {self.shown}'


def tokens_of(text):
    """Neither comments nor directives nor blanks."""
    return [Token(m.lastgroup, m.group(), m.start(), m.end()) for m in TOKEN.finditer(text) if m.lastgroup != 'skip']


def closing(tokens, opening):
    """The index of the token that closes the bracket at `opening`."""
    depth = 0
    for i in range(opening, len(tokens)):
        depth += (tokens[i].text in '([{') - (tokens[i].text in ')]}')
        if depth == 0:
            return i
    return len(tokens) - 1


def is_type(head):
    """Whether the `{` after these tokens opens a type or a namespace."""
    words = [t.text for t in head]
    while words and words[0] == 'template':
        depth = 0
        for i, word in enumerate(words[1:], 1):
            depth += (word == '<') - (word == '>')
            if depth == 0:
                break
        words = words[i + 1:]
    words = [w for w in words if w != 'inline']
    return bool(words) and words[0] in ('namespace', 'struct', 'class', 'union', 'enum')


def excluded(text, tokens):
    """Which tokens are to be left alone, and which stand in functions."""
    left_alone, in_function = set(), set()
    spans = [m.start() for m in CHECKS.finditer(text)]
    scopes = []  # of each open brace: whether it is a function's
    head = []
    for i, token in enumerate(tokens):
        if token.text == '{':
            function = (bool(scopes) and scopes[-1]) or not is_type(head)
            if head and head[0].text == 'enum':
                left_alone.update(range(i, closing(tokens, i)))
            if spans and token.begin >= spans[0]:
                spans.pop(0)
                left_alone.update(range(i, closing(tokens, i)))
            scopes.append(function)
        elif token.text == '}' and scopes:
            scopes.pop()
        if scopes and scopes[-1]:
            in_function.add(i)
        if token.text in ('{', '}', ';') or (token.text == ':' and i and tokens[i - 1].text in ('public', 'private', 'protected')):
            head = []
        else:
            head.append(token)
        if token.text == '[' or (token.text in SAYS and tokens[i + 1].text == '('):
            left_alone.update(range(i, closing(tokens, i + (token.text != '[')) + 1))
        elif token.text in ('template', 'static_assert', 'using', 'operator', 'default', 'delete'):
            left_alone.update((i, i + 1))
    return left_alone, in_function


def call_at(tokens, i):
    """The index of the `;` behind a statement at i that is a call, or None."""
    text = tokens[i].text
    if tokens[i].kind != 'word' or text in SAYS or text in ('return', 'if', 'for', 'while', 'switch', 'throw', 'delete'):
        return None
    before = tokens[i - 1].text
    if before == ')':  # of an if or a loop
        depth = 0
        for j in range(i - 1, 0, -1):
            depth += (tokens[j].text == ')') - (tokens[j].text == '(')
            if depth == 0:
                break
        if tokens[j - 1].text not in ('if', 'for', 'while'):
            return None
    elif before not in (';', '{', '}', 'else', ':'):
        return None
    j = i + 1
    while True:
        if tokens[j].text in ('.', '->', '::'):
            j += 2
        elif tokens[j].text in '([':
            j = closing(tokens, j) + 1
        else:
            return j if tokens[j].text == ';' and tokens[j - 1].text == ')' else None


def mutants_of(path):
    text = (ROOT / path).read_text()
    tokens = tokens_of(text)
    left_alone, in_function = excluded(text, tokens)
    found = []
    for i, token in enumerate(tokens):
        if i in left_alone or i == 0 or i + 1 == len(tokens):
            continue
        before, after = tokens[i - 1], tokens[i + 1]

        def add(replacement, end=token.end):
            found.append(Mutant(path, text, token.begin, end, replacement))

        # Operators with two operands have blanks around them; brackets of templates, references and signs have not.
        if token.text in SWAPS and text[token.begin - 1].isspace() and text[token.end].isspace():
            texts = {before.kind, after.kind} & {'string'} or after.text in ('Number', 'Describe', 'Hex', 'std') and token.text == '+'
            if not texts:
                for other in SWAPS[token.text]:
                    add(other)
        elif token.text in ('++', '--') and i in in_function:
            add('--' if token.text == '++' else '++')
        elif token.text == '!':
            add('')
        elif token.kind == 'number' and re.fullmatch(r"\d+[uUlL]*", token.text):
            number, suffix = re.fullmatch(r'(\d+)(.*)', token.text).groups()
            if int(number) <= LARGEST_NUMBER and not (before.text == '=' and tokens[i - 2].text in (')', 'const')):
                add(f'{int(number) + 1}{suffix}')
                if int(number) > 1:
                    add(f'{int(number) - 1}{suffix}')
        elif token.text in ('true', 'false') and before.text in ('return', '='):
            add('false' if token.text == 'true' else 'true')
        elif i in in_function:
            stop = call_at(tokens, i)
            if stop is not None:
                add('{}', tokens[stop].end)
    return found


def tests_of(path):
    for pattern, tests in SUBJECTS:
        if fnmatch.fnmatchcase(path, pattern):
            return tests
    return None


def all_mutants(glob):
    """{path: mutants}, of the files that match."""
    paths = sorted(str(p.relative_to(ROOT)) for folder in ('src/model', 'src/shm') for p in (ROOT / folder).iterdir())
    return {path: mutants_of(path) for path in paths
            if tests_of(path) and fnmatch.fnmatchcase(path if '/' in glob else os.path.basename(path), glob)}


def in_turn(mutants, seed):
    """All in a random order in which a file comes as often as the root of its size says."""
    rng = random.Random(seed)
    turns = []
    for path, some in mutants.items():
        for i, mutant in enumerate(rng.sample(some, len(some))):
            turns.append(((i + rng.random()) / len(some) ** 0.5, path, mutant))
    return [mutant for _, _, mutant in sorted(turns, key=lambda turn: turn[:2])]


class Bench:
    """Builds and tests what is in the copy."""

    def __init__(self, copy, log, jobs):
        self.copy, self.log, self.jobs = copy, log, jobs
        self.build_folder = copy.tree / 'build'
        self.seconds = {}  # what a test took without a mutant

    def configure(self):
        # No warning is an error: a mutant may well leave something unused.
        if not (self.build_folder / 'build.ninja').exists() and self.copy.run(
                self.log, 'cmake', '--preset', 'debug', '-B', str(self.build_folder), '-DMANTA_KILL_POINTS=OFF',
                '-DCMAKE_CXX_FLAGS=-w', '-DCMAKE_CXX_FLAGS_DEBUG=-O1') != 0:
            raise Failure('the configure step fails')

    def builds(self, target, **environment):
        return self.copy.run(self.log, 'cmake', '--build', str(self.build_folder), '-j', str(self.jobs), '--target', target,
                             **environment) == 0

    def passes(self, test):
        """None: it ran out of time."""
        _, program, which = test
        command = [str(self.build_folder / program), f'--gtest_filter={which}', '--gtest_fail_fast', '--gtest_brief=1']
        self.log.write(f'+ {" ".join(command)}\n')
        self.log.flush()
        limit = 10 + 10 * self.seconds[test] if test in self.seconds else 300
        try:
            return subprocess.run(command, cwd=self.copy.tree, stdout=self.log, stderr=subprocess.STDOUT, timeout=limit).returncode == 0
        except subprocess.TimeoutExpired:
            return None

    def prepare(self, tests):
        """The tests pass as the tree is."""
        for test in tests:
            if not self.builds(test[0]):
                raise Failure(f'{test[0]} does not build')
            start = time.monotonic()
            if not self.passes(test):
                raise Failure(f'{test[0]} fails without a mutant already')
            self.seconds[test] = time.monotonic() - start

    def judge(self, mutant):
        """'killed', 'timed out', 'SURVIVED' or 'skipped'."""
        self.log.write(f'\n--- {mutant}\n')
        path = self.copy.tree / mutant.path
        original = path.read_text()
        path.write_text(original[:mutant.begin] + mutant.replacement + original[mutant.end:])
        try:
            for test in tests_of(mutant.path):
                # A mutant is built once: the compiler's cache keeps the originals alone.
                if not self.builds(test[0], CCACHE_READONLY='1'):
                    return 'skipped'
                passed = self.passes(test)
                if passed is None:
                    return 'timed out'
                if not passed:
                    return 'killed'
            return 'SURVIVED'
        finally:
            path.write_text(original)


def run_all(copy, mutants, seconds, jobs):
    counts = {'killed': 0, 'timed out': 0, 'SURVIVED': 0, 'skipped': 0}
    survivors = []
    tests = list(dict.fromkeys(test for mutant in mutants for test in tests_of(mutant.path)))
    with open(copy.work / 'log', 'w') as log:
        copy.sync()
        bench = Bench(copy, log, jobs)
        bench.configure()
        bench.prepare(tests)
        print(f'mutate: the tree as it is passes {", ".join(dict.fromkeys(test[0] for test in tests))}', flush=True)
        end = time.monotonic() + seconds
        for mutant in mutants:
            if time.monotonic() >= end:
                break
            start = time.monotonic()
            verdict = bench.judge(mutant)
            counts[verdict] += 1
            if verdict == 'SURVIVED':
                survivors.append(mutant)
            print(f'  {verdict:<9} {mutant} ({time.monotonic() - start:.1f} s)', flush=True)
            (copy.work / 'survivors.txt').write_text(''.join(f'{m}\n' for m in sorted(survivors, key=lambda m: (m.path, m.line))))
    counted = sum(counts.values()) - counts['skipped']
    print(f'mutate: {counted} of {len(mutants)} mutants: {counts["killed"]} killed, {counts["timed out"]} timed out, '
          f'{counts["SURVIVED"]} survived (build/mutate/survivors.txt); {counts["skipped"]} more did not compile')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--files', metavar='GLOB', default='*', help='only files whose name, or path when GLOB has a slash, matches')
    parser.add_argument('--seconds', type=float, default=600, help='no new mutant after that many (default: 600)')
    parser.add_argument('--seed', type=int, default=1, help='decides which mutants come first (default: 1)')
    parser.add_argument('--jobs', type=int, default=os.cpu_count())
    parser.add_argument('--list', action='store_true', help='show all mutants in turn, build nothing')
    arguments = parser.parse_args()
    mutants = in_turn(all_mutants(arguments.files), arguments.seed)
    if not mutants:
        sys.exit(f'mutate: no file of those that are mutated matches {arguments.files}')
    if arguments.list:
        print('\n'.join(str(mutant) for mutant in mutants))
        return 0
    try:
        run_all(TreeCopy('mutate'), mutants, arguments.seconds, arguments.jobs)
    except Failure as failure:
        print(f'mutate: FAILED: {failure}; see build/mutate/log')
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
