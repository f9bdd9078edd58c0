"""A fresh server on which somebody follows README.md, and the machine from which Ansible does."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab import manual
from lab.ansible_controller import reach
from lab.booted import Booted
from lab.build import ROOT
from lab.errors import LabError
from lab.processes import wait_until
from lab.receiver import Received, Receiver
from tests.system import site

SECTIONS = manual.read((ROOT / "README.md").read_text())

SLACK_URL = "https://hooks.slack.com/services/…"

# What nobody has as it is written, and what stands for it here: a site without a port, and less patience.
_PLACEHOLDERS = {
    "https://shop.example/": f"--silent --unix-socket {site.SOCKET} http://shop.example/",
    "slow.php": "slow.php?ms=4000",
    "--for 1h": "--for 4s",
}

# As root in a terminal, who takes every default.
_TYPE = 'cd && yes "" | bash -c "$1"'
# Ctrl-C as soon as there is "$3" in the file "$2".
_TYPE_AND_INTERRUPT = """
cd
set -m
bash -c "$1" >output 2>&1 </dev/null &
for _ in {1..400}; do
    sleep 0.1
    ! grep --quiet --no-messages "$3" "$2" || break
done
kill -INT -- -$!
wait $!
status=$?
cat output
grep --quiet "$3" "$2" || exit 1
exit $status
"""
# What commands that watch have to see.
_VISITS = f"""
visit() {{ curl --silent --output /dev/null --unix-socket {site.SOCKET} "$@"; }}
visit --rate 20/s 'http://shop.example/quick?n=[1-100000]' &
visit --rate 4/s 'http://shop.example/cart?ms=20&n=[1-100000]' &
while sleep 0.2; do visit 'http://shop.example/slow.php?ms=2200'; done
"""


class Server:
    """A machine with PHP-FPM and nginx, where Compass has never been.

    Args:
        machine: The machine.
        receiver: Plays Slack.
    """

    def __init__(self, machine: Booted, receiver: Receiver) -> None:
        self.machine = machine
        self.receiver = receiver
        self.php = machine.run("sh", "-c", "ls /etc/php").strip()
        site.serve(machine, self.php)

    def copy(self, files: list[Path]) -> None:
        """Put these packages into the directory in which commands are typed, and take others away."""
        self.machine.run("sh", "-c", "rm -f /root/*.deb")
        for file in files:
            (self.machine.root / "root" / file.name.removeprefix("next_")).write_bytes(file.read_bytes())

    def type(self, text: str) -> str:
        """Type a command and return what it said.

        Raises:
            LabError: It failed.
        """
        return self._ended(
            text, *self.machine.try_run("bash", "-c", _TYPE, "type", self.filled(text), timeout=240)
        )

    def type_and_interrupt(self, text: str, file: str, wanted: str) -> str:
        """Type a command, press Ctrl-C once something is in a file, and return what the command said.

        Args:
            text: The command.
            file: The file, or "output" for what the command says.
            wanted: What is to be in there.

        Raises:
            LabError: It failed.
        """
        command = ("bash", "-c", _TYPE_AND_INTERRUPT, "type", self.filled(text), file, wanted)
        return self._ended(text, *self.machine.try_run(*command))

    def filled(self, text: str) -> str:
        """Return the text with something for each placeholder.

        Raises:
            LabError: There is one that nobody knows.
        """
        for placeholder, value in {**_PLACEHOLDERS, SLACK_URL: self.receiver.slack_url}.items():
            text = text.replace(placeholder, value)
        if "…" in text:
            raise LabError(f"what is … here? {text}")
        return text

    @contextmanager
    def visitors(self) -> Iterator[None]:
        """Have the site visited meanwhile: quick pages, and slow ones."""
        self.machine.run("systemd-run", "--unit=visits", "bash", "-c", _VISITS)
        yield
        self.machine.run("systemctl", "stop", "visits")

    def browse(self, uri: str, *options: str) -> str:
        """Ask the web server for a page, and return what it answered."""
        curl = ("curl", "--silent", "--show-error", "--fail", "--unix-socket", site.SOCKET, *options)
        return self.machine.run(*curl, f"http://shop.example{uri}")

    def wait_for_entry(self, rule: str, uri: str) -> None:
        """Return once the journal has been told of a request for uri, by that rule."""
        fields = ("SYSLOG_IDENTIFIER=compassd", f"COMPASS_RULE={rule}", f"COMPASS_URI={uri}")
        wait_until(
            lambda: bool(self.machine.journal(*fields)), timeout=20, what=f"{uri} to be told by {rule}"
        )

    def told_to_slack(self, text: str) -> list[Received]:
        """Return the messages in which that is, and that Slack has taken."""
        return [one for one in self.receiver.received if one.accepted and text in json.dumps(one.json)]

    def wait_for_slack(self, text: str) -> None:
        """Return once Slack has taken a message in which that is."""
        wait_until(lambda: bool(self.told_to_slack(text)), timeout=30, what=f"Slack to be told of {text}")

    def property(self, name: str) -> str:
        """Return a property of compassd's service."""
        return self.machine.run("systemctl", "show", "--property", name, "--value", "compassd").strip()

    def version(self, package: str) -> str:
        """Return which version of a package is installed, "" for none."""
        text = self.machine.try_run("dpkg-query", "--show", "--showformat=${Status} ${Version}", package)[1]
        return text.removeprefix("install ok installed ") if text.startswith("install ok installed ") else ""

    @staticmethod
    def _ended(text: str, status: int, output: str) -> str:
        if status:
            raise LabError(f"{text}\nended with {status}:\n{output}")
        return output


class Controller:
    """A checkout in which somebody types Ansible's commands.

    Args:
        directory: Where it is, an empty one.
        server: The only server there is.
    """

    def __init__(self, directory: Path, server: Server) -> None:
        self._directory = directory
        self._server = server
        for name in ("ansible", "build"):
            (directory / name).symlink_to(ROOT / name)

    def write(self, block: str) -> None:
        """Write the file whose name is in the first line of the block."""
        name = re.match(r"# (\S+)\n", block)
        if not name:
            raise LabError(f"in the first line there is no name of a file:\n{block}")
        (self._directory / name[1]).write_text(self._server.filled(block))

    def change(self, name: str, old: str, new: str) -> None:
        """Change a file."""
        file = self._directory / name
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))

    def type(self, text: str) -> str:
        """Type a command, and the password for whatever asks for one; return what it said.

        Raises:
            LabError: It failed.
        """
        if text.startswith("ansible-playbook "):
            text += f" --extra-vars '{json.dumps(_connection(self._server))}'"
        done = subprocess.run(
            ["bash", "-c", text],
            check=False,
            cwd=self._directory,
            env=self._environment,
            # Without a terminal passwords are read from here.
            input="a password\n" * 3,
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode:
            raise LabError(f"{text}\nended with {done.returncode}:\n{done.stdout}")
        return done.stdout

    @property
    def _environment(self) -> dict[str, str]:
        return {
            "ANSIBLE_CONNECTION_PLUGINS": str(ROOT / "lab/connection"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_PIPELINING": "1",
            "HOME": str(self._directory),
            "LC_ALL": "C.UTF-8",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }


def _connection(server: Server) -> dict[str, object]:
    return {**reach(server.machine.leader), "ansible_become": False}
