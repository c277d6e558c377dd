#!/usr/bin/env python3
"""Installs the package, moves it, and builds and runs a project outside the tree that uses it.

    check_package.py SOURCE_DIR BUILD_DIR

The outside project finds manta with find_package, is compiled with -std=c++17, once for each ABI of
std::string, and runs: examples/hello.cc where that exists, else a program that includes
manta/manta.h. Exits 77 (skipped) while there is nothing to package.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

SKIP = 77
PROJECT = '''cmake_minimum_required(VERSION 3.23)
project(outside LANGUAGES CXX)
set(CMAKE_CXX_STANDARD 17)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
find_package(manta 0.1 REQUIRED CONFIG)
add_executable(outside main.cc)
target_compile_definitions(outside PRIVATE _GLIBCXX_USE_CXX11_ABI=${ABI})
target_compile_options(outside PRIVATE -Wall -Wextra -Werror)
target_link_libraries(outside PRIVATE manta::manta)
'''
TRIVIAL = '''#include <manta/manta.h>
int main() { return 0; }
'''


def run(*command, **options):
    print('+', ' '.join(str(c) for c in command), flush=True)
    subprocess.run([str(c) for c in command], check=True, timeout=240, **options)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    source, build = (pathlib.Path(p).resolve() for p in sys.argv[1:])
    if not (source / 'include/manta/manta.h').exists():
        print('SKIPPED: include/manta/manta.h does not exist yet')
        return SKIP
    if not list((build / 'lib').glob('libmanta.so*')):
        print('SKIPPED: libmanta.so is not built (no sources in src/api yet?)')
        return SKIP

    with tempfile.TemporaryDirectory(prefix='manta_package_') as temp:
        temp = pathlib.Path(temp)
        run('cmake', '--install', build, '--prefix', temp / 'first')
        prefix = temp / 'moved' / 'here'  # relocatable: nothing may point at the first place
        prefix.parent.mkdir()
        shutil.move(temp / 'first', prefix)
        for config in prefix.glob('lib/cmake/manta/*.cmake'):
            text = config.read_text()
            for path in (source, build, temp):
                if str(path) in text:
                    print(f'{config.name} mentions {path}, so it is not relocatable')
                    return 1

        project = temp / 'project'
        project.mkdir()
        (project / 'CMakeLists.txt').write_text(PROJECT)
        hello = source / 'examples/hello.cc'
        (project / 'main.cc').write_text(hello.read_text() if hello.exists() else TRIVIAL)
        environment = {k: v for k, v in os.environ.items() if not k.startswith('MANTA_')}
        for abi in (0, 1):
            out = temp / f'build_abi{abi}'
            run('cmake', '-G', 'Ninja', '-S', project, '-B', out, f'-DABI={abi}',
                f'-DCMAKE_PREFIX_PATH={prefix}')
            run('cmake', '--build', out)
            run(out / 'outside', env=environment, cwd=temp)
            print(f'check_package: std::string ABI {abi} in order', flush=True)
    return 0


if __name__ == '__main__':
    sys.exit(main())
