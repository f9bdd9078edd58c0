"""What the running service sees of the machine: not what the shell sees that the doctor is started from."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from compassd.doctor.finding import Finding, Verdict

_UNIT = "compassd.service"
_TIMEOUT_S = 10.0
# By which requests finds its way: https://requests.readthedocs.io/en/latest/user/advanced/#proxies
_WAYS = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "requests_ca_bundle", "curl_ca_bundle")


def service_process() -> int | None:
    """Return the process id of the service; None if it does not run, or if there is no systemd."""
    show = ["systemctl", "show", "--property=MainPID", "--value", _UNIT]
    try:
        done = subprocess.run(show, capture_output=True, check=False, timeout=_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired):
        return None
    answer = done.stdout.strip()
    return int(answer) or None if answer.isdigit() else None


def check_ways(pid: int, ours: Mapping[str, str]) -> Iterator[Finding]:
    """Tell if the service goes other ways to its destinations than a command in this shell.

    Args:
        pid: The service's process.
        ours: This process' environment.
    """
    try:
        raw = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        # It has just ended, or it is not for our eyes.
        return
    pairs = (entry.partition("=") for entry in raw.decode("utf-8", "surrogateescape").split("\0"))
    theirs = _ways({name: value for name, _, value in pairs})
    here = _ways(ours)
    # Names only: a proxy's URL may hold a password.
    other = sorted(name for name in theirs.keys() | here.keys() if theirs.get(name) != here.get(name))
    if other:
        yield Finding(
            Verdict.WARN,
            "environment",
            f"not the same for the service as here: {', '.join(other)}",
            "what follows is true of this shell: set them here as in the unit (systemctl edit compassd)",
        )


def _ways(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what leads requests, by names in lower case, which come first there."""
    found = {name: environment.get(name) or environment.get(name.upper(), "") for name in _WAYS}
    return {name: value for name, value in found.items() if value}
