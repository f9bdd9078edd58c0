"""Example breaches for tests and the demo."""

from __future__ import annotations

from typing import Any

from compassd.breach import Breach, Excess, Metric, Severity, State, breach_id
from compassd.calltree import CallTree
from compassd.request import Request


def make_request(**changes: Any) -> Request:  # noqa: ANN401 - any field of Request
    """Return a request of 1.24 s to /cart, with some fields changed."""
    fields: dict[str, Any] = {
        "pid": 4711,
        "start_ns": 1_000_000_000,
        "started_at": 1_790_000_000_123_456_789,
        "duration_ns": 1_240_000_000,
        "cpu_ns": 310_000_000,
        "memory_peak": 12 * 2**20,
        "status": 200,
        "id": "req-1",
        "method": "POST",
        "host": "shop.example:8443",
        "uri": "/cart?voucher=SPRING",
        "script": "/srv/shop/index.php",
        "pool": "www",
        "transaction": "cart.show",
        "tags": {"tenant": "acme"},
    }
    return Request(**{**fields, **changes})


def make_breach(  # noqa: PLR0913 - each is a field of its own
    *,
    rule: str = "checkout",
    severity: Severity = Severity.WARNING,
    destinations: tuple[str, ...] = ("ops",),
    excesses: tuple[Excess, ...] = (Excess(Metric.DURATION, 800_000_000, 1_240_000_000),),
    tree: CallTree | None = None,
    state: State = State.FINISHED,
    told_running: bool = False,
    waiting_ns: int | None = None,
    signal: int = 0,
    **changes: Any,  # noqa: ANN401 - any field of Request
) -> Breach:
    """Return a breach of a budget of 800 ms, with some fields of it or of its request changed."""
    request = make_request(**changes)
    return Breach(
        id=breach_id("web1", request, rule),
        rule=rule,
        severity=severity,
        destinations=destinations,
        server="web1",
        request=request,
        excesses=excesses,
        tree=tree,
        state=state,
        told_running=told_running,
        waiting_ns=waiting_ns,
        signal=signal,
    )
