"""Suggested rules as a rules file, with the figures behind each."""

from __future__ import annotations

import json
from collections.abc import Iterator

from compassd.trial.suggest import Suggestion, Suggestions, percentile
from compassd.units import format_duration, format_size

_MS, _MIB = 1_000_000, 2**20
_SECOND_MS, _GIB_MIB = 1_000, 1_024


def rules_file(suggestions: Suggestions) -> str:
    """Return the text of a rules file."""
    return (
        "\n".join([*_head(suggestions), *(line for rule in suggestions.rules for line in _rule(rule))]) + "\n"
    )


def _head(found: Suggestions) -> Iterator[str]:
    yield f"# Suggested by `compassd suggest` from {_count(found.requests, 'request')}."
    yield "# A budget is what 99 of 100 requests took at most, with room above it."
    yield "# This is a draft: what was too slow when they were captured is allowed here."
    if found.few:
        yield (
            f"# Left out: {_count(found.few, 'route')} with fewer than {found.min_requests} requests each, "
            f"{_count(found.few_requests, 'request')} together."
        )
    if found.unnamed:
        unnamed = _count(found.unnamed, "request")
        yield f"# Left out: {unnamed} whose method or path no rule can name, or of one route too many."
    if found.died:
        yield f"# Left out: {_count(found.died, 'request')} whose worker died."


def _rule(rule: Suggestion) -> Iterator[str]:
    durations, memory, memory_mib = rule.durations, rule.memory, rule.memory_mib
    yield ""
    yield f"# {rule.method} {rule.route}{f' on {rule.host}' if rule.host else ''}"
    yield f"# {_count(len(durations), 'request')}: " + ", ".join(
        [
            f"half took at most {format_duration(percentile(durations, 50))}",
            f"99% {format_duration(percentile(durations, 99))}",
            f"the longest {format_duration(durations[-1])}",
            *([f"99% needed at most {format_size(percentile(memory, 99))}"] if memory else []),
        ]
    )
    over = sum(each > rule.duration_ms * _MS for each in durations)
    over_memory = sum(each > memory_mib * _MIB for each in memory) if memory_mib else 0
    yield f"# over budget: {over} by time, {over_memory} by memory"
    yield "[[rule]]"
    yield f"name = {_quoted(rule.name)}"
    key = "transaction" if rule.is_transaction else "uri"
    host = f", host = {_quoted(rule.host)}" if rule.host else ""
    yield f"match = {{ {key} = {_quoted(rule.glob)}, method = {_quoted(rule.method)}{host} }}"
    memory_budget = f', memory = "{_memory(memory_mib)}"' if memory_mib else ""
    yield f'budget = {{ duration = "{_duration(rule.duration_ms)}"{memory_budget} }}'
    if rule.overrides:
        yield f"overrides = [{', '.join(map(_quoted, rule.overrides))}]"


def _duration(ms: int) -> str:
    return f"{ms}ms" if ms < _SECOND_MS else f"{ms / _SECOND_MS:g}s"


def _memory(mib: int) -> str:
    return f"{mib // _GIB_MIB}GiB" if mib % _GIB_MIB == 0 else f"{mib}MiB"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _quoted(text: str) -> str:
    # Texts are cleaned of control characters, so that JSON's strings are TOML's.
    return json.dumps(text, ensure_ascii=False)
