"""`compassd notify-test`: does a message arrive?"""

from __future__ import annotations

import difflib
import socket
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from compassd.destinations.base import SendError
from compassd.destinations.factory import Local, Remote, build
from compassd.errors import CompassError, ConfigurationError
from compassd.notice import Message, TestNotice
from compassd.service_user import as_service_user
from compassd.settings import Settings, load_settings


def notify_test(config: Path | None, names: Sequence[str], out: TextIO) -> int:
    """Send a test message to each destination, say how it went, and return the exit status.

    Args:
        config: The settings, None for the default place.
        names: The destinations, none for all.
        out: Where to say it.

    Raises:
        ConfigurationError: The settings are unusable, or there is no destination of a name.
    """
    settings = load_settings(config)
    failed = False
    for name in _known(names, settings):
        try:
            with as_service_user():
                _send(name, settings)
        except CompassError as error:
            failed = True
            print(f"{name}: failed: {_fault(name, error)}; {_mend(error)}", file=out, flush=True)
        else:
            print(f"{name}: ok", file=out, flush=True)
    return 1 if failed else 0


def _known(names: Sequence[str], settings: Settings) -> list[str]:
    """Return the names, each once, or all there are."""
    for name in names:
        if name not in settings.destinations:
            close = difflib.get_close_matches(name, settings.destinations, n=1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(settings.destinations)}"
            raise ConfigurationError(f"there is no destination {name}", hint=hint)
    return list(dict.fromkeys(names or settings.destinations))


def _send(name: str, settings: Settings) -> None:
    now = time.time_ns()
    message = Message(
        id=f"test-{uuid.uuid4().hex}",
        destination=name,
        created_at=now,
        notice=TestNotice(server=socket.gethostname(), at=now),
    )
    destination = build(name, settings.destinations[name], settings.incidents)
    try:
        _deliver(destination, message)
    finally:
        destination.close()


def _deliver(destination: Local | Remote, message: Message) -> None:
    if isinstance(destination, Local):
        destination.send_test(message)
    else:
        destination.send(message, _Forgetful())


def _fault(name: str, error: CompassError) -> str:
    return str(error).removeprefix(f"destination {name}: ")


def _mend(error: CompassError) -> str:
    """Return what to do about it."""
    if not isinstance(error, SendError):
        return error.hint or "mend the settings"
    if error.gone:
        return "nobody takes messages there any more: make a new URL or token, and set it"
    if error.permanent:
        return "it does not want this message: check url, secret and headers"
    if error.retry_after:
        return f"it asks to be left alone for {error.retry_after:.0f} s: try again then"
    return "it may pass: try again, and if it stays, `compassd doctor` checks the way there"


class _Forgetful:
    """A Memory that keeps nothing: a test leaves no trace."""

    def get(self, key: str) -> str | None:  # noqa: ARG002 - the protocol's
        return None

    def put(self, key: str, value: str | None) -> None:
        pass
