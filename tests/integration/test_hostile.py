"""Requests by somebody who means harm, from the socket of PHP-FPM to every destination."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from compassd.breach import State
from compassd.destinations.journald import MESSAGE_IDS
from lab import processes, schemas
from lab.fastcgi import Call
from lab.hostile import ATTACKS
from lab.journald import Journald
from lab.receiver import SLACK_PATH, WEBHOOK_PATH, Receiver
from lab.slack_news import News, news
from tests.conftest import PhpFpmFactory
from tests.integration.conftest import PAGES, CompassdFactory

pytestmark = pytest.mark.ebpf

# Judged by its script, as everything else is up to the client.
RULES = """
[[rule]]
name = "pool"
match = { status = 418 }
budget = { duration = "1us" }
"""

SETTINGS = """
query_strings = true
[destinations.out]
type = "stdout"
[destinations.journal]
type = "journald"
[destinations.slack]
type = "slack"
url = "{slack}"
[destinations.each]
type = "webhook"
url = "{webhook}"
tell = "breaches"
[destinations.hook]
type = "webhook"
url = "{webhook}"
# Everything is told within the test: each incident by itself, from its beginning to its end.
[incidents]
coalesce = "100ms"
cooldown = "1s"
max_messages = 1_000
"""

BINARY = bytes(range(1, 256))

CALLS: dict[str, dict[str, Any]] = {
    "everything": {"uri": "/" + "".join(ATTACKS[:12])},
    "binary": {"uri": b"/" + BINARY},
    "64 KiB": {"uri": "/" + "a" * 65_000},
    "cut in a character": {"uri": "/" + "\N{GRINNING FACE}" * 300},
    "no uri": {"uri": None},
    "empty uri": {"uri": ""},
    "forged field": {"uri": "/x\nCOMPASS_RULE=forged\nPRIORITY=0"},
    "headers": {
        "uri": "/headers",
        "headers": {"Host": b"<!channel>\n" + BINARY, "X-Request-ID": "<!here>&\n\x1b[2J" + "i" * 4_000},
    },
    "method": {"uri": "/method", "method": "<!channel>`*x*`" + "M" * 200},
    "traceparent": {"uri": "/t", "headers": {"traceparent": "00-" + "g" * 32 + "-0000000000000000-01"}},
}


@pytest.fixture
def journald() -> Iterator[Journald]:
    with Journald() as running:
        yield running


def _call(**arguments: Any) -> Call:  # noqa: ANN401 - passed on
    script = PAGES / "work.php"
    return Call(script=script, query="do=status&status=418", **arguments)


def _documents(receiver: Receiver, kind: str) -> list[dict[str, Any]]:
    found = [request.json for request in receiver.received if request.path == WEBHOOK_PATH]
    return [document for document in found if document["type"] == kind]


def _slack(receiver: Receiver) -> list[News]:
    return [news(request.json) for request in receiver.received if request.path == SLACK_PATH]


def _over(receiver: Receiver) -> list[int]:
    """Return how many breaches the incidents had that Slack and the webhook know to be over."""
    closed = [each for each in _documents(receiver, "compass.incident") if each["happening"] == "closed"]
    return [
        sum(each.hits for each in _slack(receiver) if each.over),
        sum(each["figures"]["hits"] for each in closed),
    ]


def test_nothing_a_client_sends_acts_anywhere(
    php_fpm: PhpFpmFactory, compassd: CompassdFactory, journald: Journald
) -> None:
    fpm = php_fpm(workers=1)
    with Receiver(slack_rate=None) as receiver:
        daemon = compassd(
            rules=RULES,
            settings=SETTINGS.format(slack=receiver.slack_url, webhook=receiver.webhook_url),
            wrapper=journald.command([]),
        )
        for arguments in CALLS.values():
            assert fpm.request(_call(**arguments)).status == 418
        told = daemon.wait_for_breaches(len(CALLS))
        # Slack is sent one a second.
        processes.wait_until(
            lambda: _over(receiver) == [len(CALLS)] * 2,
            timeout=60,
            what="Slack and the webhook to be told of the end of every incident",
            detail=lambda: f"{_over(receiver)}",
        )
        assert daemon.stop() == 0
        entries = journald.entries(f"MESSAGE_ID={MESSAGE_IDS[State.FINISHED]}")

    assert _documents(receiver, "compass.breach") == told
    incidents = _documents(receiver, "compass.incident")
    assert sum(each["figures"]["new_hits"] for each in incidents) == len(CALLS)
    for document in (*told, *incidents):
        assert schemas.problems(document) == []
        text = json.dumps(document, ensure_ascii=False)
        assert not any(ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0 for character in text)
    assert sum(each.new_hits for each in _slack(receiver)) == len(CALLS)
    assert all(request.accepted for request in receiver.received)
    assert receiver.violations == []
    assert len(entries) == len(CALLS)
    for entry, document in zip(entries, told, strict=True):
        assert entry["COMPASS_RULE"] == "pool"
        assert entry["PRIORITY"] == "4"
        assert entry.get("COMPASS_URI", "") == document["attributes"]["url.path"] + (
            "?" + document["attributes"]["url.query"] if "url.query" in document["attributes"] else ""
        )


def test_what_is_told_of_them(php_fpm: PhpFpmFactory, compassd: CompassdFactory) -> None:
    fpm = php_fpm(workers=1)
    daemon = compassd(rules=RULES)
    for arguments in CALLS.values():
        fpm.request(_call(**arguments))
    told = dict(zip(CALLS, daemon.wait_for_breaches(len(CALLS)), strict=True))

    def path(name: str) -> str:
        found: str = told[name]["attributes"]["url.path"]
        return found

    assert path("64 KiB") == "/" + "a" * 1_022
    assert told["64 KiB"]["request"]["uri_cut"]
    assert path("cut in a character").startswith("/\N{GRINNING FACE}")
    assert path("cut in a character").endswith("\N{GRINNING FACE}\N{REPLACEMENT CHARACTER}")
    assert path("no uri") == "/work.php"
    assert path("empty uri") == ""
    assert (
        path("forged field")
        == "/x\N{REPLACEMENT CHARACTER}COMPASS_RULE=forged\N{REPLACEMENT CHARACTER}PRIORITY=0"
    )
    assert not told["forged field"]["request"]["uri_cut"]
    assert len(told["headers"]["request"]["id"]) == 127
    assert told["headers"]["request"]["id"].startswith("<!here>&\N{REPLACEMENT CHARACTER}")
    assert told["method"]["attributes"]["http.request.method"] == "_OTHER"
    made_up = {told[name]["request"]["id"] for name in ("binary", "traceparent", "no uri")}
    assert len(made_up) == 3
    assert all(made_up)
    assert "g" * 32 not in made_up


def test_a_valid_traceparent_gives_the_request_its_id(
    php_fpm: PhpFpmFactory, compassd: CompassdFactory
) -> None:
    daemon = compassd(rules=RULES)
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    headers = {"traceparent": f"00-{trace_id}-b7ad6b7169203331-01"}
    php_fpm(workers=1).request(_call(uri="/traced", headers=headers))
    (told,) = daemon.wait_for_breaches(1)
    assert told["request"]["id"] == trace_id
