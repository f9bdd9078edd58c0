# Everything a developer runs. Each target sets up what it needs and is quick the second time.
# On a fresh Debian 12 or 13, as root: apt-get update && apt-get install make && make demo

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
.DELETE_ON_ERROR:
# Targets share apt's lock, the kernel's counters and the terminal. The extension's own build is parallel.
.NOTPARALLEL:

PYTHON := .venv/bin/python
# Where Debian has pydantic 2 and the rest (13), the tests can run on its own packages: PYTEST=pytest-3.
PYTEST ?= .venv/bin/pytest

# opcache comes with php-cli. The tests start a journald of their own, and a MariaDB: mariadb-server-core has the
# program without the service. They complete command lines in zsh, and read manual pages. Ansible's apt module needs
# python3-apt.
PACKAGES := php-fpm php-cli php-dev php-sqlite3 php-curl php-mysql php-redis python3-bpfcc python3-systemd python3-venv \
	build-essential systemtap-sdt-dev clang-format shellcheck bpftrace valgrind libfcgi-bin systemd curl \
	mariadb-server-core man-db zsh python3-apt

# Unpacked for the tests without being installed: it would start a service and leave it running.
LAB_UNPACKED := prometheus-alertmanager

# For the benchmark: what its application needs, and what is unpacked without being installed, because it would
# bring a web server along or be on in every PHP of the machine.
BENCH_PACKAGES := php-apcu php-intl php-mbstring php-mysql php-xml mariadb-server-core bpftool
BENCH_UNPACKED := mediawiki mediawiki-classes php-excimer php-xdebug

DEBIANS := bookworm trixie

PHP_VERSIONS = $(sort $(patsubst /usr/bin/php-config%,%,$(wildcard /usr/bin/php-config[0-9]*.[0-9]*)))
EXTENSIONS = $(PHP_VERSIONS:%=build/php-%/modules/compass.so)
EXTENSION_SOURCES = $(wildcard extension/*.c extension/*.h extension/config.m4 extension/build.sh) bpf/compass_abi.h
C_SOURCES = $(wildcard extension/*.c extension/*.h bpf/*.c bpf/*.h)
SCRIPTS = .ci/run $(wildcard *.sh */*.sh */*/*.sh packaging/deb/*.p*inst packaging/deb/*.p*rm)

.PHONY: help
help: ## Show this.
	@sed -En 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 20

.PHONY: deps
deps: ## Install the Debian packages that are missing (root).
	@tools/deps.sh $(PACKAGES)

.PHONY: venv
venv: .venv/.stamp ## Create .venv with the development tools.

# Debian's own interpreter and packages, because bcc and systemd's binding come from there.
.venv/.stamp: pyproject.toml | deps
	test -x $(PYTHON) || /usr/bin/python3 -m venv --system-site-packages .venv
	.venv/bin/pip install --quiet -e '.[dev]'
	touch $@

# Made by a second make: on the first run deps has only now installed the PHP versions to build for.
.PHONY: extension
extension: deps ## Build the extension for every PHP version installed, into build/.
	@$(MAKE) build-extensions

.PHONY: build-extensions
build-extensions: $(EXTENSIONS)

build/php-%/modules/compass.so: $(EXTENSION_SOURCES)
	extension/build.sh --version $* build/php-$*
	touch $@

.PHONY: lab-programs
lab-programs: ## Unpack the servers that the tests start, into build/lab.
	@tools/unpack.sh build/lab $(LAB_UNPACKED)

.PHONY: demo
demo: venv tracefs ## Serve slow pages and show who is told what.
	@$(PYTHON) -m lab.demo

.PHONY: bench
bench: venv tracefs ## Measure what Compass costs, into docs/benchmarks.md (root); QUICK=1, ONLY=delivery,rules.
	@tools/deps.sh $(BENCH_PACKAGES)
	@tools/unpack.sh build/bench $(BENCH_UNPACKED)
	@$(PYTHON) -m bench $(if $(QUICK),--quick) $(if $(ONLY),--only $(ONLY))

.PHONY: test
test: venv extension lab-programs tracefs ## Run every test: PHPT, valgrind, unit, integration.
	@$(MAKE) test-phpt test-valgrind
	$(PYTEST)

.PHONY: test-unit
test-unit: venv ## Run the unit tests: no root, no PHP.
	$(PYTEST) tests/unit

.PHONY: test-phpt
test-phpt: extension ## Run the extension's PHPTs on every PHP version installed.
	@for version in $(PHP_VERSIONS); do tools/phpt.sh "$$version"; done

.PHONY: test-valgrind
test-valgrind: extension
	@for extension in $(EXTENSIONS); do extension/tests/valgrind.sh "$$extension"; done

.PHONY: trixie
trixie: ## Run the tests that can differ on Debian 13, in a private tree (root).
	tools/in-debian.sh trixie tests/trixie.sh

.PHONY: deb
deb: venv ## Build the Debian packages for Debian 12 and 13, into build/deb (root).
	@for release in $(DEBIANS); do tools/deb.sh "$$release"; done

.PHONY: test-deb
test-deb: deb ## Install, upgrade, remove and purge them in minimal trees (root).
	@for release in $(DEBIANS); do tools/deb-test.sh "$$release"; done

.PHONY: machines
machines:
	@for release in $(DEBIANS); do tools/machine-tree.sh "$$release"; done

.PHONY: system-test
system-test: deb machines lab-programs tracefs ## Boot Debian 12 and 13 with systemd, and test the packages there (root).
	$(PYTEST) tests/system

.PHONY: tracefs
tracefs:
	@tools/tracefs.sh

# The example names the role as whoever has installed the collection does.
.PHONY: lint
lint: venv ## Check style and types, of the Ansible collection, too.
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	clang-format --dry-run -Werror $(C_SOURCES)
	shellcheck $(SCRIPTS)
	$(PYTHON) tools/role_readme.py --check
	.venv/bin/yamllint --strict --config-file ansible/.yamllint ansible
	@mkdir -p build/collections/ansible_collections/compass
	@ln -sfn "$(CURDIR)/ansible" build/collections/ansible_collections/compass/compassd
	cd ansible && PATH="$(CURDIR)/.venv/bin:$$PATH" ANSIBLE_COLLECTIONS_PATH="$(CURDIR)/build/collections" ansible-lint -q

.PHONY: clean
clean: ## Remove what was built; keep .venv and downloaded trees.
	rm -rf build/php-* build/deb build/wheels .mypy_cache .pytest_cache .ruff_cache .hypothesis
