#!/usr/bin/env bash
# What can differ between Debian releases: the compiler, PHP, bcc and Python. Runs inside Debian 13, as root, on its
# own Python packages, as the .deb does there. See tools/in-debian.sh.
set -euo pipefail

cd "$(dirname "$0")/.."
tools/deps.sh python3-pytest python3-pytest-timeout python3-hypothesis python3-jsonschema python3-pyelftools \
	python3-pydantic python3-pydantic-settings python3-requests python3-rich python3-sqlparse
make test-phpt lab-programs tracefs
# The reference implementation of Standard Webhooks is not in Debian. Debian 12's run compares with it.
ignored=()
while IFS= read -r file; do
	ignored+=("--ignore=$file")
done < <(grep -rlE '^(from|import) standardwebhooks' tests || true)
# These prove how messages are kept and sent, over minutes, and do the same everywhere.
for name in killed_daemon kills misbehaving_receivers storms; do
	ignored+=("--ignore=tests/integration/test_$name.py")
done
pytest-3 -p no:cacheprovider "${ignored[@]}" tests/unit tests/integration
