"""COMPASS_FORBID_SKIP=1 lets no skip pass for a success."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

FORMS = {
    "mark": "import pytest\n@pytest.mark.skip\ndef test_it(): pass\n",
    "call": "import pytest\ndef test_it(): pytest.skip('no')\n",
    "fixture": "import pytest\n@pytest.fixture\ndef f(): pytest.skip('no')\ndef test_it(f): pass\n",
    "module": "import pytest\npytest.skip('no', allow_module_level=True)\n",
    "ebpf": "import pytest\n@pytest.mark.ebpf\ndef test_it(): pass\n",
}
EXPECTED_FAILURE = "import pytest\n@pytest.mark.xfail\ndef test_it(): assert False\n"


def run(directory: Path, text: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run pytest on one file, with the hooks of tests/conftest.py."""
    (directory / "test_one.py").write_text(text)
    (directory / "pytest.ini").write_text("[pytest]\nmarkers = ebpf: x\n")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider", directory],
        cwd=ROOT,
        env={**os.environ, "COMPASS_SKIP_EBPF": "1", "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS.keys())
def test_a_skip_fails_where_skips_are_forbidden(tmp_path: Path, text: str) -> None:
    done = run(tmp_path, text, COMPASS_FORBID_SKIP="1")
    assert done.returncode in {1, 2}, done.stdout
    assert "was skipped, and COMPASS_FORBID_SKIP=1" in done.stdout


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS.keys())
def test_a_skip_is_a_skip_elsewhere(tmp_path: Path, text: str) -> None:
    done = run(tmp_path, text, COMPASS_FORBID_SKIP="")
    assert "1 skipped" in done.stdout


def test_an_expected_failure_is_no_skip(tmp_path: Path) -> None:
    done = run(tmp_path, EXPECTED_FAILURE, COMPASS_FORBID_SKIP="1")
    assert done.returncode == 0, done.stdout
    assert "1 xfailed" in done.stdout
