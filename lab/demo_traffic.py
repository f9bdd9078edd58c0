"""What the demo asks the example shop, and what ought to come of it."""

from __future__ import annotations

import random
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError
from lab.fastcgi import Call, Response, drive
from lab.php_fpm import PhpFpm
from lab.slack_news import Subject

# More than there are workers, so that some requests also wait for one.
CONCURRENCY = 6
_SEED = 20


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the shop.

    Attributes:
        name: What its request ids begin with.
        method: HTTP method.
        uri: Path and query string; the latter must not be told.
        count: How often to ask for it.
        status: What it answers.
        rule: Whose budget it exceeds, "" if none.
    """

    name: str
    method: str
    uri: str
    count: int
    status: int = 200
    rule: str = ""

    @property
    def route(self) -> str:
        """What the shop calls it, in example/app/src/FrontController.php."""
        return f"{self.method} {self.uri.partition('?')[0]}"


PAGES = (
    Page("home", "GET", "/", 60),
    Page("checkout", "POST", "/checkout?voucher=SECRET", 3, rule="checkout"),
    Page("cart", "POST", "/cart?voucher=SECRET", 2, rule="cart"),
    Page("shipping", "GET", "/shipping?zip=20095", 2, rule="shipping"),
    Page("broken", "POST", "/broken", 2, status=500, rule="errors"),
    Page("orders", "GET", "/orders", 4, rule="orders"),
    Page("report", "GET", "/report", 2, rule="report"),
    # As slow, but that rule has an exception for it.
    Page("yearly", "GET", "/report/yearly", 1),
    Page("export", "GET", "/export", 4, rule="export"),
)


@dataclass(frozen=True, slots=True, order=True)
class Telling:
    """That a destination that is told every breach is told of a request by a rule.

    Attributes:
        destination: Its name.
        rule: The rule's name.
        request_id: The X-Request-ID sent.
        running: Whether it was told while the request still ran.
    """

    destination: str
    rule: str
    request_id: str
    running: bool = False


@dataclass(frozen=True, slots=True)
class Driven:
    """One request that was answered.

    Attributes:
        page: What was asked for.
        request_id: The X-Request-ID sent.
        work_ns: How long the page worked, as PHP measured it.
        total_ns: How long the answer took, as the client measured it.
    """

    page: Page
    request_id: str
    work_ns: int
    total_ns: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be told.

    Attributes:
        each: To the webhook and the journal, which are told of each request.
        incidents: To Slack, which is told of incidents: how many requests each of them is to count.
    """

    each: Counter[Telling]
    incidents: Counter[Subject]


def drive_shop(fpm: PhpFpm, script: Path) -> list[Driven]:
    """Ask for every page as often as PAGES says, mixed and several at a time.

    Raises:
        LabError: A page did not answer as it should.
    """
    planned = [(page, f"demo-{page.name}-{n}") for page in PAGES for n in range(1, page.count + 1)]
    # Mixed, but the same in every run.
    random.Random(_SEED).shuffle(planned)  # noqa: S311 - not for secrets
    calls = [
        Call(
            script=script,
            uri=page.uri,
            method=page.method,
            headers={"X-Request-ID": request_id, "Host": "shop.example"},
        )
        for page, request_id in planned
    ]
    responses = drive(fpm.socket, calls, concurrency=CONCURRENCY)
    return [
        _driven(page, request_id, response)
        for (page, request_id), response in zip(planned, responses, strict=True)
    ]


def expected(driven: Sequence[Driven], rules: Path, told_incidents: str) -> Wanted:
    """Return what the rules file says is to be told of these requests once they have ended.

    Args:
        driven: The requests.
        rules: The rules file.
        told_incidents: The destination that is told of incidents.
    """
    document = tomllib.loads(rules.read_text())
    destinations: Mapping[str, Sequence[str]] = {
        rule["name"]: rule["destinations"] for rule in document["rule"]
    }
    slow = [each for each in driven if each.page.rule]
    return Wanted(
        each=Counter(
            Telling(destination, each.page.rule, each.request_id)
            for each in slow
            for destination in destinations[each.page.rule]
            if destination != told_incidents
        ),
        incidents=Counter(
            Subject(each.page.rule, each.page.route)
            for each in slow
            if told_incidents in destinations[each.page.rule]
        ),
    )


def _driven(page: Page, request_id: str, response: Response) -> Driven:
    if response.status != page.status:
        shown = response.body[:300].decode(errors="replace")
        raise LabError(f"{page.uri} answered with status {response.status}, not {page.status}: {shown}")
    return Driven(page, request_id, response.json()["work_ns"], response.duration_ns)
