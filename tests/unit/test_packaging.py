"""What packages install, as far as it shows without building them; tests/deb.sh installs them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from compassd.rules.load import load_file
from compassd.settings import load_settings

ROOT = Path(__file__).parents[2]
DEB = ROOT / "packaging" / "deb"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_the_default_settings_and_rules_are_fine() -> None:
    settings = load_settings(ROOT / "packaging/etc/compassd.toml")
    assert [destination.type for destination in settings.destinations.values()] == ["journald"]
    loaded = load_file(ROOT / "packaging/etc/rules.toml", settings.destinations, sampling=settings.sampling)
    assert not loaded.warnings(settings.destinations, 0)


def test_the_defaults_are_fine_with_what_is_commented_out(tmp_path: Path) -> None:
    for name in ("compassd.toml", "rules.toml"):
        text = (ROOT / "packaging/etc" / name).read_text()
        (tmp_path / name).write_text(re.sub(r"^#(?! |$)", "", text, flags=re.MULTILINE))
    with (tmp_path / "compassd.toml").open("rb") as file:
        destinations = tomllib.load(file)["destinations"]
    assert sorted(destinations) == ["alerts", "journal", "slack", "webhook"]
    load_file(tmp_path / "rules.toml", destinations, sampling=True)


def test_the_package_depends_on_what_the_project_depends_on() -> None:
    needed = {f"python3-{re.split('[>=]', each)[0]}" for each in PROJECT["project"]["dependencies"]}
    depends = (DEB / "control").read_text() + (DEB / "rules").read_text()
    assert needed <= set(re.findall(r"python3-[a-z-]+", depends))


def test_what_is_bundled_is_pinned_and_new_enough() -> None:
    pins = dict(
        re.findall(
            r"^([a-z-]+)==([0-9.]+) \\\n {4}--hash=sha256:[0-9a-f]{64}$",
            (DEB / "requirements.txt").read_text(),
            re.MULTILINE,
        )
    )
    wanted = dict(
        each.split(">=") for each in PROJECT["project"]["dependencies"] if each.startswith("pydantic")
    )
    assert set(wanted) < set(pins)
    for name, version in wanted.items():
        assert tuple(map(int, pins[name].split("."))) >= tuple(map(int, version.split(".")))
