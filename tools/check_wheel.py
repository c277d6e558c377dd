#!/usr/bin/env python3
"""Makes the wheel, as `pip install .` does, and tries it in an environment where nothing else of this tree is.

    check_wheel.py SOURCE_DIR PYTHON

PYTHON is the interpreter that ./dev setup has prepared: it has what builds the wheel, and the package's only requirement, cloudpickle.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

PROGRAM = '''
import os, sys, time
import manta as ray
assert "site-packages" in ray.__file__, ray.__file__
ray.init(num_cpus=2)

@ray.remote
def square(x):
    return x * x

@ray.remote
class Counter:
    def __init__(self):
        self.total = 0
    def add(self, x):
        self.total += x
        return self.total

counter = Counter.remote()
assert ray.get([square.remote(i) for i in range(4)]) == [0, 1, 4, 9]
assert ray.get([counter.add.remote(square.remote(i)) for i in range(4)]) == [0, 1, 5, 14]
assert "numpy" not in sys.modules
ray.shutdown()
print("the program works")
'''
RAY_PROGRAM = '''
import ray
ray.init()
print(ray.get(ray.remote(lambda: "as ray").remote()))
'''


def run(*command, **options):
    print('+', ' '.join(str(c) for c in command), flush=True)
    return subprocess.run([str(c) for c in command], check=True, timeout=900, **options)


def output(*command, **options):
    return run(*command, capture_output=True, text=True, **options).stdout


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    source = pathlib.Path(sys.argv[1]).resolve()
    python = pathlib.Path(sys.argv[2]).absolute()  # not resolved: it is a link into its environment
    with tempfile.TemporaryDirectory(prefix='manta_wheel_') as temp:
        temp = pathlib.Path(temp)
        run(python, '-m', 'pip', 'wheel', source, '--quiet', '--no-deps', '--no-build-isolation', '--disable-pip-version-check', '-w', temp)
        [wheel] = temp.glob('manta-*.whl')
        print(f'{wheel.name}: {wheel.stat().st_size >> 10} KiB')
        if sys.version_info >= (3, 12) and '-cp312-abi3-' not in wheel.name:
            sys.exit(f'check_wheel: {wheel.name} is not for all versions from 3.12 on')

        run(python, '-m', 'venv', temp / 'venv')
        own = temp / 'venv/bin/python'
        [packages] = (temp / 'venv').glob('lib/python*/site-packages')
        cloudpickle = output(python, '-c', 'import cloudpickle, os; print(os.path.dirname(cloudpickle.__file__))').strip()
        shutil.copytree(cloudpickle, packages / 'cloudpickle')
        run(own, '-m', 'pip', 'install', '--quiet', '--no-index', '--no-deps', '--disable-pip-version-check', wheel)

        environment = {'PATH': '/usr/bin:/bin', 'HOME': str(temp), 'MANTA_TMPDIR': str(temp)}
        for file in (packages / 'manta').rglob('*'):
            if file.is_file() and (file.suffix == '.so' or '.so.' in file.name or file.parent.name == 'bin'):
                libraries = output('ldd', file, env=environment)
                for line in libraries.splitlines():
                    if 'not found' in line or str(source) in line:
                        sys.exit(f'{file}: {line.strip()}')
                paths = [line for line in output('readelf', '-d', file).splitlines() if 'RUNPATH' in line and '$ORIGIN' not in line]
                if paths:
                    sys.exit(f'{file} looks for libraries elsewhere: {paths}')

        (temp / 'program.py').write_text(PROGRAM)
        (temp / 'ray_program.py').write_text(RAY_PROGRAM)
        run(own, temp / 'program.py', cwd=temp, env=environment)
        if output(own, '-m', 'manta.as_ray', temp / 'ray_program.py', cwd=temp, env=environment).strip() != 'as ray':
            sys.exit('a program that imports ray does not run')

        manta = temp / 'venv/bin/manta'
        race = json.loads(output(manta, 'race', '--json', temp / 'ray_program.py', cwd=temp, env=environment))
        if race['manta']['output'] != ['as ray'] or 'has no Ray' not in race['note']:
            sys.exit(f'manta race says {race}')
        print(output(manta, '--version', env=environment).strip())
        run(manta, 'start', '--head', '--num-cpus=1', env=environment, stdout=subprocess.DEVNULL)
        try:
            if 'Session' not in output(manta, 'status', env=environment):
                sys.exit('manta status does not show the cluster')
        finally:
            run(manta, 'stop', env=environment, stdout=subprocess.DEVNULL)

        outside = temp / 'outside'
        outside.mkdir()
        (outside / 'CMakeLists.txt').write_text(
            'cmake_minimum_required(VERSION 3.23)\nproject(outside LANGUAGES CXX)\nfind_package(manta 0.1 REQUIRED CONFIG)\n'
            'add_executable(outside main.cc)\ntarget_link_libraries(outside PRIVATE manta::manta)\n')
        shutil.copy(source / 'examples/hello.cc', outside / 'main.cc')
        run('cmake', '-S', outside, '-B', outside / 'build', f'-DCMAKE_PREFIX_PATH={packages / "manta"}', stdout=subprocess.DEVNULL)
        run('cmake', '--build', outside / 'build', stdout=subprocess.DEVNULL)
        run(outside / 'build/outside', env=environment)
    return 0


if __name__ == '__main__':
    os.environ.pop('PYTHONPATH', None)
    os.environ.pop('MANTA_EXECUTABLE', None)
    sys.exit(main())
