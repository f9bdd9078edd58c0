"""What a rule is.

The models turn every value into what the rest works with: durations into ns, sizes into bytes, single values
into tuples. compassd.rules.values says what a value may be.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator

from compassd.breach import Gate, Metric, Severity
from compassd.rules.values import (
    Destination,
    EscalateRatio,
    Expiry,
    FunctionGlob,
    HostGlob,
    Method,
    MinHits,
    MinRate,
    Name,
    OneOrMany,
    PathGlob,
    PathRegexText,
    Reason,
    RouteName,
    SeverityName,
    Status,
    Tags,
    TextGlob,
    Waits,
)
from compassd.units import DurationNs, SizeBytes


class _Strict(BaseModel):
    """Unknown keys are errors, nothing changes later."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Conditions(_Strict):
    """What is said of a request: every field given must match, by one of its values.

    Attributes:
        uri: Globs for the path; empty: any.
        uri_regex: Regular expressions for the whole path; empty: any.
        method: Methods in upper case; empty: any.
        host: Globs for the host in lower case, without port; empty: any.
        status: Status codes, and classes of them as "2xx"; empty: any.
        pool: Globs for the FPM pool; empty: any.
        transaction: Globs for the route that the application named; empty: any.
        tags: Globs for the values of tags, by their names; each must be there and match.
    """

    uri: OneOrMany[PathGlob] = ()
    uri_regex: OneOrMany[PathRegexText] = ()
    method: OneOrMany[Method] = ()
    host: OneOrMany[HostGlob] = ()
    status: OneOrMany[Status] = ()
    pool: OneOrMany[TextGlob] = ()
    transaction: OneOrMany[TextGlob] = ()
    tags: Tags = Field(default_factory=dict)


class Exclusion(Conditions):
    """What a match leaves out: at least one field, as without any it would leave out everything."""

    @model_validator(mode="after")
    def _says_something(self) -> Exclusion:
        if not self.model_fields_set:
            raise ValueError("is empty, which would leave out every request; say which")
        return self


class Match(Conditions):
    """Which requests a rule is about.

    Attributes:
        not_: None of these may match.
    """

    not_: OneOrMany[Exclusion] = Field(default=(), alias="not")


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
        waits: How often the request may wait, for whatever.
        function: Limits of functions, in the order of the file.
    """

    duration: DurationNs | None = None
    cpu: DurationNs | None = None
    memory: SizeBytes | None = None
    waits: Waits | None = None
    function: OneOrMany[FunctionBudget] = ()

    @model_validator(mode="after")
    def _has_a_limit(self) -> Budget:
        if not self.limits and not self.function:
            raise ValueError("no limit; give at least one of duration, cpu, memory, waits and function")
        return self

    @property
    def limits(self) -> dict[Metric, int]:
        """The request's own limits that are set, in the metric's unit, in the order of the fields."""
        limits = {
            Metric.DURATION: self.duration,
            Metric.CPU: self.cpu,
            Metric.MEMORY: self.memory,
            Metric.WAITS: self.waits,
        }
        return {metric: limit for metric, limit in limits.items() if limit is not None}


class RuleException(_Strict):
    """Requests that a rule is about and that may exceed its budget all the same.

    Attributes:
        match: Which.
        reason: Why, for people.
        name: What to call it, None if it has no name.
        expires: From when on it holds no longer, Unix time in ns; None: never.
    """

    match: Match
    reason: Reason
    name: Name | None = None
    expires: Expiry | None = None

    @model_validator(mode="after")
    def _says_something(self) -> RuleException:
        if not self.match.model_fields_set:
            raise ValueError("match is empty, which would except every request; say which")
        return self


class Rule(_Strict):
    """One rule.

    Attributes:
        name: Unique among the rules.
        match: Which requests it is about; the default is all of them.
        budget: What such a request may take.
        severity: How bad it is to exceed the budget.
        escalate_ratio: From so many times a limit on it is one step worse; None: never.
        destinations: Names of those to tell, in order; None: every configured destination.
        overrides: Names of rules that are not asked about what this one is about.
        exceptions: Requests that may exceed the budget all the same.
        min_hits: How many breaches within the time it takes until they are told.
        min_rate: How many breaches per finished request within the time it takes, 0 to 1; None: any.
        within: That time, ns; None: a minute.
    """

    name: Name
    match: Match = Match()
    budget: Budget
    severity: SeverityName = Severity.WARNING
    escalate_ratio: EscalateRatio | None = None
    destinations: OneOrMany[Destination] | None = None
    overrides: OneOrMany[Name] = ()
    exceptions: OneOrMany[RuleException] = Field(default=(), alias="exception")
    min_hits: MinHits = 1
    min_rate: MinRate | None = None
    within: DurationNs | None = None

    @model_validator(mode="after")
    def _within_is_of_use(self) -> Rule:
        if self.within is not None and not self.model_fields_set & {"min_hits", "min_rate"}:
            raise ValueError(
                "within is of no use without min_hits or min_rate; give one of them, or leave it out"
            )
        return self

    @property
    def gate(self) -> Gate:
        """How many breaches it takes until they are told."""
        within_ns = Gate().within_ns if self.within is None else self.within
        return Gate(self.min_hits, within_ns, self.min_rate)


class Route(_Strict):
    """What to call the requests of some paths, where the application does not say.

    Attributes:
        match: Globs for the path.
        name: The route, such as "/blog/{slug}".
        host: Globs for the host in lower case, without port; empty: any.
    """

    match: OneOrMany[PathGlob]
    name: RouteName
    host: OneOrMany[HostGlob] = ()


class RulesFile(_Strict):
    """A whole rules file.

    Attributes:
        rule: The [[rule]] tables, in the order of the file.
        route: The [[route]] tables, likewise; the first that is about a request names it.
    """

    rule: tuple[Rule, ...] = ()
    route: tuple[Route, ...] = ()
