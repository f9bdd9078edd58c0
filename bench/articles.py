"""What the benchmark's wiki holds: articles of ordinary size, with a history, always the same ones."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from xml.sax.saxutils import escape

TITLE = "Cartography"

_SEED = 13
_ARTICLES = 40
_REVISIONS = 60
_NAMESPACE = "http://www.mediawiki.org/xml/export-0.11/"
_TEXT = (
    "the of and a to in is was by on from with as for at which map compass needle north chart coast harbour "
    "survey scale meridian latitude longitude projection atlas engraver copper plate sailor voyage river "
    "mountain border province empire century measured drawn printed revised published accurate magnetic "
    "declination observer instrument quadrant sextant triangulation baseline theodolite relief contour legend"
)
_WORDS = _TEXT.split()
_TEMPLATE = (
    '<includeonly>{| class="wikitable"\n! Name !! Value\n|-\n| Year || {{{year|unknown}}}\n|-\n'
    "| Scale || 1 : {{{scale|?}}}\n|-\n| Sheets || {{{sheets|1}}}\n|}</includeonly>"
)


def export(now: datetime) -> str:
    """Return the pages in MediaWiki's export format, the last change of each in the days before now."""
    random_ = random.Random(_SEED)  # noqa: S311 - text, not a secret
    titles = [TITLE, *(f"Sheet {number}" for number in range(1, _ARTICLES))]
    pages = [_page("Template:Map", [_TEMPLATE], now)]
    for index, title in enumerate(titles):
        text = _article(random_, titles, sections=12 if title == TITLE else 4)
        revisions = [text]
        if title == TITLE:
            revisions = [f"{text}\nRevised {number} times.\n" for number in range(_REVISIONS)]
        pages.append(_page(title, revisions, now - timedelta(hours=index)))
    return f'<mediawiki xmlns="{_NAMESPACE}" version="0.11" xml:lang="en">{"".join(pages)}</mediawiki>\n'


def _page(title: str, revisions: list[str], last: datetime) -> str:
    namespace = 10 if title.startswith("Template:") else 0
    head = f"<page><title>{title}</title><ns>{namespace}</ns>"
    body = "".join(
        _revision(text, last - timedelta(minutes=len(revisions) - number), number)
        for number, text in enumerate(revisions)
    )
    return f"{head}{body}</page>\n"


def _revision(text: str, at: datetime, number: int) -> str:
    return (
        f"<revision><timestamp>{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}</timestamp>"
        f"<contributor><username>Editor {number % 7}</username></contributor>"
        f"<comment>Revision {number}</comment><model>wikitext</model><format>text/x-wiki</format>"
        f'<text xml:space="preserve">{escape(text)}</text></revision>'
    )


def _article(random_: random.Random, titles: list[str], sections: int) -> str:
    lines = list(_introduction(random_))
    for number in range(1, sections + 1):
        lines += [f"== Section {number} ==", *_section(random_, titles), ""]
    return "\n".join([*lines, "== References ==", "<references />", "[[Category:Maps]]"])


def _introduction(random_: random.Random) -> Iterator[str]:
    scale = random_.choice([10_000, 25_000, 50_000])
    yield f"{{{{Map|year={random_.randint(1500, 1900)}|scale={scale}|sheets={random_.randint(1, 90)}}}}}"
    yield _sentence(random_)


def _section(random_: random.Random, titles: list[str]) -> Iterator[str]:
    for _ in range(3):
        link = f"[[{random_.choice(titles)}]]"
        note = f"<ref>{_sentence(random_)}</ref>"
        yield f"{_sentence(random_)} ''{_sentence(random_)}'' See {link}.{note} {_sentence(random_)}\n"
    for _ in range(4):
        yield f"* '''{random_.choice(_WORDS)}''': [[{random_.choice(titles)}|{_sentence(random_)}]]"


def _sentence(random_: random.Random) -> str:
    words = random_.choices(_WORDS, k=random_.randint(8, 16))
    return f"{' '.join(words).capitalize()}."
