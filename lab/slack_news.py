"""What Slack messages tell of incidents, read as a person reads them."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lab.errors import LabError

_NUMBER = r"(?P<{}>[\d,]+)"
# The header of a message about one breach, about several, and the line that an incident is over.
_ONE = re.compile(r"\S+ (?P<rule>\S+) (?:is over budget|was over budget|never ended)\b.*")
_SEVERAL = re.compile(
    rf"\S+ (?P<rule>\S+)(?: is \w+ now)?: {_NUMBER.format('new')}(?: more)? over budget"
    rf"(?:, {_NUMBER.format('hits')})?(?: in .*)?"
)
_OVER = re.compile(
    rf"\S+ `(?P<rule>[^`]*)`(?: on `(?P<route>[^`]*)`)? has been quiet for .*?: {_NUMBER.format('hits')}"
    rf" requests? over budget(?: in [^,]*)?(?:, {_NUMBER.format('new')} of them not told before)?, longest .*"
)
_ROUTE = re.compile(r"\*Route\*\n`([^`]*)`")


@dataclass(frozen=True, slots=True, order=True)
class Subject:
    """What an incident is about, as far as Slack says it.

    Attributes:
        rule: The rule's name.
        route: The route; "" where a message does not say it.
    """

    rule: str
    route: str


@dataclass(frozen=True, slots=True)
class News:
    """What one message says of an incident.

    Attributes:
        subject: Which one.
        new_hits: Breaches that are told with it.
        hits: Breaches since the incident began.
        over: Whether it says that the incident is over.
    """

    subject: Subject
    new_hits: int
    hits: int
    over: bool = False


def news(message: Mapping[str, Any]) -> News:
    """Return what a Slack message says.

    Raises:
        LabError: It is about no single incident.
    """
    texts = [html.unescape(text) for text in _texts(message)]
    first = texts[0] if texts else ""
    if over := _OVER.fullmatch(first):
        subject = Subject(over["rule"], over["route"] or "")
        return News(subject, _number(over["new"] or "0"), _number(over["hits"]), over=True)
    route = next((found[1] for text in texts if (found := _ROUTE.fullmatch(text))), "")
    if several := _SEVERAL.fullmatch(first):
        new = _number(several["new"])
        return News(Subject(several["rule"], route), new, _number(several["hits"] or several["new"]))
    if one := _ONE.fullmatch(first):
        return News(Subject(one["rule"], route), 1, 1)
    raise LabError(f"a Slack message that is about no incident: {first!r}")


def _texts(message: Mapping[str, Any]) -> Iterator[str]:
    for block in message["blocks"]:
        for text in (block.get("text"), *block.get("fields", ())):
            if text:
                yield text["text"]


def _number(text: str) -> int:
    return int(text.replace(",", ""))
