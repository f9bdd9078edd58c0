"""What makes breaches the same incident, and how incidents and messages are named."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace

from compassd.breach import Breach
from compassd.calltree import NO_PARENT, CallTree
from compassd.notice import IncidentKey

OTHER = "<other>"


def incident_key(breach: Breach) -> IncidentKey:
    """Return what the breach has in common with others of its incident."""
    return IncidentKey(
        rule=breach.rule,
        host=breach.host,
        pool=breach.request.pool,
        route=breach.route,
        function="" if breach.tree is None else hot_function(breach.tree),
    )


def other_key(key: IncidentKey) -> IncidentKey:
    """Return the key that breaches of key are counted under when there are too many incidents."""
    return replace(key, host=OTHER, route=OTHER, function="")


def rule_key(key: IncidentKey) -> IncidentKey:
    """Return the key that breaches of key are counted under when there are too many of other_key(), too."""
    return replace(other_key(key), pool=OTHER)


def hot_function(tree: CallTree) -> str:
    """Return the function that the tree's hot path ends in, "" if it has none.

    The same as the last of tree.hot_path(), in a tenth of the time: this is asked of every breach.
    """
    nodes = tree.nodes
    # One place more, the last: the parent of the roots is NO_PARENT, which is -1.
    totals = [0] * (len(nodes) + 1)
    heaviest = [NO_PARENT] * (len(nodes) + 1)
    most = [0] * (len(nodes) + 1)
    for index in range(len(nodes) - 1, -1, -1):
        node = nodes[index]
        parent = node.parent
        total = totals[index] + node.on_ns + node.off_ns
        totals[parent] += total
        # Of equals the first, as in the hot path.
        if total >= most[parent]:
            most[parent], heaviest[parent] = total, index
    at, own_ns = NO_PARENT, 0
    while heaviest[at] != NO_PARENT and most[at] > own_ns:
        at = heaviest[at]
        own_ns = nodes[at].self_ns
    return "" if at == NO_PARENT else nodes[at].frame.function


def incident_id(server: str, key: IncidentKey, opened_at: int, breach_id: str) -> str:
    """Return the identifier of the incident that the breach of breach_id began: 32 hexadecimal digits.

    Args:
        server: Name of the machine.
        key: What its breaches have in common.
        opened_at: When it began, Unix time in ns.
        breach_id: Of its first breach.
    """
    return _digest((server, *_parts(key), str(opened_at), breach_id))


def key_id(key: IncidentKey) -> str:
    """Return the identifier of what has this key, whenever it was: 32 hexadecimal digits."""
    return _digest(_parts(key))


def message_id(incident: str, destination: str, number: int) -> str:
    """Return the identifier of the message that tells a destination of an incident for the number-th time.

    The name of the destination is in it: two that are read by the same program are told different figures.
    """
    return f"{incident}-{destination}-{number}"


def digest_id(messages: Iterable[str]) -> str:
    """Return the identifier of the digest that stands for these messages: 32 hexadecimal digits."""
    return _digest(("digest", *messages))


def _parts(key: IncidentKey) -> tuple[str, ...]:
    return (key.rule, key.host, key.pool, key.route, key.function)


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
