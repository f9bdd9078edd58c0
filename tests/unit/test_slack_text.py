from __future__ import annotations

import html
import re

from hypothesis import given
from hypothesis import strategies as st

from compassd.destinations.slack_text import code, plain
from lab.hostile import texts

ENTITY_CUT = re.compile(r"&(?!(?:amp|lt|gt);)")


@given(texts, st.integers(min_value=3, max_value=400))
def test_escaped_text_keeps_its_limit_and_its_meaning(text: str, limit: int) -> None:
    for shown in (plain(text, limit), code(text, limit)):
        assert len(shown) <= limit
        assert not re.search("[<>]", shown)
        assert not ENTITY_CUT.search(shown)


def test_text_is_escaped_before_it_is_cut() -> None:
    assert plain("<<<<", 9) == "&lt;&lt;…"
    assert plain("<<<<", 16) == "&lt;" * 4
    assert plain("a<b", 5) == "a…"


def test_what_was_escaped_reads_as_it_was_sent() -> None:
    assert html.unescape(code("/a?b=1&c=<d>&amp;", 100)) == "`/a?b=1&c=<d>&amp;`"
