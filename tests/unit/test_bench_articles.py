from __future__ import annotations

from datetime import UTC, datetime
from xml.etree import ElementTree as ET

from bench.articles import TITLE, export

_NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
_NAMESPACES = {"mw": "http://www.mediawiki.org/xml/export-0.11/"}


def test_the_wiki_always_holds_the_same() -> None:
    assert export(_NOW) == export(_NOW)


def test_the_article_has_a_history_in_the_order_of_time() -> None:
    pages = ET.fromstring(export(_NOW)).findall("mw:page", _NAMESPACES)  # noqa: S314 - our own
    (article,) = (page for page in pages if page.findtext("mw:title", None, _NAMESPACES) == TITLE)
    times = [each.text or "" for each in article.findall("mw:revision/mw:timestamp", _NAMESPACES)]
    assert len(times) == len(set(times)) == 60
    assert times == sorted(times)
    assert times[-1] < "2026-05-04T12:00:00Z"
