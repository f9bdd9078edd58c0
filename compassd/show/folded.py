"""Folded stacks: the input of flamegraph.pl, inferno, speedscope and most other viewers.

A line is a stack, root first, frames separated by semicolons, then a space and its own time in microseconds.
Stacks that differ only by line numbers, or by what they waited for, are one, which is what those viewers
expect.
"""

from __future__ import annotations

from compassd.show.branches import Branch, walk

_WAITING = "(waiting)"
_NS_PER_US = 1_000


def folded(root: Branch) -> str:
    """Return the stacks; time off the processor is in a frame "(waiting)" above the function that waited.

    The figures add up to the request's time in whole us: what is lost of one by rounding goes to a later one.
    """
    stacks: dict[str, int] = {}
    for path in walk(root):
        stack = ";".join(_name(branch) for branch in path)
        own = path[-1].own
        unseen_ns = path[-1].own_ns - own.all_ns
        for name, ns in ((stack, own.on_ns + unseen_ns), (f"{stack};{_WAITING}", own.off_ns)):
            if ns:
                stacks[name] = stacks.get(name, 0) + ns
    lines: list[str] = []
    sum_ns = told_us = 0
    for stack, ns in stacks.items():
        sum_ns += ns
        us = sum_ns // _NS_PER_US - told_us
        told_us += us
        if us:
            lines.append(f"{stack} {us}\n")
    return "".join(lines)


def _name(branch: Branch) -> str:
    name = branch.name
    if branch.is_call and name.startswith("{"):
        # {main} and {closure} are in many files.
        name = f"{name} {branch.frame.file}"
    return name.replace(";", ":")
