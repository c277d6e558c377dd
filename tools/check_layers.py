#!/usr/bin/env python3
"""Checks every #include of src/ and include/ against layers.txt.

    check_layers.py [ROOT]

Rules, each violation printed as file:line with the rule it breaks:
  * src/<folder> includes "x/..." only where x is the folder itself or stands in its line of
    layers.txt; "manta/..." and "ray/..." (the public headers) need the word `include` there, but
    for the C interface "manta/*_c.h", which any folder may include.
  * Project includes are written from the root of src/: "folder/file.h".
  * Tests (*_test.cc, *_bench.cc) may also include "testing/...".
  * Folders that end up in libmanta.so (api and all it uses) include no third-party library other
    than FlatBuffers.
  * Public headers include only public headers and system headers. Those of include/ray may use a
    header-only library that Ray's interface shows, where __has_include finds it.
  * layers.txt has no cycle, names only known folders, and has a line for each folder of src/.
"""

import pathlib
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')
SOURCE_SUFFIXES = {'.h', '.cc', '.c', '.inc'}
PUBLIC_ROOTS = {'manta', 'ray'}
PUBLIC = 'include'  # the word in layers.txt that allows public headers
THIRD_PARTY = {'boost', 'asio', 'spdlog', 'fmt', 'CLI', 'nlohmann', 'yaml-cpp', 'tbb', 'oneapi', 'openssl'}


def read_layers(path, errors):
    layers = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        line = line.split('#', 1)[0].strip()
        if not line:
            continue
        folder, colon, deps = line.partition(':')
        folder = folder.strip()
        if not colon or not re.fullmatch(r'[a-z_0-9]+', folder):
            errors.append(f'{path.name}:{number}: expected "folder: dep dep ..."')
        elif folder in layers:
            errors.append(f'{path.name}:{number}: second line for {folder}')
        else:
            layers[folder] = (number, deps.split())
    for folder, (number, deps) in layers.items():
        if not (path.parent / 'src' / folder).is_dir():
            errors.append(f'{path.name}:{number}: there is no src/{folder}')
        for dep in deps:
            if dep != PUBLIC and dep not in layers:
                errors.append(f'{path.name}:{number}: {folder} depends on {dep}, which has no line')
    return layers


def find_cycle(layers):
    """A list of folders that lead back to the first one, or None."""
    done, path = set(), []

    def visit(folder):
        if folder in path:
            return path[path.index(folder):] + [folder]
        if folder in done or folder not in layers:
            return None
        path.append(folder)
        for dep in layers[folder][1]:
            cycle = visit(dep)
            if cycle:
                return cycle
        path.pop()
        done.add(folder)
        return None

    for folder in layers:
        cycle = visit(folder)
        if cycle:
            return cycle
    return None


def closure(layers, start):
    seen, todo = set(), [start]
    while todo:
        folder = todo.pop()
        if folder in layers and folder not in seen:
            seen.add(folder)
            todo.extend(layers[folder][1])
    return seen


def includes(path):
    for number, line in enumerate(path.read_text(errors='replace').splitlines(), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1) == '"', match.group(2)


def source_files(root):
    if not root.is_dir():
        return []
    return sorted(p for p in root.rglob('*') if p.suffix in SOURCE_SUFFIXES and p.is_file())


def check_src(root, layers, errors):
    in_library = closure(layers, 'api')
    unknown = set()
    count = 0
    for path in source_files(root / 'src'):
        parts = path.relative_to(root / 'src').parts
        where = path.relative_to(root)
        if len(parts) < 2:
            errors.append(f'{where}:1: sources stand in a folder of src/, not in src/ itself')
            continue
        folder = parts[0]
        if folder not in layers:
            if folder not in unknown:
                unknown.add(folder)
                errors.append(f'{where}:1: layers.txt has no line for the folder {folder}')
            continue
        allowed = layers[folder][1]
        is_test = path.stem.endswith(('_test', '_bench'))
        for number, quoted, name in includes(path):
            count += 1
            first, slash, _ = name.partition('/')
            if first in THIRD_PARTY and slash and folder in in_library and not is_test:
                errors.append(f'{where}:{number}: {name}: {folder} ends up in libmanta.so, which '
                              f'uses no {first}')
                continue
            project = first in layers or first in PUBLIC_ROOTS or first == 'testing'
            if not quoted and not (project and slash):
                continue
            if not slash or first in ('.', '..'):
                errors.append(f'{where}:{number}: "{name}": write "folder/file.h", from src/')
            elif first in PUBLIC_ROOTS:
                if PUBLIC not in allowed and not name.endswith('_c.h'):
                    errors.append(f'{where}:{number}: "{name}": layers.txt does not allow {folder} '
                                  f'to include public headers ("{PUBLIC}")')
            elif first == 'testing':
                if not is_test:
                    errors.append(f'{where}:{number}: "{name}": only tests may include testing/')
            elif first == folder or first in allowed:
                pass
            elif first in layers:
                rule = ' '.join(allowed) or 'nothing'
                errors.append(f'{where}:{number}: "{name}": layers.txt allows {folder} to include '
                              f'only: {rule}')
            elif quoted:
                errors.append(f'{where}:{number}: "{name}": {first} is no folder of src/ '
                              f'(system headers are written <{name}>)')
    return count


def check_public(root, layers, errors):
    count = 0
    for path in source_files(root / 'include'):
        where = path.relative_to(root)
        text = path.read_text() if where.parts[1] == 'ray' else ''
        for number, quoted, name in includes(path):
            count += 1
            first, slash, _ = name.partition('/')
            if first in PUBLIC_ROOTS and slash or f'__has_include(<{name}>)' in text:
                continue
            if quoted or (slash and (first in layers or first in THIRD_PARTY or
                                     first == 'flatbuffers')):
                errors.append(f'{where}:{number}: {name}: public headers include only public '
                              f'headers ("manta/...") and system headers')
    return count


def main():
    if len(sys.argv) > 2:
        sys.exit(__doc__)
    default = pathlib.Path(__file__).resolve().parent.parent
    root = pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) == 2 else default
    errors = []
    layers = read_layers(root / 'layers.txt', errors)
    cycle = find_cycle(layers)
    if cycle:
        number = layers[cycle[0]][0]
        errors.append(f'layers.txt:{number}: cycle: {" -> ".join(cycle)}')
    count = check_src(root, layers, errors) + check_public(root, layers, errors)
    for error in errors:
        print(error, file=sys.stderr)
    if errors:
        print(f'check_layers: {len(errors)} errors', file=sys.stderr)
        return 1
    print(f'check_layers: {count} includes in order')
    return 0


if __name__ == '__main__':
    sys.exit(main())
