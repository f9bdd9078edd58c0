"""Text as attackers send it, and breaches full of it: what the property tests draw from."""

from __future__ import annotations

from hypothesis import strategies as st

from compassd.breach import Breach, Excess, Metric, Severity, State
from compassd.text import clean
from lab.breaches import make_breach
from lab.call_trees import call_trees

ATTACKS = (
    "<!channel>",
    "<!here|here>",
    "<@U024BE7LH>",
    "<https://evil.example|click>",
    "@channel",
    "@here",
    "&lt;!channel&gt;",
    "&<>",
    "`*bold*`",
    "```",
    "*a* _b_ ~c~ :joy:",
    "\nCOMPASS_RULE=forged\n",
    "\x1b[2J\x07\x00",
    "\u202egnp.exe\u2066",
    "\u200b\ufeff\u2028",
    "&amp;" * 2_000,
    "<" * 3_000,
    '"\\' * 3_000,
    "/" + "a" * 65_536,
    "\N{GRINNING FACE}" * 2_000,
)

texts = st.lists(st.sampled_from(ATTACKS) | st.text(max_size=50), max_size=4).map("".join)
"""What a client wrote."""

raw_bytes = st.lists(st.binary(max_size=50) | st.sampled_from(ATTACKS).map(str.encode), max_size=4).map(
    b"".join
)
"""What a client sent."""

cleaned = raw_bytes.map(lambda raw: clean(raw, 65_536))
"""What arrives in a Request, as the decoder of the kernel's records cleans it."""

_amounts = st.integers(min_value=0, max_value=2**62)
_OF_REQUESTS = (Metric.DURATION, Metric.CPU, Metric.MEMORY, Metric.WAITS)
_OF_FUNCTIONS = (Metric.FUNCTION_TIME, Metric.FUNCTION_WAITS)


def breaches(strings: st.SearchStrategy[str] = cleaned) -> st.SearchStrategy[Breach]:
    """Return a strategy for breaches in which a client chose every text."""
    excesses = st.builds(Excess, st.sampled_from(_OF_REQUESTS), _amounts, _amounts) | st.builds(
        Excess, st.sampled_from(_OF_FUNCTIONS), _amounts, _amounts, strings.filter(bool)
    )
    return st.builds(
        make_breach,
        state=st.sampled_from(State),
        told_running=st.booleans(),
        waiting_ns=st.none() | _amounts,
        signal=st.integers(min_value=0, max_value=99),
        rule=strings,
        severity=st.sampled_from(Severity),
        tree=st.none() | call_trees(strings),
        excesses=st.lists(excesses, min_size=1, max_size=30).map(tuple),
        pid=st.integers(min_value=1, max_value=2**22),
        started_at=st.integers(min_value=0, max_value=2**62),
        duration_ns=_amounts,
        cpu_ns=st.none() | _amounts,
        memory_peak=st.none() | _amounts,
        status=st.none() | st.integers(min_value=0, max_value=999),
        id=strings,
        method=st.sampled_from(("GET", "POST")) | strings,
        host=st.sampled_from(("shop.example", "[::1]:80", "a:b:c", ":99999", "[]:1", "x:0")) | strings,
        uri=strings,
        uri_cut=st.booleans(),
        script=strings,
        pool=strings,
        transaction=strings,
        tags=st.dictionaries(strings, strings, max_size=20),
    )
