"""Which breaches stand for an incident: the worst since it began."""

from __future__ import annotations

from collections.abc import Sequence

from compassd.breach import Breach, State
from compassd.notice import MAX_EXEMPLARS


def worst_ratio(breach: Breach) -> float:
    """Return the greatest actual / budget of the exceeded limits, 0 if there is none; a budget of 0 is 1."""
    return max((excess.actual / max(1, excess.budget) for excess in breach.excesses), default=0.0)


def with_breach(exemplars: Sequence[Breach], breach: Breach) -> list[Breach] | None:
    """Return the exemplars with a new breach among them, worst first; None if it is not bad enough.

    Those whose worker died come first, then those with the greatest ratio, then the longest. A breach of the
    same id takes the place of what was told of the request while it ran.
    """
    others = [exemplar for exemplar in exemplars if exemplar.id != breach.id]
    if len(others) >= MAX_EXEMPLARS and _badness(breach) <= _badness(others[-1]):
        return None
    # The sort is stable: of equals the first stays first.
    return sorted([*others, breach], key=_badness, reverse=True)[:MAX_EXEMPLARS]


def _badness(breach: Breach) -> tuple[bool, float, int]:
    return breach.state is State.DIED, worst_ratio(breach), breach.request.duration_ns
