"""What Slack is told, by the kind of notice."""

from __future__ import annotations

from typing import Any

from compassd.destinations.slack_breach import breach_payload
from compassd.destinations.slack_digest import digest_payload
from compassd.destinations.slack_incident import closing_payload, incident_payload
from compassd.destinations.slack_text import code, envelope, section
from compassd.destinations.slack_words import NAME, moment
from compassd.notice import BreachNotice, DigestNotice, Happening, IncidentNotice, Message, TestNotice


def payload(message: Message) -> dict[str, Any]:
    """Return the body of a post of its own for the message: text and blocks, and how to read them."""
    match message.notice:
        case IncidentNotice(happening=Happening.CLOSED) as notice:
            return closing_payload(notice, message.created_at)
        case IncidentNotice() as notice:
            return incident_payload(notice, message.created_at)
        case DigestNotice() as notice:
            return digest_payload(notice)
        case BreachNotice() as notice:
            return breach_payload(notice.breach)
        case TestNotice() as notice:
            return _test_payload(notice)


def _test_payload(notice: TestNotice) -> dict[str, Any]:
    server, asked = code(notice.server, NAME), moment(notice.at)
    return envelope(
        f"Messages of Compass on {notice.server} arrive here.",
        [section(f"Messages of Compass on {server} arrive here. This one was asked for at {asked}.")],
    )
