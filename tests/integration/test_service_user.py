"""What root finds out about another user's rights."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from compassd import service_user
from compassd.service_user import as_service_user

pytestmark = pytest.mark.ebpf  # not for eBPF's sake: it takes root


def test_a_file_of_roots_is_not_for_the_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_user, "USER", "nobody")
    file = tmp_path / "key.pem"
    file.write_text("secret")
    file.chmod(0o600)
    before = os.getresuid(), os.getresgid(), os.getgroups()
    with pytest.raises(PermissionError), as_service_user():
        file.read_text()
    assert (os.getresuid(), os.getresgid(), os.getgroups()) == before
    assert file.read_text() == "secret"


def test_without_that_user_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_user, "USER", "nobody-of-this-name")
    with as_service_user():
        assert os.geteuid() == 0


def test_who_is_not_root_stays_who_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_user, "USER", "nobody")
    with as_service_user():
        uid = os.geteuid()
        with as_service_user():
            assert os.geteuid() == uid != 0
        assert os.geteuid() == uid
