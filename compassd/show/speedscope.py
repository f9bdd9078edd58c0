"""The file format of https://www.speedscope.app: a flame graph viewer that runs in the browser.

The format is described by https://www.speedscope.app/file-format-schema.json. A call tree has no order of
events, so it is written as samples: a stack, root first, with the time spent in its last frame as weight.

A frame has no place for what it waited for but its name. There it does more than be read: the viewer sums up
equal frames, and so the time of one statement over all paths.
"""

from __future__ import annotations

import json
from typing import Any

from compassd import __version__
from compassd.show.branches import Branch, walk
from compassd.text import shorten

SCHEMA = "https://www.speedscope.app/file-format-schema.json"

_WALL, _ON, _OFF = "wall time", "on CPU", "waiting"
_MAX_WAITED_FOR = 200  # characters in a name

_Key = tuple[str, str, int]


def speedscope(root: Branch, name: str) -> str:
    """Return the file: a profile of all time, and one each of time on the processor and off it, in ns."""
    frames: dict[_Key, int] = {}
    samples: dict[str, list[tuple[list[int], int]]] = {_WALL: [], _ON: [], _OFF: []}
    for path in walk(root):
        stack = [frames.setdefault(_key(branch), len(frames)) for branch in path]
        branch = path[-1]
        for kind, ns in ((_WALL, branch.own_ns), (_ON, branch.own.on_ns), (_OFF, branch.own.off_ns)):
            if ns:
                samples[kind].append((stack, ns))
    document = {
        "$schema": SCHEMA,
        "name": name,
        "exporter": f"compassd {__version__}",
        "activeProfileIndex": 0,
        "shared": {"frames": [_frame(key) for key in frames]},
        "profiles": [_profile(kind, stacks) for kind, stacks in samples.items() if stacks or kind == _WALL],
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n"


def _key(branch: Branch) -> _Key:
    text = f": {shorten(branch.waited_for, _MAX_WAITED_FOR)}" if branch.waited_for else ""
    return f"{branch.name}{text}", branch.frame.file, branch.frame.line


def _frame(key: _Key) -> dict[str, Any]:
    name, file, line = key
    found: dict[str, Any] = {"name": name}
    if file:
        found["file"] = file
    if line:
        found["line"] = line
    return found


def _profile(name: str, samples: list[tuple[list[int], int]]) -> dict[str, Any]:
    return {
        "type": "sampled",
        "name": name,
        "unit": "nanoseconds",
        "startValue": 0,
        "endValue": sum(ns for _, ns in samples),
        "samples": [stack for stack, _ in samples],
        "weights": [ns for _, ns in samples],
    }
