"""The table of PHP functions that wait for something with a text."""

from __future__ import annotations

import re
from pathlib import Path

from compassd.waits.functions import FUNCTIONS, kernel_sources, php_hash, wait_function
from compassd.waits.kinds import TextKind


def test_a_function_is_found_by_its_class_and_name() -> None:
    query, prepared = wait_function("mysqli", "query"), wait_function("PDOStatement", "fetchAll")
    assert query is not None
    assert prepared is not None
    assert (query.kind, prepared.kind) == (TextKind.SQL, TextKind.SQL)
    assert query.source != prepared.source
    assert wait_function("", "usleep") is None
    assert wait_function("Repository", "query") is None
    assert wait_function("", "") is None


def test_what_would_show_a_secret_is_excepted_from_its_class() -> None:
    key, secret = wait_function("Redis", "get"), wait_function("Redis", "auth")
    assert key is not None
    assert secret is not None
    assert (key.kind, secret.kind, secret.source) == (TextKind.KEY, None, 0)


def test_hashes_are_phps() -> None:
    # DJBX33A by hand: (5381 * 33 + ord("P")) * 33 + ord("D") and so on; the highest bit is always set.
    pdo = ((5381 * 33 + ord("P")) * 33 + ord("D")) * 33 + ord("O") | 1 << 63
    sources = kernel_sources()
    assert len(sources) == len(FUNCTIONS)
    assert sources.keys() >= {
        (pdo, key) for key in (php_hash("query"), php_hash("exec"), php_hash("prepare"))
    }
    assert php_hash("PDO") == pdo
    assert (php_hash("PDOStatement"), 0) in sources
    assert (0, php_hash("flock")) in sources


def test_the_kernels_map_has_room_for_the_table(root: Path) -> None:
    source = (root / "bpf/walk.c").read_text()
    size = re.search(r"BPF_HASH\(text_sources, struct text_key, u32, (\d+)\)", source)
    assert size is not None
    assert len(kernel_sources()) <= int(size[1])
