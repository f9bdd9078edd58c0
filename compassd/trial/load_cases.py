"""From a file of tests to its cases, or to everything that is wrong with the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from compassd.rules.explain import Vocabulary, explain
from compassd.rules.positions import KeyPath, Place, Position, locate
from compassd.rules.problems import RulesError
from compassd.rules.source import Source, read_source
from compassd.settings import IncidentSettings
from compassd.trial.cases import AlertCase, Case, CaseFile, FunctionCase, MessageCase, RequestCase

_VOCABULARY = Vocabulary(
    CaseFile,
    {
        "incidents": IncidentSettings,
        "test": Case,
        "request": RequestCase,
        "functions": FunctionCase,
        "alert": AlertCase,
        "message": MessageCase,
    },
    {
        "incidents": 'write for example incidents = { cooldown = "5m" }',
        "test": "write [[test]] above the keys of each test, with two brackets",
        "request": 'write for example request = { uri = "/cart", duration = "2s" }',
        "functions": 'write for example functions = [{ name = "PDO::query", waits = 20 }]',
        "alert": 'write for example alert = { rule = "slow", count = 1 }',
        "message": 'write for example message = { happening = "opened", count = 1 }',
        "breaks": 'write for example breaks = ["slow"], or breaks = [] for none',
        "tags": 'write for example tags = { tenant = "acme" }',
    },
)


@dataclass(frozen=True, slots=True)
class LoadedCases:
    """A file of tests.

    Attributes:
        path: The file.
        cases: What is in it.
    """

    path: Path
    cases: CaseFile
    _source: Source
    _positions: Mapping[KeyPath, Position]

    def place(self, *path: str | int) -> str:
        """Return where something in the file stands, as file:line."""
        position = locate(self._positions, path)
        return f"{self._source.file}:{position.key.line}" if position else self._source.file


def load_cases(path: Path) -> LoadedCases:
    """Read and check a file of tests.

    Raises:
        RulesError: It cannot be used; carries all the problems found, in the order of the file.
    """
    source = read_source(path, "a file of tests", "docs/testing-rules.md says what is in such a file")
    document, positions = source.parse()
    try:
        cases = CaseFile.model_validate(document)
    except ValidationError as error:
        problems = []
        for finding in explain(error, _VOCABULARY):
            position = locate(positions, finding.path)
            place = None if position is None else position.key if finding.at_key else position.value
            problems.append(source.problem(finding.message, place))
        raise RulesError(sorted(problems, key=lambda each: each.place or Place(0, 0))) from None
    return LoadedCases(path, cases, source, positions)
