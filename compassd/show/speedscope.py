"""The file format of https://www.speedscope.app: a flame graph viewer that runs in the browser.

The format is described by https://www.speedscope.app/file-format-schema.json. A call tree has no order of
events, so it is written as samples: a stack, root first, with the time spent in its last frame as weight.
"""

from __future__ import annotations

import json
from typing import Any

from compassd import __version__
from compassd.calltree import Frame
from compassd.show.branches import Branch, walk

SCHEMA = "https://www.speedscope.app/file-format-schema.json"

_WALL, _ON, _OFF = "wall time", "on CPU", "waiting"


def speedscope(root: Branch, name: str) -> str:
    """Return the file: a profile of all time, and one each of time on the processor and off it, in ns."""
    frames: dict[Frame, int] = {}
    samples: dict[str, list[tuple[list[int], int]]] = {_WALL: [], _ON: [], _OFF: []}
    for path in walk(root):
        stack = [frames.setdefault(branch.frame, len(frames)) for branch in path]
        branch = path[-1]
        for kind, ns in ((_WALL, branch.own_ns), (_ON, branch.own.on_ns), (_OFF, branch.own.off_ns)):
            if ns:
                samples[kind].append((stack, ns))
    document = {
        "$schema": SCHEMA,
        "name": name,
        "exporter": f"compassd {__version__}",
        "activeProfileIndex": 0,
        "shared": {"frames": [_frame(frame) for frame in frames]},
        "profiles": [_profile(kind, stacks) for kind, stacks in samples.items() if stacks or kind == _WALL],
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n"


def _frame(frame: Frame) -> dict[str, Any]:
    found: dict[str, Any] = {"name": frame.function or "(unnamed)"}
    if frame.file:
        found["file"] = frame.file
    if frame.line:
        found["line"] = frame.line
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
