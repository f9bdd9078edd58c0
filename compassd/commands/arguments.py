"""Options that several commands have, and what options may hold."""

from __future__ import annotations

import argparse
import re
from pathlib import Path


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add --config."""
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="settings (default: /etc/compassd/compassd.toml)"
    )


def add_rules(parser: argparse.ArgumentParser) -> None:
    """Add --rules."""
    parser.add_argument("--rules", type=Path, metavar="FILE", help="rules (default: what the settings say)")


def positive(text: str) -> int:
    """Return a whole number of at least 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def duration(text: str) -> int:
    """Return a duration with its unit in ns."""
    from compassd.units import parse_duration  # noqa: PLC0415

    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def size(text: str) -> int:
    """Return a size with its unit in bytes."""
    from compassd.units import parse_size  # noqa: PLC0415

    try:
        return parse_size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def tag(text: str) -> tuple[str, str]:
    """Return name and value of "name=value"."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError("write NAME=VALUE")
    return name, value


def glob(text: str) -> re.Pattern[str]:
    """Return a compiled glob for paths."""
    from compassd.rules.glob import compile_glob  # noqa: PLC0415

    try:
        return compile_glob(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
