"""A copy of the tree that may be broken and built: what tests of the tests work on."""

import os
import pathlib
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent


class Failure(Exception):
    pass


class TreeCopy:
    """The copy in build/NAME/tree. It keeps what was built in it."""

    def __init__(self, name):
        self.work = ROOT / 'build' / name
        self.tree = self.work / 'tree'
        self.tree.mkdir(parents=True, exist_ok=True)

    def sync(self):
        """Makes the copy equal to the tree (tracked files, and untracked ones that git does not ignore), touching only files whose
        content differs."""
        listed = subprocess.run(['git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard'],
                                cwd=ROOT, check=True, capture_output=True).stdout
        names = {n for n in listed.decode().split('\0') if n and (ROOT / n).is_file()}
        for directory, folders, files in os.walk(self.tree):
            relative = pathlib.Path(directory).relative_to(self.tree)
            if relative == pathlib.Path('.') and 'build' in folders:
                folders.remove('build')
            for file in files:
                if str(relative / file) not in names:
                    (self.tree / relative / file).unlink()
        for name in names:
            source, copy = ROOT / name, self.tree / name
            content = source.read_bytes()
            if not copy.exists() or copy.read_bytes() != content:
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(content)
            shutil.copymode(source, copy)

    def run(self, log, *command, **environment):
        """Runs a command in the copy with its output in the log, and returns its exit status."""
        # git must not take the copy for a part of the repository around it.
        environment = dict(os.environ, GIT_CEILING_DIRECTORIES=str(self.work), **environment)
        log.write(f'+ {" ".join(command)}\n')
        log.flush()
        return subprocess.run(command, cwd=self.tree, stdout=log, stderr=subprocess.STDOUT,
                              env=environment).returncode
