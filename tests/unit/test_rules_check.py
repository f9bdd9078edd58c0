from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from compassd.rules.check import check


def run(path: Path, known: set[str] | None = None, *, strict: bool = False) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    report = check(path, known, now_ns=0, strict=strict)
    report.print(out, err)
    return int(not report.ok), out.getvalue(), err.getvalue()


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "rules.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_good_file_gets_one_line_on_out(tmp_path: Path) -> None:
    path = write(tmp_path, '[[rule]]\nname = "a"\nbudget.cpu = "1s"\n')
    assert run(path) == (0, f"{path}: 1 rule, ok\n", "")
    path = write(
        tmp_path, '[[rule]]\nname = "a"\nbudget.cpu = "1s"\n[[rule]]\nname = "b"\nbudget.memory = "1MB"\n'
    )
    assert run(path) == (0, f"{path}: 2 rules, ok\n", "")


def test_every_problem_is_shown_with_its_line_and_a_caret_then_counted(tmp_path: Path) -> None:
    path = write(tmp_path, '[[rule]]\nname = "a"\n\tbudget = { cpu = "1 sec" }\nseverty = "info"\n')
    assert run(path) == (
        1,
        "",
        f'{path}:3:19: rule "a": budget.cpu: "1 sec" is not a duration; '
        'write for example "800ms" or "1.5s" [R208]\n'
        '     budget = { cpu = "1 sec" }\n'
        "                      ^\n"
        f'{path}:4:1: rule "a": unknown key "severty"; did you mean "severity"? [R101]\n'
        '    severty = "info"\n'
        "    ^\n"
        f"{path}: 2 problems\n",
    )


def test_a_problem_of_the_whole_file_has_no_place_but_a_hint(tmp_path: Path) -> None:
    path = write(tmp_path, "")
    hint = "hint: rules.example.toml shows every kind of rule\n"
    assert run(path) == (1, "", f"{path}: no rules [R005]\n{hint}{path}: 1 problem\n")


def test_destinations_are_checked_against_the_known_ones(tmp_path: Path) -> None:
    path = write(tmp_path, '[[rule]]\nname = "a"\nbudget.cpu = "1s"\ndestinations = "slak"\n')
    assert run(path)[0] == 0
    assert run(path, {"slak"})[0] == 0
    status, out, err = run(path, {"slack"})
    assert (status, out) == (1, "")
    assert 'rule "a": destinations: no destination "slak" is configured; did you mean "slack"?' in err


def test_unprintable_characters_of_the_file_are_not_printed(tmp_path: Path) -> None:
    path = tmp_path / "ru\x1bles\n.toml"
    path.write_bytes(b'[[rule]]\nname = "\\u001b[31m"\nbu\x1b = 1\n')
    _, _, err = run(path)
    assert err
    assert all(line.isprintable() for line in err.removesuffix("\n").split("\n"))
    path.write_bytes('[[rule]]\nname = "a\u202e"\nbudget = { cpu = "\u202e" }\n'.encode())
    _, _, err = run(path)
    assert "3 problems" not in err
    assert "2 problems" in err
    assert all(line.isprintable() for line in err.removesuffix("\n").split("\n"))


def test_a_very_long_line_is_shown_around_the_place(tmp_path: Path) -> None:
    padding = ", ".join(f'"/{n:04}"' for n in range(500))
    path = write(
        tmp_path,
        f'[[rule]]\nname = "a"\nbudget.cpu = "1s"\nmatch = {{ uri = [{padding}, "bad", {padding}] }}\n',
    )
    _, _, err = run(path)
    _, line, caret, _ = err.splitlines()
    assert len(line) < 120
    assert line[caret.index("^") :].startswith('"bad"')


NEEDLESS = '[[rule]]\nname = "a"\nbudget.cpu = "1s"\n[[rule]]\nname = "b"\nbudget.cpu = "1s"\n'


def test_warnings_are_shown_like_errors_and_the_file_is_fine(tmp_path: Path) -> None:
    path = write(tmp_path, NEEDLESS)
    assert run(path) == (
        0,
        f"{path}: 2 rules, 1 warning, ok\n",
        f'{path}:4:3: warning: rule "b": tells the same as rule "a"; take one of them out [R502]\n'
        "    [[rule]]\n"
        "      ^\n",
    )


def test_where_warnings_count_the_file_is_not_fine(tmp_path: Path) -> None:
    path = write(tmp_path, NEEDLESS)
    status, out, err = run(path, strict=True)
    assert (status, out, err.splitlines()[-1]) == (1, "", f"{path}: 1 warning")
    document = as_json(path, strict=True)
    assert (document["ok"], document["rules"]) == (False, 2)


def test_programs_are_told_of_warnings(tmp_path: Path) -> None:
    document = as_json(write(tmp_path, NEEDLESS))
    assert (document["ok"], document["rules"]) == (True, 2)
    (problem,) = document["problems"]
    assert (problem["code"], problem["severity"], problem["rule"]) == ("R502", "warning", "b")
    assert (problem["line"], problem["column"]) == (4, 3)


def as_json(path: Path, *, strict: bool = False) -> dict[str, Any]:
    out = io.StringIO()
    check(path, now_ns=0, strict=strict).print_json(out)
    document: dict[str, Any] = json.loads(out.getvalue())
    return document


def test_programs_get_every_problem_with_its_place_and_its_code(tmp_path: Path) -> None:
    path = write(tmp_path, '[[rule]]\nname = "a"\nbudget = {}\n[[rule]]\nbudget.cpu = "1s"\nseverty = 1\n')
    assert as_json(path) == {
        "ok": False,
        "rules": 0,
        "problems": [
            {
                "code": "R301",
                "severity": "error",
                "file": str(path),
                "line": 3,
                "column": 10,
                "rule": "a",
                "message": "budget: no limit; give at least one of duration, cpu, memory, waits and function",
            },
            {
                "code": "R102",
                "severity": "error",
                "file": str(path),
                "line": 4,
                "column": 3,
                "rule": None,
                "message": 'missing key "name"',
            },
            {
                "code": "R101",
                "severity": "error",
                "file": str(path),
                "line": 6,
                "column": 1,
                "rule": None,
                "message": 'unknown key "severty"; did you mean "severity"?',
            },
        ],
    }


def test_programs_get_the_hint_of_a_problem_without_a_place(tmp_path: Path) -> None:
    assert as_json(tmp_path / "missing") == {
        "ok": False,
        "rules": 0,
        "problems": [
            {
                "code": "R001",
                "severity": "error",
                "file": str(tmp_path / "missing"),
                "line": None,
                "column": None,
                "rule": None,
                "message": "no such file",
                "hint": "rules.example.toml shows every kind of rule",
            }
        ],
    }


def test_programs_are_told_of_a_good_file(tmp_path: Path) -> None:
    path = write(tmp_path, '[[rule]]\nname = "a"\nbudget.cpu = "1s"\n')
    assert as_json(path) == {"ok": True, "rules": 1, "problems": []}
