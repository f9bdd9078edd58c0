"""Regular expressions for paths, which no path can make slow.

Paths are written by clients, and an expression that Python's own re backtracks in, such as (a+)+b, would let
one of them stop the daemon. A time limit would bound that, but leave such a request unjudged. So the engine
is one that never backtracks: that of Rust, which pydantic brings along. It takes time linear in the path, and
has no look-around and no backreferences.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pydantic_core import SchemaError, SchemaValidator, core_schema

from compassd.units import quoted

MAX_LENGTH = 500
"""Characters of an expression. The engine bounds what they compile to."""

# What stands for itself, and whether what follows says how often.
_LITERAL = re.compile(r"(?:([\w/~%,;:=@!&'\"<> -])|\\([./-]))([?*+{]?)", re.ASCII)
_ESCAPED = re.compile(r"\\.", re.DOTALL)
# From where on blanks and comments may stand in between.
_VERBOSE = re.compile(r"\(\?[a-zA-Z-]*x")


@dataclass(frozen=True, slots=True)
class PathRegex:
    """A compiled expression.

    Attributes:
        text: As written.
        prefix: What every path that matches begins with; "" if that is not obvious.
    """

    text: str
    prefix: str
    _validator: SchemaValidator

    def matches(self, path: str) -> bool:
        """Return whether the whole path matches."""
        return self._validator.isinstance_python(path)


def compile_path_regex(text: str) -> PathRegex:
    """Return the compiled expression.

    Raises:
        ValueError: It is malformed, or cannot match a path; the message says how.
    """
    if not text:
        raise ValueError('"" is an empty expression; write "/" to match the root')
    if len(text) > MAX_LENGTH:
        raise ValueError(f"{quoted(text)} is longer than {MAX_LENGTH} characters; write several in a list")
    try:
        # On its own first, as a stray parenthesis could close the group that anchors it.
        _compile(text)
        validator = _compile(rf"\A(?:{text})\z")
    except SchemaError as error:
        reason = re.sub(r"^\s*(?:SchemaError|error): ", "", str(error).splitlines()[-1]).rstrip(".")
        raise ValueError(f"{quoted(text)} is not a usable regular expression: {reason}") from None
    prefix = _prefix(text)
    if prefix and not prefix.startswith("/"):
        raise ValueError(f'{quoted(text)} matches no path: the whole path is compared, and begins with "/"')
    return PathRegex(text, prefix, validator)


def _compile(text: str) -> SchemaValidator:
    return SchemaValidator(core_schema.str_schema(pattern=text, regex_engine="rust-regex"))


def _prefix(text: str) -> str:
    """Return the literal beginning of an expression; in doubt less of it."""
    text = text.removeprefix("^")
    if _VERBOSE.search(text) or _has_alternatives(text):
        return ""
    prefix, at = "", 0
    while found := _LITERAL.match(text, at):
        if found[3]:
            break
        prefix, at = prefix + (found[1] or found[2]), found.end()
    return prefix


def _has_alternatives(text: str) -> bool:
    """Return whether there may be a "|" outside of all groups."""
    plain = _ESCAPED.sub("", text)
    if "[" in plain:
        # Parentheses and bars inside of classes are none.
        return "|" in plain
    depth = 0
    for character in plain:
        if character == "|" and depth == 0:
            return True
        depth += {"(": 1, ")": -1}.get(character, 0)
    return False
