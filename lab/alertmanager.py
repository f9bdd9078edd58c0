"""A real Prometheus Alertmanager of our own, and the amtool that comes with it.

Both are from Debian's prometheus-alertmanager, unpacked and not installed: installing it would start a
service and leave it running. Its templates have to be where Debian puts them, so that it lives in a mount
namespace in which they are. Needs root.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Self

from lab.build import ROOT
from lab.errors import LabError
from lab.processes import start, stop, tail, wait_until

_UNPACKED = ROOT / "build/lab/usr"
_PROGRAMS = _UNPACKED / "bin"
_TIMEOUT_S = 20.0
_LISTENS = re.compile(r"Listening on.* address=(127\.0\.0\.1:[0-9]+)")

# As Alertmanager does it by itself, only without patience.
_CONFIG = """
route:
  receiver: people
  group_by: [alertname, rule]
  group_wait: 0s
  group_interval: 1s
receivers:
  - name: people
    webhook_configs:
      - url: {people}
        send_resolved: true
"""
_TLS = """
tls_server_config:
  cert_file: {certificate}
  key_file: {certificate}
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: {authority}
"""


class Alertmanager:
    """The server, on 127.0.0.1, alone. Use it as a context manager.

    Args:
        people: URL of the webhook that is notified.
        certificate: PEM file with a private key and its certificate, to speak TLS.
        authority: PEM file of the authority of clients, who then have to have a certificate.
    """

    def __init__(
        self, people: str, *, certificate: Path | None = None, authority: Path | None = None
    ) -> None:
        self._config = _CONFIG.format(people=people)
        self._scheme = "https" if certificate else "http"
        self._web = _TLS.format(certificate=certificate, authority=authority) if certificate else ""
        self._address = ""

    def __enter__(self) -> Self:
        """Start it and wait until it listens."""
        program = _PROGRAMS / "prometheus-alertmanager"
        if not program.exists():
            raise LabError(f"{program} is not unpacked (make lab-programs unpacks it)")
        self._directory = tempfile.TemporaryDirectory(prefix="compass-alertmanager-")
        directory = Path(self._directory.name)
        (directory / "alertmanager.yml").write_text(self._config)
        (directory / "web.yml").write_text(self._web)
        self._log = directory / "log"
        command = [
            str(program),
            f"--config.file={directory / 'alertmanager.yml'}",
            f"--storage.path={directory / 'data'}",
            f"--web.config.file={directory / 'web.yml'}",
            "--web.listen-address=127.0.0.1:0",
            "--cluster.listen-address=",
        ]
        script = (
            f"mount --bind {shlex.quote(str(_UNPACKED / 'share'))} /usr/share && exec {shlex.join(command)}"
        )
        with self._log.open("wb") as output:
            self._process = start(
                ["unshare", "--mount", "--propagation", "private", "sh", "-c", script], output=output
            )
        try:
            wait_until(self._listens, timeout=_TIMEOUT_S, what="Alertmanager", detail=lambda: tail(self._log))
        except LabError:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End it; its data go with it."""
        self._end()

    @property
    def url(self) -> str:
        """Where its API begins."""
        return f"{self._scheme}://{self._address}"

    def amtool(self, *words: str) -> str:
        """Run amtool and return its output; raise LabError if it fails."""
        command = [str(_PROGRAMS / "amtool"), f"--alertmanager.url={self.url}", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S)
        if done.returncode:
            raise LabError(f"amtool {' '.join(words)} failed: {done.stderr.strip()}")
        return done.stdout

    def alerts(self, *words: str) -> list[dict[str, Any]]:
        """Return the alerts that fire and for which all words (matchers or amtool's options) hold."""
        found: list[dict[str, Any]] = json.loads(self.amtool("--output=json", "alert", "query", *words))
        return found

    def _listens(self) -> bool:
        if self._process.poll() is not None:
            raise LabError(f"Alertmanager has ended\n{tail(self._log)}")
        if found := _LISTENS.search(self._log.read_text()):
            self._address = found[1]
        return bool(found)

    def _end(self) -> None:
        stop(self._process)
        self._directory.cleanup()
