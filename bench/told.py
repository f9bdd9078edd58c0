"""A daemon that tells a webhook and a journal of requests, all of which are over budget."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import BenchError
from bench.stand import Ground
from lab.compassd import Compassd
from lab.journald import Journald
from lab.php_fpm import PhpFpm
from lab.receiver import WEBHOOK_PATH, Receiver

RULE = "bench"
_WORKERS = 8

# Nothing else that the machine may serve is meant.
_RULES = f"""
[[rule]]
name = "{RULE}"
match = {{ pool = "{RULE}" }}
budget = {{ duration = "1us" }}
"""


@dataclass(frozen=True, slots=True)
class Told:
    """Who serves, who watches, and who is told.

    Attributes:
        server: PHP-FPM. Its requests break the rule, others do not.
        daemon: Watches.
        receiver: The webhook, and Slack.
        journald: The journal.
    """

    server: PhpFpm
    daemon: Compassd
    receiver: Receiver
    journald: Journald

    def documents(self) -> list[dict[str, Any]]:
        """Return what the webhook got."""
        return [received.json for received in self.receiver.received if received.path == WEBHOOK_PATH]

    def entries(self) -> list[dict[str, Any]]:
        """Return what the journal got of breaches."""
        return self.journald.entries(f"COMPASS_RULE={RULE}")

    def stop(self) -> None:
        """Stop the daemon; it tells what there is to tell.

        Raises:
            BenchError: It failed.
        """
        if self.daemon.stop() != 0:
            raise BenchError(f"compassd failed:\n{self.daemon.log_text()}")


@contextmanager
def told(ground: Ground, settings: str) -> Iterator[Told]:
    """Run everything.

    Args:
        ground: The ground.
        settings: Settings of the daemon, a format string with what is told as {receiver}.
    """
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(dir=ground.directory))
        receiver = stack.enter_context(Receiver())
        journald = stack.enter_context(Journald())
        server = stack.enter_context(PhpFpm(extension=ground.extension, pools=(RULE,), workers=_WORKERS))
        daemon = Compassd(
            Path(directory),
            extension=[ground.extension],
            rules=_RULES,
            settings=settings.format(receiver=receiver),
            # The lab's is a test's; this is what the daemon does by itself.
            environment={"COMPASSD_RESCAN_INTERVAL": "5s"},
            wrapper=journald.command([]),
        )
        stack.enter_context(daemon)
        yield Told(server, daemon, receiver, journald)
