"""Run tests of rules: put requests through rules and incidents, and compare with what is expected."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from compassd.breach import State
from compassd.calltree import NO_PARENT, CallTree, Frame, Node
from compassd.capture import CapturedRequest, open_capture
from compassd.rules.match import RuleSet
from compassd.trial.cases import Case, RequestCase
from compassd.trial.compare import Outcome, unknown_rules, unmet_expectations
from compassd.trial.load_cases import LoadedCases
from compassd.trial.simulation import Simulation
from compassd.trial.written import written_request


@dataclass(frozen=True, slots=True)
class Failure:
    """An expectation that was not met.

    Attributes:
        place: Where it is written, file:line.
        test: Name of the test.
        expected: In words.
        got: What there was instead, a line each.
    """

    place: str
    test: str
    expected: str
    got: tuple[str, ...]


def run_case(
    loaded: LoadedCases, number: int, ruleset: RuleSet, destinations: Sequence[str]
) -> list[Failure]:
    """Run one test and return what failed, in the order of the file.

    Args:
        loaded: The file.
        number: Index of the test in it.
        ruleset: The rules.
        destinations: Whom to tell where a rule does not say.

    Raises:
        CompassError: The capture cannot be read.
    """
    case = loaded.cases.tests[number]
    known = {rule.name for rule in ruleset.rules}
    unmet = list(unknown_rules(case, known)) or unmet_expectations(
        case, _run(loaded, case, ruleset, destinations)
    )
    return [
        Failure(loaded.place("test", number, *each.path), case.name, each.expected, tuple(each.got))
        for each in unmet
    ]


def _run(loaded: LoadedCases, case: Case, ruleset: RuleSet, destinations: Sequence[str]) -> Outcome:
    outcome = Outcome(case.start)
    simulation = Simulation(
        ruleset,
        loaded.cases.incidents,
        destinations,
        lambda at, message: outcome.messages.append((at, message)),
    )
    with ExitStack() as stack:
        requests: Iterator[tuple[int, CapturedRequest]]
        if case.capture is None:
            requests = iter(_written(case))
        else:
            capture = stack.enter_context(open_capture(str(loaded.path.parent / case.capture)))
            requests = ((0, captured) for captured in capture)
        for table, captured in requests:
            outcome.breaches.append((table, simulation.feed(captured)))
    simulation.finish()
    return outcome


def _written(case: Case) -> list[tuple[int, CapturedRequest]]:
    """Return the requests of a test with the indices of their tables, in the order in which they end."""
    requests = [
        (table, _request(case, request, nth, number=(table << 20) + nth))
        for table, request in enumerate(case.requests)
        for nth in range(request.times)
    ]
    return sorted(requests, key=lambda pair: pair[1].request.started_at + pair[1].request.duration_ns)


def _request(case: Case, request: RequestCase, nth: int, number: int) -> CapturedRequest:
    captured = written_request(
        uri=request.uri,
        method=request.method,
        host=request.host,
        status=None if request.died else request.status,
        duration_ns=request.duration,
        cpu_ns=request.cpu,
        memory_peak=request.memory,
        pool=request.pool,
        transaction=request.transaction,
        tags=request.tags,
        tree=_tree(request),
        at_ns=case.start + request.at + nth * request.every,
        number=number,
    )
    return replace(captured, state=State.DIED if request.died else State.FINISHED)


def _tree(request: RequestCase) -> CallTree:
    """Return a call tree in which the script calls one function after the other."""
    inside = sum(function.waits for function in request.functions)
    waits = inside if request.waits is None else request.waits
    nodes = [Node(Frame("{main}", "/index.php", 1), NO_PARENT, 0, 0, waits - inside)]
    nodes += [
        Node(Frame(function.name, "", 0), 0, 0, function.time, function.waits)
        for function in request.functions
    ]
    return CallTree(duration_ns=request.duration, nodes=tuple(nodes))
