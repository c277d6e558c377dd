#!/usr/bin/env python3
"""Builds and runs the programs and commands of docs/howto/cpp.md against the installed package.

    check_cpp_guide.py SOURCE_DIR BUILD_DIR [name...]

A block whose first line is a comment with a file's name is that file; those in C++ are programs, compiled as C++17 (C++20 if they
have coroutines) and run, several at once. Then the blocks of commands run, one after the other. A block of text is what the program
or the commands before it print; `...` in it stands for anything within a line. With names (tasks.cc), only these programs. Exits 77
(skipped) while there is nothing to install.
"""

import concurrent.futures
import difflib
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

SKIP = 77
PAGE = 'docs/howto/cpp.md'
PLACE = '/opt/manta'  # where the page says that Manta is installed
WARNINGS = ['-Wall', '-Wextra', '-Werror']
COMPILE_SECONDS, RUN_SECONDS = 240, 60


def parse(text):
    """The steps of the page: (name or None for commands, language, source, expected text or None)."""
    steps = []
    for language, body in re.findall(r'^```(\w*)\n(.*?)^```$', text, re.MULTILINE | re.DOTALL):
        if language == 'text':
            assert steps, 'a text before the first program'
            steps[-1][3] = body
            continue
        name = re.match(r'(?://|#) ([\w.]+)\n', body)
        if not name and language != 'sh':
            raise SystemExit(f'{PAGE}: a block of {language or "no language"} names no file in its first line:\n{body}')
        steps.append([name and name[1], language, body, None])
    return steps


def differences(expected, printed):
    """A diff of what differs in more than what the page leaves open; empty: nothing."""
    lines, got = expected.splitlines(), printed.splitlines()
    patterns = [re.compile('.*'.join(re.escape(part) for part in line.split('...'))) for line in lines]
    same = [line for pattern, line in zip(patterns, got) if pattern.fullmatch(line)]
    if len(same) == len(lines) == len(got):
        return ''
    shown = [got[i] if i < len(got) and pattern.fullmatch(got[i]) else line for i, (pattern, line) in enumerate(zip(patterns, lines))]
    return '\n'.join(difflib.unified_diff(shown, got, 'the page', 'printed', lineterm=''))


def run(command, seconds, **options):
    """The status and the two outputs, or why there are none."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, **options)
    except subprocess.TimeoutExpired as error:
        return -1, (error.stdout or b'').decode(errors='replace'), f'not done after {seconds} s'
    return done.returncode, done.stdout, done.stderr


def judge(status, out, err, expected):
    """What was wrong with a run; empty: nothing."""
    if status != 0:
        return f'ended with {status}\n{out}{err}'
    return '' if expected is None else differences(expected, out)


class Guide:
    def __init__(self, folder, prefix):
        self.folder, self.prefix = folder, prefix
        environment = {k: v for k, v in os.environ.items() if not k.startswith(('MANTA_', 'RAY_'))}
        self.environment = {**environment, 'PATH': f'{prefix}/bin:{environment["PATH"]}', 'LC_ALL': 'C'}

    def environment_of(self, name):
        """With clusters of its own, so that each knows only these."""
        sessions = self.folder / 'sessions' / name
        sessions.mkdir(parents=True, exist_ok=True)
        return {**self.environment, 'MANTA_TMPDIR': str(sessions)}

    def program(self, name, source, expected):
        standard = '20' if 'co_await' in source else '17'
        program = self.folder / pathlib.Path(name).stem
        status, out, err = run(
            [os.environ.get('CXX', 'c++'), f'-std=c++{standard}', *WARNINGS, f'-I{self.prefix}/include', name, '-o', str(program),
             f'-L{self.prefix}/lib', '-lmanta', f'-Wl,-rpath,{self.prefix}/lib'],
            COMPILE_SECONDS, cwd=self.folder, env=self.environment)
        if status != 0:
            return f'does not compile\n{out}{err}'
        return judge(*run([str(program)], RUN_SECONDS, cwd=self.folder, env=self.environment_of(program.name)), expected)

    def commands(self, source, expected):
        environment = self.environment_of('commands')
        try:
            script = source.replace(PLACE, str(self.prefix))
            return judge(*run(['sh', '-ec', script], COMPILE_SECONDS, cwd=self.folder, env=environment), expected)
        finally:
            run(['manta', 'stop'], RUN_SECONDS, env=environment)  # of commands that failed


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    source, build = (pathlib.Path(p).resolve() for p in sys.argv[1:3])
    if not list((build / 'lib').glob('libmanta.so*')):
        print('SKIPPED: libmanta.so is not built')
        return SKIP
    steps = parse((source / PAGE).read_text())
    wanted = sys.argv[3:]
    programs = [(name, body, expected) for name, language, body, expected in steps
                if language == 'cpp' and (not wanted or name in wanted)]
    began = time.monotonic()
    failed = 0

    def tell(what, problem):
        nonlocal failed
        failed += problem != ''
        print(f'{time.monotonic() - began:5.1f} s  {what}: ' + (problem or 'as it stands there'), flush=True)

    with tempfile.TemporaryDirectory(prefix='manta_guide_') as temp:
        temp = pathlib.Path(temp)
        subprocess.run(['cmake', '--install', build, '--prefix', temp / 'manta'], check=True, stdout=subprocess.DEVNULL)
        guide = Guide(temp / 'page', temp / 'manta')
        guide.folder.mkdir()
        for name, _, body, _ in steps:
            if name:
                (guide.folder / name).write_text(body)
        with concurrent.futures.ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
            running = {pool.submit(guide.program, *program): program[0] for program in programs}
            for done in concurrent.futures.as_completed(running):
                tell(running[done], done.result())
        for name, _, body, expected in steps:
            if not name and not wanted:
                tell(f'the commands that begin with `{body.splitlines()[0]}`', guide.commands(body, expected))
    if not programs:
        print('no such program')
    print(f'{PAGE}: {failed} of its programs and commands are not as it says' if failed else f'{PAGE}: in order')
    return 1 if failed or not programs else 0


if __name__ == '__main__':
    sys.exit(main())
