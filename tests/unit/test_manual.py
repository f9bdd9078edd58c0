"""Commands taken out of a document."""

from __future__ import annotations

import pytest

from lab.errors import LabError
from lab.manual import Command, plan, read, split_commands

DOCUMENT = """
Before `make all`.

# Set it up

Run `tool --fast`, or `compassd check`; it says `all is
well`, sets `min_hits = 3`, `--json` and `name`.

```sh
compassd check --json   # a comment
# only a comment

cat > file <<'END'
compassd doctor

END
```

## Later

- In a list:

  ```toml
  # compassd run
  key = 1
  ```

    compassd trace

```
compassd show
```

Again `compassd check`, `compassd check --json`, `compassd doctor` and `compassd doctor`.
"""


def test_a_document_is_read_by_sections() -> None:
    before, first, second = read(DOCUMENT)
    assert [section.title for section in (before, first, second)] == ["", "Set it up", "Later"]
    assert [code.language for code in first.code] == [None] * 6 + ["sh"]
    assert second.blocks("toml") == ["# compassd run\nkey = 1\n"]
    assert second.blocks("") == ["compassd trace", "compassd show\n"]
    assert first.quotations() == ["tool --fast", "all is well"]


def test_commands_are_those_of_shell_blocks_and_those_in_the_text() -> None:
    before, first, second = (list(section.commands()) for section in read(DOCUMENT))
    assert before == [Command("make all", mentioned=True)]
    assert first == [
        Command("compassd check", mentioned=True),
        Command("compassd check --json   # a comment"),
        Command("cat > file <<'END'\ncompassd doctor\n\nEND"),
    ]
    assert first[1].words == ["compassd", "check", "--json"]
    assert len(second) == 4


def test_all_is_run_and_what_is_only_mentioned_again_is_not() -> None:
    planned = [[command.text for command in commands] for _, commands in plan(read(DOCUMENT))]
    assert planned == [
        ["make all"],
        ["compassd check --json   # a comment", "cat > file <<'END'\ncompassd doctor\n\nEND"],
        ["compassd doctor"],
    ]


def test_a_block_is_run_again() -> None:
    document = "```sh\nmake\n```\n```sh\nmake\nmake all\n```\n"
    assert [len(commands) for _, commands in plan(read(document))] == [3]


def test_lines_that_belong_together_are_one_command() -> None:
    script = 'one \\\n  --long\ncat <<A <<-"B" > c\n1\nA\n2\nB\ntwo && three\n'
    assert split_commands(script) == [
        "one \\\n  --long",
        'cat <<A <<-"B" > c\n1\nA\n2\nB',
        "two && three",
    ]


@pytest.mark.parametrize(
    ("document", "what"),
    [
        ("# A\n\n# A\n", 'two sections "A"'),
        ("```sh\nmake\n", "does not end"),
        ("```sh\ncat <<END\n```\n", "END does not end"),
    ],
)
def test_a_document_that_is_broken_is_refused(document: str, what: str) -> None:
    with pytest.raises(LabError, match=what):
        [list(section.commands()) for section in read(document)]
