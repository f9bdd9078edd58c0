"""What a rule is.

The models check every value and turn it into what the rest works with: durations into ns, sizes into bytes,
single values into tuples. A complaint says what is wrong with the value in plain words; where it stands is
added by compassd.rules.load.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection
from typing import Annotated, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationInfo, model_validator

from compassd.breach import Metric, Severity
from compassd.rules.function_glob import compile_function_glob
from compassd.rules.glob import compile_glob
from compassd.units import DurationNs, SizeBytes, quoted, shown

KNOWN_DESTINATIONS = "known_destinations"
"""Key of the validation context that holds the names of the configured destinations, or None."""

_NAME = re.compile(r"[a-zA-Z0-9._-]{1,64}")
_METHOD = re.compile(r"[A-Za-z][A-Za-z-]{0,31}")
_STATUS_CLASS = re.compile(r"[1-5]xx", re.IGNORECASE)
_PORT = re.compile(r"[^:]*:[0-9*]+")
# The kernel counts the waits of a request in 32 bits.
_MAX_WAITS = 2**32 - 1


def suggestion(name: str, known: Collection[str]) -> str:
    """Return '; did you mean "…"?' with the known name closest to name, "" if none is close."""
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {quoted(close[0])}?" if close else ""


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{shown(value)} is not {what}; write text in quotes")  # noqa: TRY004 - pydantic's way
    return value


def _name(value: object) -> str:
    name = _text(value, "a name")
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{quoted(name)} is not a name; use 1 to 64 of a-z, A-Z, 0-9, dot, dash and underscore"
        )
    return name


def _one_or_many(value: object) -> object:
    if not isinstance(value, (list, tuple)):
        return (value,)
    if not value:
        raise ValueError("is an empty list; list at least one value, or leave the key out")
    return tuple(value)


def _path_glob(value: object) -> str:
    glob = _text(value, "a glob")
    compile_glob(glob)
    if not glob.startswith(("/", "**")):
        raise ValueError(f'{quoted(glob)} matches no path: paths begin with "/"; write "/…" or "**…"')
    return glob


def _host_glob(value: object) -> str:
    glob = _text(value, "a glob").lower()
    if "/" in glob:
        raise ValueError(
            f'{quoted(glob)} is not a host; write for example "shop.example.com" or "*.example.com"'
        )
    if _PORT.fullmatch(glob):
        raise ValueError(f"{quoted(glob)} has a port, which is not compared; leave it out")
    compile_glob(glob)
    return glob


def _method(value: object) -> str:
    method = _text(value, "a method")
    if not _METHOD.fullmatch(method):
        raise ValueError(f'{quoted(method)} is not a method; write for example "GET" or "POST"')
    return method.upper()


def _status(value: object) -> int | str:
    if isinstance(value, int) and 100 <= value <= 599:  # noqa: PLR2004 - HTTP's
        return value
    if isinstance(value, str) and _STATUS_CLASS.fullmatch(value):
        return value.lower()
    raise ValueError(f'{shown(value)} is not a status; write for example 404 or "5xx"')


def _function_glob(value: object) -> str:
    glob = _text(value, "the name of a function")
    compile_function_glob(glob)
    return glob


def _waits(value: object) -> int:
    # A bool is an int to Python.
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MAX_WAITS:
        raise ValueError(f"{shown(value)} is not a number of waits; write for example 50")
    return value


def _severity(value: object) -> object:
    # Text only: pydantic's own complaint about an unknown one lists the members in its words.
    if value in tuple(Severity):
        return value
    close = suggestion(value, tuple(Severity)) if isinstance(value, str) else ""
    choices = '"info", "warning" or "critical"'
    raise ValueError(f"{shown(value)} is not a severity{close or '; write ' + choices}")


def _destination(value: object, info: ValidationInfo) -> str:
    name = _text(value, "the name of a destination")
    known: Collection[str] | None = (info.context or {}).get(KNOWN_DESTINATIONS)
    if known is not None and name not in known:
        listed = "; configured: " + ", ".join(quoted(each) for each in sorted(known)) if known else ""
        raise ValueError(f"no destination {quoted(name)} is configured{suggestion(name, known) or listed}")
    return name


_T = TypeVar("_T")
OneOrMany = Annotated[tuple[_T, ...], BeforeValidator(_one_or_many)]
"""Written as one value or as a list that is not empty."""
PathGlob = Annotated[str, BeforeValidator(_path_glob)]
HostGlob = Annotated[str, BeforeValidator(_host_glob)]
Method = Annotated[str, BeforeValidator(_method)]
Status = Annotated[int | str, BeforeValidator(_status)]
FunctionGlob = Annotated[str, BeforeValidator(_function_glob)]
Waits = Annotated[int, BeforeValidator(_waits)]
Destination = Annotated[str, BeforeValidator(_destination)]


class _Strict(BaseModel):
    """Unknown keys are errors, nothing changes later."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Match(_Strict):
    """Which requests a rule is about: every field given must match, by one of its values.

    Attributes:
        uri: Globs for the path; empty: any.
        method: Methods in upper case; empty: any.
        host: Globs for the host in lower case, without port; empty: any.
        status: Status codes, and classes of them as "2xx"; empty: any.
    """

    uri: OneOrMany[PathGlob] = ()
    method: OneOrMany[Method] = ()
    host: OneOrMany[HostGlob] = ()
    status: OneOrMany[Status] = ()


class FunctionBudget(_Strict):
    """The limits of some functions together with everything they call, at least one.

    Attributes:
        name: Glob for their names, as written.
        time: Wall time in all of them over the whole request, ns.
        waits: How often the request may wait in them.
    """

    name: FunctionGlob
    time: DurationNs | None = None
    waits: Waits | None = None

    @model_validator(mode="after")
    def _has_a_limit(self) -> FunctionBudget:
        if self.time is None and self.waits is None:
            raise ValueError("no limit; give at least one of time and waits")
        return self


class Budget(_Strict):
    """The limits of a rule, at least one; a limit is exceeded by what is greater.

    Attributes:
        duration: Wall time, ns.
        cpu: CPU time, ns.
        memory: Peak memory, bytes.
        function: Limits of functions, in the order of the file.
    """

    duration: DurationNs | None = None
    cpu: DurationNs | None = None
    memory: SizeBytes | None = None
    function: OneOrMany[FunctionBudget] = ()

    @model_validator(mode="after")
    def _has_a_limit(self) -> Budget:
        if not self.limits and not self.function:
            raise ValueError("no limit; give at least one of duration, cpu, memory and function")
        return self

    @property
    def limits(self) -> dict[Metric, int]:
        """The request's own limits that are set, in the metric's unit, in the order duration, cpu, memory."""
        limits = {Metric.DURATION: self.duration, Metric.CPU: self.cpu, Metric.MEMORY: self.memory}
        return {metric: limit for metric, limit in limits.items() if limit is not None}


class Rule(_Strict):
    """One rule.

    Attributes:
        name: Unique among the rules.
        match: Which requests it is about; the default is all of them.
        budget: What such a request may take.
        severity: How bad it is to exceed the budget.
        destinations: Names of those to tell, in order; None: every configured destination.
    """

    name: Annotated[str, BeforeValidator(_name)]
    match: Match = Match()
    budget: Budget
    severity: Annotated[Severity, BeforeValidator(_severity)] = Severity.WARNING
    destinations: OneOrMany[Destination] | None = None


class RulesFile(_Strict):
    """A whole rules file.

    Attributes:
        rule: The [[rule]] tables, in the order of the file.
    """

    rule: tuple[Rule, ...] = ()
