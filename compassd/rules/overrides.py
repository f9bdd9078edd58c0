"""Which rules override which: what is wrong with that, over all rules of a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from compassd.rules.positions import KeyPath
from compassd.rules.values import suggestion
from compassd.units import quoted


def override_problems(rules: Sequence[Mapping[str, object]]) -> Iterator[tuple[KeyPath, str]]:
    """Yield the place and the fault of every name that a rule cannot override.

    That is one that no rule has, the rule's own, and one that closes a cycle.

    Args:
        rules: The rules as they are written, so that other problems in them hide none of these.
    """
    names = [name if isinstance(name := rule.get("name"), str) else None for rule in rules]
    known = {name for name in names if name is not None}
    edges: dict[str, list[str]] = {}
    for number, (own, rule) in enumerate(zip(names, rules, strict=True)):
        for at, other in enumerate(_listed(rule.get("overrides"))):
            if not isinstance(other, str):
                continue
            path = ("rule", number, "overrides", at)
            if other == own:
                yield path, f"{quoted(other)} is this rule itself"
            elif other not in known:
                yield path, f"no rule has the name {quoted(other)}{suggestion(other, known)}"
            elif own is not None:
                if found := way(edges, other, own):
                    yield path, f"{quoted(other)} overrides this rule already: {_arrows([own, *found])}"
                else:
                    edges.setdefault(own, []).append(other)


def _listed(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else (value,)


def way(edges: Mapping[str, Sequence[str]], start: str, end: str) -> list[str]:
    """Return a way from the rule start to end through what each overrides; empty if there is none.

    Args:
        edges: By the name of a rule, those that it overrides.
        start: The first name of the way.
        end: Its last.
    """
    before: dict[str, str] = {}
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name == end:
            found = [end]
            while found[0] != start:
                found.insert(0, before[found[0]])
            return found
        for following in edges.get(name, ()):
            if following not in before and following != start:
                before[following] = name
                waiting.append(following)
    return []


def _arrows(names: Sequence[str]) -> str:
    return " → ".join(quoted(name) for name in names)
