"""The command line of the commands that capture requests, and try rules out on them."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from compassd.commands.arguments import add_config, add_rules, duration, glob, positive, size, tag

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - it has no public name

# Each command imports what it needs when it runs: only those that attach need bcc.


def add_trial_commands(commands: Commands) -> None:
    """Add the commands."""
    _add_capture(
        commands.add_parser("capture", help="write every request that ends as JSON, to try rules out on them")
    )
    _add_suggest(commands.add_parser("suggest", help="print rules with budgets from a capture"))
    _add_explain(commands.add_parser("explain", help="say why each rule tells a request, or does not"))
    _add_test(commands.add_parser("test", help="test rules against requests and what is to be told of them"))
    _add_replay(commands.add_parser("replay", help="say what rules would have told of a capture"))


def _add_capture(parser: argparse.ArgumentParser) -> None:
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
    return capture(load_settings(options.config, secrets=False), wanted)


def _add_suggest(parser: argparse.ArgumentParser) -> None:
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


def _add_test(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="tests, see docs/testing-rules.md"
    )
    parser.add_argument(
        "--rules", type=Path, metavar="FILE", help="the rules to test (default: those that each file names)"
    )
    parser.set_defaults(command=_test)


def _test(options: argparse.Namespace) -> int:
    from compassd.commands.test import test  # noqa: PLC0415

    return test(options.files, options.rules, sys.stdout, sys.stderr)


_CAPTURE = 'of `compassd capture`, or breaches as JSON lines; "-" is standard input'


def _add_replay(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    add_rules(parser)
    parser.add_argument("capture", metavar="CAPTURE", help=_CAPTURE)
    parser.add_argument(
        "--against",
        type=Path,
        metavar="FILE",
        help="rules to compare with: what is new, gone or of another severity",
    )
    parser.add_argument("--json", action="store_true", help="a JSON object instead of text")
    parser.set_defaults(command=_replay)


def _replay(options: argparse.Namespace) -> int:
    from compassd.commands.replay import replay  # noqa: PLC0415

    return replay(
        options.config, options.rules, options.against, options.capture, sys.stdout, as_json=options.json
    )


def _add_explain(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    add_rules(parser)
    parser.add_argument(
        "capture",
        nargs="?",
        metavar="CAPTURE",
        help=_CAPTURE,
    )
    parser.add_argument(
        "--only", default="", metavar="RULE", help="what this rule says (default: every rule)"
    )
    written = parser.add_argument_group("a request instead of a capture")
    written.add_argument("--uri", metavar="PATH", help="path, perhaps with a query string")
    written.add_argument("--method", default="GET", help="(default: GET)")
    written.add_argument("--host", default="", help="Host header")
    written.add_argument("--status", type=int, metavar="CODE")
    written.add_argument("--duration", type=duration, default=0, metavar="TIME", help='such as "1.5s"')
    written.add_argument("--cpu", type=duration, metavar="TIME")
    written.add_argument("--memory", type=size, metavar="SIZE", help='such as "64MiB"')
    written.add_argument("--pool", default="")
    written.add_argument("--transaction", default="", metavar="NAME")
    written.add_argument("--tag", type=tag, action="append", default=[], metavar="NAME=VALUE")
    parser.set_defaults(command=_explain, usage_error=parser.error)


def _explain(options: argparse.Namespace) -> int:
    from compassd.commands.explain import explain  # noqa: PLC0415
    from compassd.trial.written import written_request  # noqa: PLC0415

    if (options.capture is None) == (options.uri is None):
        options.usage_error("give either a CAPTURE or --uri")
    what = options.capture or written_request(
        uri=options.uri,
        method=options.method,
        host=options.host,
        status=options.status,
        duration_ns=options.duration,
        cpu_ns=options.cpu,
        memory_peak=options.memory,
        pool=options.pool,
        transaction=options.transaction,
        tags=dict(options.tag),
        at_ns=time.time_ns(),
    )
    return explain(options.config, options.rules, what, options.only, sys.stdout)
