#!/usr/bin/env python3
"""Checks the dynamic interface of libmanta.so.

    check_exports.py LIBRARY

It exports only manta_*, __libc_start_main and one type_info, without version tags, and needs only the libraries of
the C and C++ runtimes, so that programs of either std::string ABI and with any third-party
libraries of their own can load it.
"""

import re
import subprocess
import sys

# The last one: the type_info of detail::ThrowProbe (include/manta/detail/invoker.h).
EXPORT = re.compile(r'manta_[a-z0-9_]+|__libc_start_main|_ZTIN5manta2v16detail10ThrowProbeE')
NEEDED = re.compile(r'(libstdc\+\+|libm|libgcc_s|libc|libpthread|libdl|librt|ld-linux[-a-z0-9_]*)'
                    r'\.so\.\d+')


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    library = sys.argv[1]
    exports = [line.split()[-1]
               for line in output('nm', '-D', '--defined-only', library).splitlines() if line]
    needed = re.findall(r'\(NEEDED\).*\[(.*)\]', output('readelf', '-d', '-W', library))
    errors = [f'exports {name}' for name in exports if not EXPORT.fullmatch(name)]
    errors += [f'needs {name}' for name in needed if not NEEDED.fullmatch(name)]
    if not exports:
        errors.append('exports nothing')
    for error in errors:
        print(f'{library}: {error}', file=sys.stderr)
    if errors:
        return 1
    print(f'check_exports: {len(exports)} symbols, needs {" ".join(needed)}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
