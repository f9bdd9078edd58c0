from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from compassd.signals import Signals
from compassd.thread_death import watch_threads


@pytest.fixture
def signals() -> Iterator[Signals]:
    before = threading.excepthook
    yield Signals()
    threading.excepthook = before


def test_a_thread_that_dies_ends_the_daemon_with_an_error(
    signals: Signals, caplog: pytest.LogCaptureFixture
) -> None:
    def break_down() -> None:
        address = "https://hooks.slack.example/" + "secret"
        raise ZeroDivisionError(address)

    watch_threads(signals.fail)
    thread = threading.Thread(target=break_down, name="clerk")
    thread.start()
    thread.join()
    assert signals.stop
    assert signals.failed
    assert "thread clerk ended by ZeroDivisionError, stopping" in caplog.text
    assert "break_down" in caplog.text
    assert "example/secret" not in caplog.text


def test_a_thread_that_ends_is_nothing_to_tell(signals: Signals, caplog: pytest.LogCaptureFixture) -> None:
    watch_threads(signals.fail)
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()
    assert not signals.stop
    assert not caplog.messages
