"""Which files a directory's patterns leave out, in the syntax of .gitignore (https://git-scm.com/docs/gitignore)."""

from __future__ import annotations

import re


class Patterns:
    """Of one list, for paths relative to where it stands. The last pattern that matches decides."""

    def __init__(self, lines):
        self._rules = [rule for rule in map(_rule, lines) if rule is not None]

    def verdict(self, path, is_directory):
        """True: left out; False: taken in again; None: no pattern matches. `path` with "/" between its parts."""
        for expression, negated, directories_only in reversed(self._rules):
            if (is_directory or not directories_only) and expression.fullmatch(path):
                return not negated
        return None


def _rule(line):
    text = line.rstrip("\r\n")
    # Spaces at the end count only behind a backslash.
    while text.endswith(" ") and not text.endswith("\\ "):
        text = text[:-1]
    if not text or text.startswith("#"):
        return None
    negated = text.startswith("!")
    if negated:
        text = text[1:]
    directories_only = text.endswith("/")
    text = text.rstrip("/")
    # Without a slash, but at its end, a pattern is for names in any directory.
    anchored = "/" in text
    expression = _expression(text.lstrip("/"))
    return re.compile(expression if anchored else "(?:.*/)?" + expression, re.DOTALL), negated, directories_only


def _expression(pattern):
    out, at = [], 0
    while at < len(pattern):
        if pattern.startswith("**/", at) and (at == 0 or pattern[at - 1] == "/"):
            out.append("(?:.*/)?")
            at += 3
        elif pattern.startswith("/**", at) and at + 3 == len(pattern):
            out.append("/.*")
            at += 3
        elif pattern[at] == "*":
            while at < len(pattern) and pattern[at] == "*":
                at += 1
            out.append("[^/]*")
        elif pattern[at] == "?":
            out.append("[^/]")
            at += 1
        elif pattern[at] == "[" and (end := pattern.find("]", at + 2)) > 0:
            inside = pattern[at + 1:end].replace("\\", "\\\\")
            out.append("[" + ("^" + inside[1:] if inside[0] in "!^" else inside) + "]")
            at = end + 1
        elif pattern[at] == "\\" and at + 1 < len(pattern):
            out.append(re.escape(pattern[at + 1]))
            at += 2
        else:
            out.append(re.escape(pattern[at]))
            at += 1
    return "".join(out)
