"""Write the table of the role's variables in its README, from its argument_specs; --check only compares.

usage: .venv/bin/python tools/role_readme.py [--check]
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import yaml

ROLE = Path(__file__).resolve().parent.parent / "ansible/roles/compassd"
_BEGIN, _END = "<!-- variables: made by tools/role_readme.py -->\n", "<!-- end of variables -->\n"
# Ansible's markup: C(code), V(value), O(option) and O(option=value).
_MARKUP = re.compile(r"[CVO]\(([^)]*)\)")


def table(options: dict[str, dict[str, Any]]) -> str:
    """Return a Markdown table of options."""
    rows = ["| variable | type | default | what |", "|---|---|---|---|"]
    for name, option in options.items():
        kind = f"list of {option['elements']}" if "elements" in option else option["type"]
        if "choices" in option:
            kind = ", ".join(f"`{choice}`" for choice in option["choices"])
        default = f"`{_as_yaml(option['default'])}`" if "default" in option else ""
        rows.append(f"| `{name}` | {kind} | {default} | {_description(option['description'])} |")
    return "".join(f"{row}\n" for row in rows)


def with_table(readme: str, new: str) -> str:
    """Return the README with another table between the two marks."""
    before, begin, rest = readme.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not (begin and end):
        sys.exit(f"{ROLE / 'README.md'} lacks the marks {_BEGIN.strip()} and {_END.strip()}")
    return f"{before}{begin}{new}{end}{after}"


def _as_yaml(value: object) -> str:
    text: str = yaml.safe_dump(value, default_flow_style=True)
    return text.removesuffix("...\n").strip()


def _description(paragraphs: str | list[str]) -> str:
    text = " ".join([paragraphs] if isinstance(paragraphs, str) else paragraphs)
    return _MARKUP.sub(lambda found: f"`{found[1].replace('=', ': ')}`", text).replace("|", "\\|")


def main(arguments: list[str]) -> int:
    """Write the table, or with --check say whether it is the one."""
    specs = yaml.safe_load((ROLE / "meta/argument_specs.yml").read_text())
    path = ROLE / "README.md"
    old = path.read_text()
    new = with_table(old, table(specs["argument_specs"]["main"]["options"]))
    if arguments != ["--check"]:
        path.write_text(new)
        return 0
    if new != old:
        print(f"{path} is not what meta/argument_specs.yml says; run tools/role_readme.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
