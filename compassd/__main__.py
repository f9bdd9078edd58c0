"""The command line."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from compassd import __version__
from compassd.commands.arguments import add_config, add_rules, duration, glob, positive
from compassd.commands.trial_arguments import add_trial_commands
from compassd.errors import CompassError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status; an error is printed with what to do about it."""
    options = command_line().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        status = command(options)
        if sys.stdout:
            sys.stdout.flush()  # here, where it can fail: at exit Python would complain
    except BrokenPipeError:
        _let_go()
        return 128 + signal.SIGPIPE  # what a shell reports for a program that did not handle it
    except CompassError as error:
        logging.shutdown()  # what was logged before comes first
        sys.stderr.write(f"compassd: {error}\n")
        if error.hint:
            sys.stderr.write(f"  {error.hint}\n")
        return error.exit_status
    except KeyboardInterrupt:
        return 130
    else:
        return status


def _let_go() -> None:
    """Give up what is buffered for a reader that has gone, or Python would fail on it again at exit."""
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except BrokenPipeError:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, stream.fileno())
            os.close(null)


def command_line() -> argparse.ArgumentParser:
    """Return the parser, in which each command has set the function to call."""
    parser = argparse.ArgumentParser(
        prog="compassd", description="Tells which PHP-FPM requests are over budget, and why."
    )
    parser.add_argument("--version", action="version", version=f"compassd {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="watch, judge and tell; what the service runs")
    add_config(run)
    add_rules(run)
    run.add_argument(
        "--dry-run",
        nargs="?",
        const="text",
        choices=("text", "json"),
        metavar="FORMAT",
        help="print what would be told, as text (default) or json; send nothing, keep nothing",
    )
    run.add_argument(
        "--drop-privileges",
        action="store_true",
        help="keep no capability once attached; end with status 75 when there is something new to attach to",
    )
    run.set_defaults(command=_run)

    check = commands.add_parser("check", help="validate the rules and print every problem with its place")
    add_config(check)
    add_rules(check)
    check.add_argument("--json", action="store_true", help="write one JSON document, for programs")
    check.add_argument("--strict", action="store_true", help="exit 1 for warnings, too")
    check.add_argument(
        "--without-secrets",
        dest="secrets",
        action="store_false",
        help="need only the names of destinations: what else they need may be for the service's eyes only",
    )
    check.set_defaults(command=_check)

    trace = commands.add_parser(
        "trace", help="print complete function traces of requests as JSON, query strings included"
    )
    add_config(trace)
    trace.add_argument("--uri", type=glob, metavar="GLOB", help="only requests whose path matches")
    trace.add_argument("--count", type=positive, default=1, metavar="N", help="end after N (default: 1)")
    trace.add_argument(
        "--min-function",
        type=duration,
        default=0,
        metavar="TIME",
        help='leave out calls shorter than this, such as "1ms"',
    )
    trace.set_defaults(command=_trace)

    _add_show(commands.add_parser("show", help="show a breach from its JSON: a call tree, or a flame graph"))

    add_trial_commands(commands)

    notify_test = commands.add_parser("notify-test", help="send a test message, and say how it went")
    add_config(notify_test)
    notify_test.add_argument(
        "destinations", nargs="*", metavar="DESTINATION", help="names from the settings (default: all)"
    )
    notify_test.set_defaults(command=_notify_test)
    _add_outbox(commands.add_parser("outbox", help="list, retry or remove messages that were not delivered"))

    doctor = commands.add_parser("doctor", help="check whether alerts would flow, and say what to mend")
    add_config(doctor)
    add_rules(doctor)
    doctor.set_defaults(command=_doctor)

    schema = commands.add_parser("schema", help="print a JSON Schema, for editors and programs")
    schema.add_argument("name", metavar="NAME", help='such as "rules" or "breach"')
    schema.set_defaults(command=_schema)
    return parser


def _add_show(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source",
        metavar="FILE",
        help='a breach or an incident as JSON, or one a line; "-" reads standard input',
    )
    parser.add_argument(
        "--id",
        metavar="ID",
        help="the breach of this id, or its beginning (default: the last, of an incident the worst)",
    )
    formats = parser.add_mutually_exclusive_group()
    for name, help_text in (
        ("speedscope", "write a profile for https://www.speedscope.app"),
        ("folded", "write folded stacks with microseconds, the input of flame graph tools"),
        ("svg", "write a flame graph that opens in a browser"),
    ):
        formats.add_argument(f"--{name}", dest="format", action="store_const", const=name, help=help_text)
    parser.add_argument("--output", type=Path, metavar="FILE", help="write there (default: standard output)")
    parser.set_defaults(command=_show, format="terminal")


def _add_outbox(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar="ACTION")

    show = actions.add_parser("list", help="what waits, or with --dead what could not be sent")
    show.add_argument("--json", action="store_true", help="one JSON object a line")
    show.add_argument("--dead", action="store_true", help="dead letters: what will not be sent")
    show.set_defaults(command=_outbox_list)

    retry = actions.add_parser("retry", help="send dead letters after all; a running compassd begins at once")
    retry.add_argument(
        "targets", nargs="*", metavar="DESTINATION|ID", help="destinations or messages (default: all)"
    )
    retry.set_defaults(command=_outbox_retry)

    purge = actions.add_parser("purge", help="remove dead letters, without asking")
    purge.add_argument("destination", nargs="?", metavar="DESTINATION", help="only of this one")
    extent = purge.add_mutually_exclusive_group()
    extent.add_argument("--dead", dest="all", action="store_false", help="only dead letters (the default)")
    extent.add_argument("--all", dest="all", action="store_true", help="what waits, too")
    purge.set_defaults(command=_outbox_purge, all=False)

    for action in (show, retry, purge):
        add_config(action)
        action.add_argument(
            "--state", type=Path, metavar="DIR", help="state directory (default: what the settings say)"
        )


# Each command imports what it needs when it runs: `check` must work where there is no bcc.


def _run(options: argparse.Namespace) -> int:
    from compassd.commands.run import DryRunFormat, run  # noqa: PLC0415

    dry_run = DryRunFormat(options.dry_run) if options.dry_run else None
    return run(options.config, options.rules, dry_run, drop_privileges=options.drop_privileges)


def _check(options: argparse.Namespace) -> int:
    from compassd.commands.check import CheckOptions, check  # noqa: PLC0415

    wanted = CheckOptions(options.config, options.rules, options.json, options.strict, options.secrets)
    return check(wanted, sys.stdout, sys.stderr)


def _trace(options: argparse.Namespace) -> int:
    from compassd.commands.trace import TraceOptions, trace  # noqa: PLC0415
    from compassd.settings import load_settings  # noqa: PLC0415

    wanted = TraceOptions(uri=options.uri, count=options.count, function_ns=options.min_function)
    return trace(load_settings(options.config, secrets=False), wanted, sys.stdout)


def _doctor(options: argparse.Namespace) -> int:
    from compassd.doctor import doctor  # noqa: PLC0415

    return doctor(options.config, options.rules, sys.stdout)


def _notify_test(options: argparse.Namespace) -> int:
    from compassd.commands.notify_test import notify_test  # noqa: PLC0415

    return notify_test(options.config, options.destinations, sys.stdout)


def _show(options: argparse.Namespace) -> int:
    from compassd.commands.show import Format, ShowOptions, show  # noqa: PLC0415

    wanted = ShowOptions(options.source, options.id, Format(options.format), options.output)
    return show(wanted, sys.stdout)


def _schema(options: argparse.Namespace) -> int:
    from compassd.commands.schema import schema  # noqa: PLC0415

    return schema(options.name, sys.stdout)


def _outbox_list(options: argparse.Namespace) -> int:
    from compassd.commands.outbox import list_messages, state_directory  # noqa: PLC0415

    directory = state_directory(options.config, options.state)
    return list_messages(directory, sys.stdout, dead=options.dead, as_json=options.json)


def _outbox_retry(options: argparse.Namespace) -> int:
    from compassd.commands.outbox import retry, state_directory  # noqa: PLC0415

    return retry(state_directory(options.config, options.state), options.targets, sys.stdout)


def _outbox_purge(options: argparse.Namespace) -> int:
    from compassd.commands.outbox import purge, state_directory  # noqa: PLC0415

    directory = state_directory(options.config, options.state)
    return purge(directory, options.destination, sys.stdout, waiting=options.all)


if __name__ == "__main__":
    sys.exit(main())
