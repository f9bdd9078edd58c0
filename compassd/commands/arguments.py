"""What the command line's options may hold, and the commands that try rules out."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

# Each command imports what it needs when it runs: only those that attach need bcc.


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


def glob(text: str) -> re.Pattern[str]:
    """Return a compiled glob for paths."""
    from compassd.rules.glob import compile_glob  # noqa: PLC0415

    try:
        return compile_glob(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def add_capture(parser: argparse.ArgumentParser) -> None:
    """Add the options of `compassd capture`."""
    add_config(parser)
    parser.add_argument("--output", type=Path, metavar="FILE", help="write there (default: standard output)")
    parser.add_argument("--count", type=positive, metavar="N", help="end after N requests")
    parser.add_argument(
        "--for", type=duration, dest="duration", metavar="TIME", help='end after a time such as "10m"'
    )
    parser.add_argument("--uri", type=glob, metavar="GLOB", help="only requests whose path matches")
    parser.set_defaults(command=_capture)


def _capture(options: argparse.Namespace) -> int:
    from compassd.commands.capture import CaptureOptions, capture  # noqa: PLC0415
    from compassd.settings import load_settings  # noqa: PLC0415

    wanted = CaptureOptions(options.output, options.uri, options.count, options.duration)
    return capture(load_settings(options.config), wanted)


def add_suggest(parser: argparse.ArgumentParser) -> None:
    """Add the options of `compassd suggest`."""
    parser.add_argument("capture", metavar="CAPTURE", help='of `compassd capture`; "-" is standard input')
    parser.add_argument(
        "--min-requests",
        type=positive,
        default=20,
        metavar="N",
        help="of how many requests of a kind a rule can be made (default: 20)",
    )
    parser.set_defaults(command=_suggest)


def _suggest(options: argparse.Namespace) -> int:
    from compassd.commands.suggest import suggest  # noqa: PLC0415

    return suggest(options.capture, options.min_requests, sys.stdout)
