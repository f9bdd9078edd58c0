"""What it takes to judge a request, by the number of rules. Alone: python -m bench.rule_cost."""

from __future__ import annotations

import gc
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.ratios import Estimate, estimate_mean
from bench.tables import interval, paragraph, table, us
from compassd.request import Request
from compassd.rules.match import RuleSet
from compassd.rules.model import Rule

COUNTS = (1, 10, 100, 1_000)
ROUNDS = 40
_REQUESTS = 500
_GENERAL: Sequence[Mapping[str, object]] = (
    {"budget": {"duration": "2s"}},
    {"match": {"uri_regex": r".*\.php"}, "budget": {"cpu": "500ms"}},
    {"match": {"method": "POST", "not": {"status": "5xx"}}, "budget": {"memory": "256MiB"}},
)
_SEED = 7
_NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class RuleCost:
    """CPU time to judge a request, by the number of rules.

    Attributes:
        elsewhere: Of requests that are about no rule but the general ones, ns.
        there: Of requests that are also about a rule of their own, ns; not for a single rule.
        ratios: Of requests elsewhere, over what a single rule takes.
        noise: That of a single rule over itself.
    """

    elsewhere: Mapping[int, Estimate]
    there: Mapping[int, Estimate]
    ratios: Mapping[int, Estimate]
    noise: Estimate


def measure_rule_cost(rounds: int, say: Callable[[str], None]) -> RuleCost:
    """Judge requests by few and by many rules in turn, in random order."""
    random_ = random.Random(_SEED)  # noqa: S311 - the same requests every time
    few, most = min(COUNTS), max(COUNTS)
    elsewhere = [make_request(most + place) for place in range(_REQUESTS)]
    runs = {("elsewhere", count): (make_rules(count), elsewhere) for count in COUNTS}
    runs["control", few] = (make_rules(few), elsewhere)
    for count in COUNTS[1:]:
        places = [random_.randrange(count - len(_GENERAL)) for _ in range(_REQUESTS)]
        runs["there", count] = (make_rules(count), [make_request(place) for place in places])
    taken: dict[tuple[str, int], list[float]] = {run: [] for run in runs}
    for rules, requests in runs.values():
        _judge(rules, requests)
    for _ in range(rounds):
        for run in random_.sample(sorted(runs), len(runs)):
            taken[run].append(_judge(*runs[run]))
    one = taken["elsewhere", few]
    cost = RuleCost(
        elsewhere={count: estimate_mean(taken["elsewhere", count]) for count in COUNTS},
        there={count: estimate_mean(taken["there", count]) for count in COUNTS[1:]},
        ratios={count: estimate_mean(_ratios(taken["elsewhere", count], one)) for count in COUNTS},
        noise=estimate_mean(_ratios(taken["control", few], one)),
    )
    for count, estimate in cost.elsewhere.items():
        say(f"{count} rules: {us(estimate.value)} a request")
    return cost


def rule_section(cost: RuleCost) -> Iterator[str]:
    """Yield the section of the report."""
    yield "## Judging a request, by the number of rules\n"
    yield paragraph(f"""
        CPU time in compassd of holding a request that was over budget against all rules, without its call
        tree. The first {len(_GENERAL)} rules are about every host and path, each of the others about a path,
        a host, or both, of its own. Every request breaks the first rule; those of the last two columns break
        one of the others, too. {_REQUESTS} requests are judged by each number of rules in turn, in random
        order. The interval is bootstrapped over the rounds. A single rule against itself is the noise floor:
        {cost.noise.value:.3f}, {interval(cost.noise, 3)}.
    """)
    rows = [
        (
            f"{count:,}",
            us(cost.elsewhere[count].value),
            _interval_us(cost.elsewhere[count]),
            f"{cost.ratios[count].value:.2f}",
            us(cost.there[count].value) if count in cost.there else "",
            _interval_us(cost.there[count]) if count in cost.there else "",
        )
        for count in COUNTS
    ]
    head = ("rules", "a request", "interval", "ratio to one rule", "with a rule of its own", "interval")
    yield table(head, rows)


def _interval_us(estimate: Estimate) -> str:
    low, high = us(estimate.low), us(estimate.high)
    return f"{low.removesuffix(' us')} to {high}"


def make_rules(count: int) -> RuleSet:
    """Return so many rules, the general ones first."""
    fields = [*_GENERAL, *(_specific(place) for place in range(count))][:count]
    return RuleSet(
        tuple(Rule.model_validate({"name": f"rule-{number}", **each}) for number, each in enumerate(fields))
    )


def _specific(place: int) -> Mapping[str, object]:
    """Return a rule about one place: a path, a host, a host below a domain and a path, or a regular path."""
    match: Mapping[str, object] = (
        {"uri": f"/shop/section-{place}/**", "method": ["GET", "POST"]},
        {"host": f"site-{place}.example.com"},
        {"host": f"*.customer-{place}.example.net", "uri": "/checkout/**"},
        {"uri_regex": f"/api/v1/resource-{place}/[0-9]+"},
    )[place % 4]
    return {"match": match, "budget": {"duration": "1s", "memory": "64MiB"}}


def make_request(place: int) -> Request:
    """Return a request of three seconds that the rule of this place is about."""
    host, uri = (
        ("www.example.com", f"/shop/section-{place}/item/17?sort=price"),
        (f"site-{place}.example.com", "/articles/2026/how-to-write-a-rule"),
        (f"www.customer-{place}.example.net", "/checkout/payment?step=2"),
        ("api.example.com", f"/api/v1/resource-{place}/4711"),
    )[place % 4]
    return Request(
        pid=1,
        start_ns=place,
        started_at=1_790_000_000 * _NS_PER_S,
        duration_ns=3 * _NS_PER_S,
        cpu_ns=_NS_PER_S // 10,
        memory_peak=2**23,
        status=200,
        id=f"r{place}",
        method="POST",
        host=host,
        uri=uri,
        script="/srv/index.php",
        pool="www",
    )


def _judge(rules: RuleSet, requests: Sequence[Request]) -> float:
    """Return the CPU time a request, ns."""
    gc.collect()
    gc.disable()
    try:
        started = time.thread_time_ns()
        for request in requests:
            rules.evaluate(request, _no_tree)
        return (time.thread_time_ns() - started) / len(requests)
    finally:
        gc.enable()


def _no_tree() -> None:
    """Return the call tree of a request without one."""


def _ratios(values: Sequence[float], base: Sequence[float]) -> list[float]:
    return [value / of_one for value, of_one in zip(values, base, strict=True)]


if __name__ == "__main__":
    sys.stdout.write("\n".join(rule_section(measure_rule_cost(ROUNDS, lambda text: print(text, flush=True)))))
