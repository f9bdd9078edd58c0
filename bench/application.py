"""The application under test: MediaWiki from Debian's archive, on a MariaDB of its own.

A page costs some 35 ms of CPU time and waits for the database some 30 times.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.articles import TITLE, export
from bench.errors import BenchError
from lab.build import ROOT
from lab.fastcgi import Call
from lab.mariadb import MariaDb
from lab.php_fpm import default_version

# Where tools/unpack.sh puts Debian's packages; none of them is installed.
UNPACKED = ROOT / "build" / "bench"
_MEDIAWIKI = UNPACKED / "usr" / "share" / "mediawiki"
_HOST = "wiki.example"
_INSTALL_S = 300

# More of PHP than the lab's servers load, for MediaWiki. An extension comes after the one that it needs.
MODULES = ("xml", "dom", "xmlreader", "iconv", "intl", "fileinfo", "apcu")

# As an administrator would set them for an application of many files.
PHP_INI: Mapping[str, str | int] = {
    "opcache.max_accelerated_files": 20_000,
    "opcache.memory_consumption": 256,
    "opcache.interned_strings_buffer": 16,
    "opcache.revalidate_freq": 60,
    "apc.shm_size": "64M",
}

_SETTINGS = """
# Jobs would run at the end of whichever request comes next.
$wgJobRunRate = 0;
# So that an old revision is parsed for every request.
$wgOldRevisionParserCacheExpireTime = 0;
$wgExtensionDirectory = "$IP/extensions-core";
wfLoadExtensions( [ 'Cite', 'ParserFunctions', 'CategoryTree' ] );
"""

_PAGES = {
    "article": f"title={TITLE}",
    "history": f"title={TITLE}&action=history",
    "recent changes": "title=Special:RecentChanges",
    "parsing": f"title={TITLE}&oldid={{revision}}",
    "search": "title=Special:Search&search=compass",
}


@dataclass(frozen=True, slots=True)
class Wiki:
    """The installed wiki.

    Attributes:
        version: MediaWiki's.
        environment: What a PHP-FPM that serves it needs in its environment.
        pages: A request for each kind of page, by the kind's name.
    """

    version: str
    environment: Mapping[str, str]
    pages: Mapping[str, Call]


@contextmanager
def installed_wiki(directory: Path) -> Iterator[Wiki]:
    """Install the wiki into directory, fill it and keep its database running meanwhile."""
    if not (_MEDIAWIKI / "index.php").exists():
        raise BenchError("MediaWiki is not unpacked: run it as `make bench`")
    # Pages are read here; what a crash of the machine would lose is of no interest.
    with MariaDb(options=["--innodb-flush-log-at-trx-commit=0"]) as database:
        _install(directory, database)
        settings = directory / "LocalSettings.php"
        with settings.open("a") as file:
            file.write(_SETTINGS)
        environment = {"MW_CONFIG_FILE": str(settings)}
        dump = directory / "dump.xml"
        dump.write_text(export(datetime.now(UTC)))
        _maintain("importDump.php", "--no-updates", str(dump), environment=environment)
        # Links, the search index and the list of recent changes.
        _maintain("rebuildall.php", environment=environment)
        _maintain("runJobs.php", environment=environment)
        # An old one of the article: the main page has the first, the template the second.
        pages = {name: _call(query.format(revision=20)) for name, query in _PAGES.items()}
        yield Wiki(_version(), environment, pages)


def _install(directory: Path, database: MariaDb) -> None:
    _maintain(
        "install.php",
        *("--dbtype=mysql", f"--dbserver=localhost:{database.socket}", "--dbname=wiki"),
        *("--dbuser=root", "--dbpass=", "--installdbuser=root", f"--confpath={directory}"),
        *(f"--server=http://{_HOST}", "--scriptpath=", "--skins=Vector"),
        *("--pass=not-a-secret-of-anybody", "Compass benchmark", "Administrator"),
    )


def _maintain(script: str, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
    """Run one of MediaWiki's maintenance scripts."""
    done = subprocess.run(
        [f"php{default_version()}", _MEDIAWIKI / "maintenance" / script, *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=_INSTALL_S,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **(environment or {})},
    )
    if done.returncode != 0:
        raise BenchError(f"{script} failed:\n{(done.stdout + done.stderr)[-4000:]}")


def _version() -> str:
    for line in (_MEDIAWIKI / "includes" / "Defines.php").read_text().splitlines():
        if line.startswith("define( 'MW_VERSION'"):
            return line.split("'")[3]
    raise BenchError("MediaWiki does not say its version")


def _call(query: str) -> Call:
    return Call(script=_MEDIAWIKI / "index.php", uri=f"/index.php?{query}", headers={"Host": _HOST})
