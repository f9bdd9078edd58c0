"""What a file of tests for rules says: requests, and what is to be told of them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from compassd.notice import Happening
from compassd.rules.values import OneOrMany, SeverityName, Waits
from compassd.settings import IncidentSettings
from compassd.units import SizeBytes, parse_duration, shown

_ZERO = re.compile(r"0(?:ns|us|ms|s|m|h)")
_MAX_TIMES = 100_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_START_NS = 1_767_225_600_000_000_000  # 2026-01-01


def _moment(value: object) -> int:
    if isinstance(value, str) and _ZERO.fullmatch(value):
        return 0
    return parse_duration(value)


def _start(value: object) -> int:
    if not isinstance(value, datetime) or value.tzinfo is None:
        example = "write for example 2026-12-31T23:59:00Z, without quotes"
        raise ValueError(f"{shown(value)} is not a date and time with an offset; {example}")
    return (value - _EPOCH).days * 86_400_000_000_000 + (value - _EPOCH).seconds * 1_000_000_000


def _all_or_some(value: object) -> object:
    if value == "all":
        return value
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValueError(f'{shown(value)} is neither "all" nor a list of the names of rules')
    return tuple(value)


Moment = Annotated[int, BeforeValidator(_moment)]
"""Time since the start of the test, written as a duration, or "0s"; held as ns."""
Start = Annotated[int, BeforeValidator(_start)]
"""Written as a date and time with an offset, held as Unix time in ns."""
Silent = Annotated[Literal["all"] | tuple[str, ...], BeforeValidator(_all_or_some)]
Count = Annotated[int, Field(ge=0)]


class _Strict(BaseModel):
    """Unknown keys are errors, nothing changes later."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class FunctionCase(_Strict):
    """What a request did in a function.

    Attributes:
        name: As Compass shows it.
        time: Wall time in the function itself, ns.
        waits: How often it waited there.
    """

    name: str
    time: Moment = 0
    waits: Waits = 0


class RequestCase(_Strict):
    """A request, or several of the same kind.

    Attributes:
        uri: Path, and query string if there is one.
        at: When it ends, the first of several.
        times: How many there are.
        every: Between the ends of two of them, ns.
        method: HTTP method.
        host: Host header.
        status: HTTP status code.
        duration: Wall time, ns.
        cpu: CPU time, ns; None: unknown, as of a request that began before anybody looked.
        memory: Peak, bytes; None: unknown.
        pool: FPM pool.
        transaction: Route named by the application.
        tags: Set by the application.
        waits: How often it waits, in functions or not; None: as often as in its functions.
        functions: Where its time goes, one after the other.
        died: Whether its worker dies in it.
        breaks: The rules that it breaks, exactly; None: not looked at.
    """

    uri: str
    at: Moment = 0
    times: int = Field(default=1, ge=1, le=_MAX_TIMES)
    every: Moment = 0
    method: str = "GET"
    host: str = ""
    status: int | None = Field(default=None, ge=100, le=599)
    duration: Moment = 0
    cpu: Moment | None = None
    memory: SizeBytes | None = None
    pool: str = ""
    transaction: str = ""
    tags: dict[str, str] = Field(default_factory=dict)
    waits: Waits | None = None
    functions: tuple[FunctionCase, ...] = ()
    died: bool = False
    breaks: tuple[str, ...] | None = None

    @model_validator(mode="after")
    def _is_possible(self) -> RequestCase:
        if not self.uri.startswith("/"):
            raise ValueError(f'{shown(self.uri)} is no path; it begins with "/"')
        if sum(function.time for function in self.functions) > self.duration:
            raise ValueError("its functions take longer than the request; raise its duration")
        if self.waits is not None and self.waits < sum(function.waits for function in self.functions):
            raise ValueError("it waits less often than its functions; raise its waits, or leave them out")
        return self


class AlertCase(_Strict):
    """Breaches that are expected; what is given of one has to be as given.

    Attributes:
        rule: The rule.
        severity: Of the breach.
        host: What it is counted under.
        route: Likewise.
        destination: One of those that are told.
        count: How many, exactly; None: one at least.
    """

    rule: str
    severity: SeverityName | None = None
    host: str | None = None
    route: str | None = None
    destination: str | None = None
    count: Count | None = None


class MessageCase(_Strict):
    """Messages that are expected; what is given of one has to be as given.

    Attributes:
        destination: Who gets it.
        happening: Why an incident is told, or "digest" for one message of many incidents.
        rule: The incident's rule.
        route: The incident's route.
        severity: The worst so far.
        new_hits: Breaches that were not in an earlier message.
        at: When it is sent, since the start of the test, ns.
        count: How many, exactly; None: one at least.
    """

    destination: str | None = None
    happening: Happening | Literal["digest"] | None = None
    rule: str | None = None
    route: str | None = None
    severity: SeverityName | None = None
    new_hits: Count | None = None
    at: Moment | None = None
    count: Count | None = None


class Case(_Strict):
    """One test.

    Attributes:
        name: What it is about.
        start: When it begins: exceptions may have an end.
        capture: Requests of `compassd capture`, with their own times, instead of written ones.
        requests: Written ones.
        alerts: What is expected.
        silent: Rules that must not be broken, "all" for every one.
        messages: What is expected of incidents.
    """

    name: str
    start: Start = _START_NS
    capture: Path | None = None
    requests: OneOrMany[RequestCase] = Field(default=(), alias="request")
    alerts: OneOrMany[AlertCase] = Field(default=(), alias="alert")
    silent: Silent = ()
    messages: OneOrMany[MessageCase] = Field(default=(), alias="message")

    @model_validator(mode="after")
    def _says_something(self) -> Case:
        if (self.capture is None) == (not self.requests):
            raise ValueError("give either a capture or requests")
        expects = self.alerts or self.silent or self.messages
        if not expects and not any(request.breaks is not None for request in self.requests):
            raise ValueError("expects nothing; give alert, silent, message, or breaks of a request")
        return self


class CaseFile(_Strict):
    """A whole file of tests.

    Attributes:
        rules: The rules file, relative to this file.
        destinations: Those that the settings would have; None: rules may name any.
        incidents: How breaches become incidents, as in the settings.
        tests: The [[test]] tables, in the order of the file.
    """

    rules: Path
    destinations: OneOrMany[str] | None = None
    incidents: IncidentSettings = IncidentSettings()
    tests: Annotated[tuple[Case, ...], Field(min_length=1)] = Field(alias="test")
