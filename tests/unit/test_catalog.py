"""The journal's catalog against what is written to the journal."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from compassd.destinations import journald

CATALOG = Path(__file__).parents[2] / "packaging" / "catalog" / "compassd.catalog"
WRITTEN = {*journald.MESSAGE_IDS.values(), journald.SUMMARY_ID, journald.TEST_ID}


def test_there_is_a_text_about_every_kind_of_entry_and_no_other() -> None:
    ids = re.findall(r"^-- (\S+)$", CATALOG.read_text(), re.MULTILINE)
    assert sorted(ids) == sorted(WRITTEN)


def test_the_fields_it_shows_are_written() -> None:
    shown = set(re.findall(r"@([A-Z_]+)@", CATALOG.read_text()))
    documented = set(re.findall(r"\bCOMPASS_[A-Z_]+\b", journald.__doc__ or ""))
    assert shown
    assert shown <= documented


def test_the_journal_reads_it(tmp_path: Path) -> None:
    for directory in ("usr/lib/systemd/catalog", "var/lib/systemd/catalog"):
        (tmp_path / directory).mkdir(parents=True)
    (tmp_path / "usr/lib/systemd/catalog/compassd.catalog").write_bytes(CATALOG.read_bytes())
    root = f"--root={tmp_path}"
    subprocess.run(["journalctl", root, "--update-catalog"], check=True)
    listed = subprocess.run(
        ["journalctl", root, "--list-catalog"], capture_output=True, text=True, check=True
    )
    assert {line.split()[0] for line in listed.stdout.splitlines()} == WRITTEN
