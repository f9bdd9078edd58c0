"""Which of PHP's own functions wait for something that has a name, and where they have it.

The kernel finds the text where this table says: in an argument, in a property of the object, or in the path
of a stream. It does not look at what is not listed here. A function is left out on purpose where its text
would be a secret (a password, a message) or a program (a shell command, a script).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from compassd.waits.kinds import TextKind

# TEXT_… in bpf/compass_records.h.
_ARGUMENT, _PROPERTY, _STREAM = 1, 2, 3

ANY = ""
"""Stands for every function of a class that is not listed itself."""


@dataclass(frozen=True, slots=True)
class WaitFunction:
    """Where a function has its text.

    Attributes:
        kind: What the text is; None: the function is looked at no further.
        source: TEXT_SOURCE of bpf/compass_records.h, 0 for none.
    """

    kind: TextKind | None
    source: int


def _argument(kind: TextKind, number: int = 1) -> WaitFunction:
    return WaitFunction(kind, _ARGUMENT << 8 | number)


_SQL = _argument(TextKind.SQL)
# The property that PDOStatement declares: queryString.
_PREPARED_SQL = WaitFunction(TextKind.SQL, _PROPERTY << 8)
_RESOURCE = _argument(TextKind.RESOURCE)
_STREAM_PATH = WaitFunction(TextKind.RESOURCE, _STREAM << 8 | 1)
_KEY = _argument(TextKind.KEY)
_HOST = _argument(TextKind.HOST)
_NOTHING = WaitFunction(None, 0)

_BY_SOURCE: Mapping[WaitFunction, tuple[str, ...]] = {
    _SQL: (
        *("mysqli_query", "mysqli_real_query", "mysqli_multi_query", "mysqli_execute_query"),
        *("mysqli_prepare", "mysqli_stmt_prepare", "mysqli_stmt::prepare"),
        *("mysqli::query", "mysqli::real_query", "mysqli::multi_query", "mysqli::execute_query"),
        "mysqli::prepare",
        *("PDO::query", "PDO::exec", "PDO::prepare"),
        *("pg_query", "pg_query_params"),
        *("SQLite3::query", "SQLite3::querySingle", "SQLite3::exec", "SQLite3::prepare"),
    ),
    _PREPARED_SQL: ("PDOStatement::",),
    # Its second argument is the statement, the first one its name.
    _argument(TextKind.SQL, 3): ("pg_prepare",),
    _RESOURCE: (
        *("file_get_contents", "file_put_contents", "file", "readfile", "fopen", "copy", "rename", "unlink"),
        *("file_exists", "is_file", "is_dir", "is_link", "is_readable", "is_writable", "stat", "lstat"),
        *("filesize", "filemtime", "filectime", "fileatime", "fileperms", "realpath", "touch", "chmod"),
        *("mkdir", "rmdir", "opendir", "scandir", "dir", "glob", "symlink", "link", "tempnam"),
        *("move_uploaded_file", "parse_ini_file", "getimagesize", "md5_file", "sha1_file", "get_headers"),
        *("simplexml_load_file", "DOMDocument::load", "DOMDocument::loadHTMLFile", "DOMDocument::save"),
        *("XMLReader::open", "ZipArchive::open", "readgzfile", "gzopen", "gzfile"),
    ),
    _argument(TextKind.RESOURCE, 2): ("hash_file", "SoapClient::__doRequest"),
    _STREAM_PATH: (
        *("flock", "fread", "fwrite", "fputs", "fgets", "fgetc", "fgetcsv", "fputcsv", "fscanf", "feof"),
        *("fflush", "fsync", "fdatasync", "ftruncate", "fclose", "fpassthru", "fseek", "fstat"),
        *("stream_get_contents", "stream_get_line", "stream_copy_to_stream", "stream_socket_enable_crypto"),
    ),
    _KEY: ("Redis::", "RedisCluster::", "Memcached::", "Memcache::"),
    _HOST: (
        *("fsockopen", "pfsockopen", "stream_socket_client", "gethostbyname", "gethostbynamel"),
        *("dns_get_record", "checkdnsrr", "dns_check_record", "getmxrr", "dns_get_mx"),
        *("ftp_connect", "ftp_ssl_connect", "ldap_connect", "ssh2_connect"),
        *("Redis::connect", "Redis::pconnect", "Redis::open", "Redis::popen"),
        *("Memcache::connect", "Memcache::pconnect"),
    ),
    _NOTHING: (
        *("Redis::auth", "Redis::eval", "Redis::script", "Redis::echo", "Redis::ping"),
        *("RedisCluster::eval", "RedisCluster::echo", "RedisCluster::ping"),
        "Memcached::setSaslAuthData",
    ),
}


def _split(name: str) -> tuple[str, str]:
    scope, _, function = name.rpartition("::")
    return scope, function


FUNCTIONS: Mapping[tuple[str, str], WaitFunction] = {
    _split(name): found for found, names in _BY_SOURCE.items() for name in names
}
"""By class ("" for none) and function (ANY for every other one of the class), as PHP spells them."""


def wait_function(scope: str, function: str) -> WaitFunction | None:
    """Return where the internal function of a class, "" for none, has its text; None if it is not listed."""
    found = FUNCTIONS.get((scope, function))
    return found or (FUNCTIONS.get((scope, ANY)) if scope else None)


def kernel_sources() -> dict[tuple[int, int], int]:
    """Return the table for the kernel: from PHP's hashes of class and function, 0 for "", to the source."""
    return {
        (php_hash(scope) if scope else 0, php_hash(function) if function else 0): found.source
        for (scope, function), found in FUNCTIONS.items()
    }


def php_hash(name: str) -> int:
    """Return what PHP keeps as the hash of a string (DJBX33A, 64 bits, never 0)."""
    value = 5381
    for byte in name.encode():
        value = (value * 33 + byte) & 0xFFFF_FFFF_FFFF_FFFF
    return value | 0x8000_0000_0000_0000
