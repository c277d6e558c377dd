#!/usr/bin/env python3
"""Doxygen's INPUT_FILTER for the public headers.

The headers are written for people: plain comments above what they describe, or behind it on the
same line. Doxygen reads marked comments only, so this marks them; it changes no line numbers.

    // Above.              ->  /// Above.
    int x;  // Behind.     ->  int x;  ///< Behind.
    /* Above (C). */       ->  /** Above (C). */
    int x; /* Behind. */   ->  int x; /**< Behind. */
"""
import re
import sys

DIVIDER = re.compile(r"^\s*(//|/\*) -{3,}")


def escape(text: str) -> str:
    """Angle brackets are code, not markup."""
    return re.sub(r"<(?=[A-Za-z/&])", r"\\<", text)


def mark(line: str) -> str:
    if DIVIDER.match(line) or "NOLINT" in line:
        return line
    if re.match(r"^\s*//(?![/!])", line):
        return escape(line.replace("//", "///", 1))
    if re.match(r"^\s*/\*(?![*!])", line):
        return escape(line.replace("/*", "/**", 1))
    behind = re.match(r'^([^"]*[;,{(]|[^"]*\w)\s+//(?![/!])', line)
    if behind and not line.lstrip().startswith("#"):
        return line[: behind.end() - 2] + "///<" + escape(line[behind.end():])
    behind = re.match(r'^([^"]*[;,])\s+/\*(?![*!])', line)
    if behind and not line.lstrip().startswith("#"):
        return line[: behind.end() - 2] + "/**<" + escape(line[behind.end():])
    return line


def main() -> int:
    with open(sys.argv[1], encoding="utf-8") as source:
        lines = [mark(line) for line in source]
    sys.stdout.writelines(lines)
    return 0


if __name__ == "__main__":
    sys.exit(main())
