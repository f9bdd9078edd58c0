"""What is told of what the process before has collected, and when it is let go."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import cast

import pytest

from compassd import systemd_service
from compassd.errors import KernelError
from compassd.handover import Handover
from compassd.kernel.assemble import Assembler, RequestParts
from compassd.kernel.inherited import Inherited
from compassd.kernel.layout import Counter
from compassd.kernel.legacy import Legacy
from compassd.kernel.symbols import Symbol
from lab.kernel_records import request_record

_LAYOUT = "ab12"


@dataclass
class _Program:
    """An inherited program."""

    names: dict[int, Symbol] = field(default_factory=dict)
    lost: int = 0
    assembler: Assembler = field(default_factory=Assembler)
    sent: list[bytes] = field(default_factory=list)
    is_closed: bool = False

    def records(self) -> list[bytes]:
        records, self.sent = self.sent, []
        return records

    def symbol(self, key: int) -> Symbol | None:
        return self.names.get(key)

    def unreported(self) -> dict[Counter, int]:
        return {**dict.fromkeys(Counter, 0), Counter.LOST: self.lost}

    def close(self) -> None:
        self.is_closed = True


@dataclass
class _Bench:
    """A handover with what it inherits, the time, and what systemd was asked for."""

    programs: list[_Program]
    time: float = 100.0
    forgotten: list[str] = field(default_factory=list)
    kept: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def open(self) -> Handover:
        for number, _ in enumerate(self.programs):
            own = tuple(os.open(os.devnull, os.O_RDONLY) for _ in range(5))
            self.kept |= Legacy(own[:1], *own[1:]).named(_LAYOUT, f"{number:02x}")
        programs = iter(self.programs)
        return Handover(
            self.kept, _LAYOUT, lambda _legacy: cast("Inherited", next(programs)), lambda: self.time
        )

    def open_descriptors(self) -> list[int]:
        return [number for each in self.kept.values() for number in each if _is_open(number)]


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> _Bench:
    made = _Bench([_Program()])
    monkeypatch.setattr(systemd_service, "forget", made.forgotten.append)
    return made


def _parts(pid: int, start_ns: int = 1) -> RequestParts:
    return RequestParts(request_record(pid=pid, start_ns=start_ns), died=False, tree=None, texts=())


def test_a_request_that_both_programs_tell_of_is_told_once(bench: _Bench) -> None:
    opened = bench.open()
    assert opened.is_first(_parts(1))
    assert not opened.is_first(_parts(1))
    assert opened.is_first(_parts(1, start_ns=2))
    opened.take_over()
    bench.time += 30
    opened.let_go_when_due()
    # Our own record may be read after the other program was let go.
    assert not opened.is_first(_parts(1))


def test_nothing_is_remembered_where_nothing_was_left(bench: _Bench) -> None:
    bench.programs = []
    opened = bench.open()
    opened.take_over()
    assert opened.is_first(_parts(1))
    assert opened.is_first(_parts(1))
    assert bench.forgotten == []


def test_what_was_told_is_forgotten_in_the_end(bench: _Bench) -> None:
    opened = bench.open()
    opened.is_first(_parts(1))
    opened.take_over()
    for _ in range(100):
        bench.time += 1
        opened.let_go_when_due()
    assert opened.is_first(_parts(1))


def test_systemd_forgets_it_once_it_is_told_and_we_detach_it_seconds_later(bench: _Bench) -> None:
    (program,) = bench.programs
    opened = bench.open()
    program.sent = [request_record()]
    assert [(source, records) for source, records in opened.read()] == [
        (program.assembler, [request_record()])
    ]
    opened.let_go_when_due()
    assert bench.forgotten == []
    opened.take_over()
    assert sorted(bench.forgotten) == sorted(bench.kept)
    bench.time += 9
    opened.let_go_when_due()
    assert len(bench.open_descriptors()) == 5
    assert opened.read()
    bench.time += 2
    opened.let_go_when_due()
    assert program.is_closed
    assert bench.open_descriptors() == []
    assert not list(opened.read())
    assert opened.symbol(1) is None


def test_each_of_several_programs_is_asked(bench: _Bench) -> None:
    name = Symbol("usleep", "", "", 1)
    bench.programs = [_Program(lost=2), _Program(names={7: name}, lost=3)]
    opened = bench.open()
    assert len(list(opened.read())) == 2
    assert opened.symbol(7) == name
    assert opened.symbol(8) is None
    assert opened.missed()[Counter.LOST] == 5
    # What they count from now on is counted by our own program, too.
    bench.programs[0].lost += 1
    assert opened.missed()[Counter.LOST] == 5


def test_what_another_release_has_left_is_closed_unread(
    bench: _Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.programs = []
    descriptor = os.open(os.devnull, os.O_RDONLY)
    bench.kept = {"compass.ffff.00.requests": (descriptor,)}
    opened = bench.open()
    assert bench.forgotten == ["compass.ffff.00.requests"]
    assert bench.open_descriptors() == []
    assert "it was of another release" in caplog.text
    assert not list(opened.read())


def test_what_cannot_be_opened_is_closed(bench: _Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.open()

    def refuse(_legacy: Legacy) -> Inherited:
        raise KernelError("it is no ring buffer")

    opened = Handover(bench.kept, _LAYOUT, refuse)
    assert sorted(bench.forgotten) == sorted(bench.kept)
    assert bench.open_descriptors() == []
    assert "it is no ring buffer" in caplog.text
    assert "another release" not in caplog.text
    assert not list(opened.read())
