"""Checks of the settings, the rules and the destinations. Nothing is sent to anybody."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from requests.utils import get_environ_proxies, select_proxy

from compassd.destinations.tls import ClientTls, client_tls
from compassd.doctor.finding import Finding, Verdict
from compassd.errors import ConfigurationError
from compassd.rules.load import load_file
from compassd.service_user import as_service_user
from compassd.settings import Settings, load_settings
from compassd.settings_destinations import (
    AlertmanagerSettings,
    DestinationSettings,
    JournaldSettings,
    SlackSettings,
    StdoutSettings,
    WebhookSettings,
)

_JOURNAL_SOCKET = Path("/run/systemd/journal/socket")
_CONNECT_S = 3.0
_PORTS = {"http": 80, "https": 443}


def check_settings(config: Path | None) -> tuple[Settings, list[Finding]]:
    """Load the settings; where they are unusable the other checks go on with the defaults."""
    try:
        settings = load_settings(config)
    except ConfigurationError as error:
        mend = "mend it and run the doctor again"
        findings = [Finding(Verdict.FAIL, "settings", line, mend) for line in str(error).splitlines()]
        return Settings.model_construct(), findings
    return settings, [Finding(Verdict.OK, "settings", f"{len(settings.destinations)} destinations")]


def check_rules(path: Path, settings: Settings) -> Iterator[Finding]:
    """Load the rules, with what they need of the settings."""
    try:
        rules = load_file(path, settings.destinations, sampling=settings.sampling)
    except ConfigurationError as error:
        for line in str(error).splitlines():
            yield Finding(Verdict.FAIL, "rules", line, "mend it; `compassd check` shows all errors")
    else:
        yield Finding(Verdict.OK, "rules", f"{len(rules.content.rule)} in {path}")
        for warning in rules.warnings(settings.destinations, time.time_ns()):
            yield Finding(Verdict.WARN, "rules", str(warning))


def destination_checks(settings: Settings) -> Iterable[Callable[[], Iterator[Finding]]]:
    """Return a check for every destination."""
    return [partial(_check_destination, name, to) for name, to in settings.destinations.items()]


def _check_destination(name: str, destination: DestinationSettings) -> Iterator[Finding]:
    subject = f"destination {name}"
    if isinstance(destination, JournaldSettings):
        if _JOURNAL_SOCKET.is_socket():
            yield Finding(Verdict.OK, subject, "journald listens")
        else:
            yield Finding(
                Verdict.FAIL, subject, "journald does not run here", "start systemd-journald, or remove it"
            )
    elif isinstance(destination, StdoutSettings):
        yield Finding(Verdict.OK, subject, "stdout needs nothing")
    else:
        tls = client_tls(destination)
        try:
            with as_service_user():
                tls.check(name)
        except ConfigurationError as error:
            yield Finding(Verdict.FAIL, "settings", str(error), error.hint)
        else:
            yield _check_connection(subject, _address(destination), tls)


def _address(destination: SlackSettings | WebhookSettings | AlertmanagerSettings) -> str:
    if isinstance(destination, SlackSettings):
        return destination.address
    return destination.url.get_secret_value()


def _check_connection(subject: str, url: str, tls: ClientTls) -> Finding:
    """Connect, to the proxy if the environment names one, and hang up.

    The URL's path may be a secret and is never shown.
    """
    target = urlsplit(url)
    proxy = select_proxy(url, get_environ_proxies(url))
    via = urlsplit(proxy if "://" in proxy else f"http://{proxy}") if proxy else target
    host, port = via.hostname or "", via.port or _PORTS[via.scheme]
    name = f"the proxy {host}:{port}" if proxy else f"{host}:{port}"
    try:
        with socket.create_connection((host, port), _CONNECT_S) as connection:
            if via.scheme == "https":
                context = tls.context(os.environ.get("REQUESTS_CA_BUNDLE"))
                context.wrap_socket(connection, server_hostname=host).close()
    except (OSError, UnicodeError, ConfigurationError) as error:
        mend = "check name resolution, the firewall, certificates and proxies"
        return Finding(Verdict.FAIL, subject, f"{name} cannot be reached: {error}", mend)
    return Finding(Verdict.OK, subject, f"{name} answers; nothing was sent")
