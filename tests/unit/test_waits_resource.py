from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compassd.waits.resource import mask_host, mask_resource

SECRET = "qKzwVxJh"  # noqa: S105 - it is one for the tests only
SHORTEST_PART = 6


@pytest.mark.parametrize(
    "text",
    [
        "https://example.com/a/b.json",
        "http://api:8080/users/4711/orders",
        "http://[::1]:8080/x",
        "HTTP://Example.com",
        "https://registry.example/@scope/package",
        "https://bücher.example/über",
        "php://memory",
        "php://temp/maxmemory:1048576",
        "phar:///srv/app.phar/src/a.php",
        "glob:///srv/templates/*.php",
        "compress.zlib:///var/log/a.gz",
        "file:///etc/hosts",
        "/var/www/html/wp-content/plugins/a-b/c_d-1.2.3.min.css",
        "../a/./b.txt",
        "/srv/metadata:a",
        "",
    ],
)
def test_addresses_and_paths_stay(text: str) -> None:
    assert mask_resource(text, cut=False) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://user:pw@example.com:8443/a?b=c#d", "https://example.com:8443/a"),
        ("https://example.com/a#b?c", "https://example.com/a"),
        ("ftp://anonymous:me@example.com/pub", "ftp://example.com/pub"),
        ("ssh2.sftp://u:p@host:22/x", "ssh2.sftp://host:22/x"),
        ("https://user:p@ss@example.com/", "https://example.com/"),
        (
            "https://hooks.example/services/T0/B0/9f86D081884c7d659A2feaa0",
            "https://hooks.example/services/T0/B0/***",
        ),
        ("/cache/9f86d081884c7d659a2feaa0c55ad015a3bf4f1b.php", "/cache/***.php"),
        ("http://a/b;jsessionid=1F/c/key=x/d", "http://a/b/c/key=***/d"),
        ("http://a/users/me@example.com/x", "http://a/users/***/x"),
        ("compress.zlib://http://user:pw@a/b?c", "compress.zlib://http://a/b"),
        (
            "php://filter/read=string.rot13/resource=http://u:pw@a/b?c",
            "php://filter/read=***/resource=http://a/b",
        ),
        ("php://filter/resource=data:,x", "php://filter/resource=data:"),
        ("http://a/fetch/http://u:pw@b/c", "http://a/fetch/http://b/c"),
        ("http://a/fetch/http%3A%2F%2Fu:pw%2Fb/c", "http://a/fetch/***/c"),
        ("http://a/fetch/u:pw%40b/c", "http://a/fetch/***/c"),
        ("http://a/b?u=http://u:pw@c", "http://a/b"),
        ("data:text/plain;base64,eA==", "data:"),
        ("DATA://text/plain,x", "DATA:"),
        ("zip:///srv/a.zip#b", "zip:///srv/a.zip"),
        ("expect://mysql -ppw", "expect://"),
    ],
)
def test_credentials_queries_and_tokens_go(text: str, shown: str) -> None:
    assert mask_resource(text, cut=False) == shown
    assert mask_resource(shown, cut=False) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://user:pa/ss@host/x", "http://***"),
        ("http://user:12/34@host/x", "http://***"),
        ("http://user:p?w@host/x", "http://***"),
        ("http://user:1#2@host/x", "http://***"),
        ("http://user:12/3@host?x", "http://***"),
        ("http://user:pw%40host/x", "http://***"),
        ("http:/user:pw@host/x", "***/x"),
        ("http:user:pw@host/x", "***/x"),
        ("//user:p/w@host/x", "//***/x"),
        ("user:pw@host:path", "***"),
        ("http://a b/c", "http://***/c"),
        ("http://http://user:pw@host/", "http://***"),
        ("://", "://"),
    ],
)
def test_what_is_no_url_is_masked(text: str, shown: str) -> None:
    assert mask_resource(text, cut=False) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://example.com/a/toke", "https://example.com/a/…"),
        ("https://user:pw", "https://…"),
        ("https://user:pw@exam", "https://…"),
        ("https://user:12/3", "https://***…"),
        ("https://user:1?2", "https://***"),
        ("https://a:80/b?c", "https://a:80/b"),
        ("https://a/b?c", "https://a/b"),
        ("/srv/a", "/srv/…"),
        ("data:x", "…"),
    ],
)
def test_of_a_text_that_is_cut_the_last_part_goes(text: str, shown: str) -> None:
    assert mask_resource(text, cut=True) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("db1", "db1"),
        ("db1.example:3306", "db1.example:3306"),
        ("p:localhost", "p:localhost"),
        ("[::1]:6379", "[::1]:6379"),
        ("fe80::1", "fe80::1"),
        ("tcp://user:pw@db1:3306", "tcp://db1:3306"),
        ("redis://:pw@cache:6379/0?auth=x", "redis://cache:6379"),
        ("user:p/w@db1", "***"),
        ("user:12/34@db1", "***"),
        ("tcp://user:p?w@db1", "tcp://***"),
        ("tcp://user:p;w@db1", "tcp://***"),
        ("p:user:pw@db1", "p:db1"),
        ("db1;password=pw", "db1"),
        ("unix:///run/redis.sock", "unix:///run/redis.sock"),
        ("/run/mysqld/mysqld.sock", "/run/mysqld/mysqld.sock"),
        ("mysql:host=a;password=pw", "***"),
        ("user:password", "***"),
        ("data:pw", "***"),
        ("", ""),
    ],
)
def test_of_a_host_its_name_and_port_stay(text: str, shown: str) -> None:
    assert mask_host(text, cut=False) == shown


def test_of_a_host_that_is_cut_nothing_is_shown() -> None:
    assert mask_host("tcp://user:pw", cut=True) == "…"


SCHEMES = st.sampled_from(
    ("http://", "https://", "ftp://", "HTTP://", "ssh2.sftp://", "redis://", "a+b.c-d://")
)
WRAPPERS = st.lists(
    st.sampled_from(("compress.zlib://", "compress.bzip2://", "php://filter/read=a|b/resource=", "phar://")),
    max_size=2,
).map("".join)
PLAIN = st.text(alphabet="abc.-_~%", max_size=5)
TRICKY = st.text(alphabet="ab:@/?#[]\\%;=&+ \n\x00é\u202e", max_size=5)
CREDENTIALS = st.one_of(
    st.builds(
        "{}:{}{}{}@".format, PLAIN, TRICKY.filter(lambda text: "/" not in text), st.just(SECRET), PLAIN
    ),
    st.builds("{}{}@".format, PLAIN, st.just(SECRET)),
    st.just(""),
)
PATHS = st.lists(st.sampled_from(("a", "b.php", "@c", "..", "1", "é", "d e")), max_size=3).map("/".join)
QUERIES = st.one_of(
    st.builds(
        "{}{}{}{}".format, st.sampled_from(("?", "#", "?a=", "?u=http://")), TRICKY, st.just(SECRET), TRICKY
    ),
    st.just(""),
)
URLS = st.builds(
    "{}{}{}{}/{}{}".format,
    WRAPPERS,
    SCHEMES,
    CREDENTIALS,
    st.sampled_from(("h", "h.i:80", "[::1]")),
    PATHS,
    QUERIES,
)
NESTED = st.builds(
    "{}{}{}".format,
    st.sampled_from(("", "http://h/proxy/", "http://h:80/", "/x/")),
    URLS,
    st.sampled_from(("", "/y")),
)
DATA = st.builds(
    "{}{}{}".format, WRAPPERS, st.sampled_from(("data:", "data://", "data:a/b;base64,")), st.just(SECRET)
)


def _assert_no_secret(shown: str) -> None:
    for start in range(len(SECRET) - SHORTEST_PART + 1):
        assert SECRET[start : start + SHORTEST_PART] not in shown


@given(NESTED | DATA)
@settings(max_examples=1000)
def test_no_secret_of_a_url_is_shown(url: str) -> None:
    _assert_no_secret(mask_resource(url, cut=False))
    _assert_no_secret(mask_host(url, cut=False))


@given(NESTED | DATA, st.data())
@settings(max_examples=1000)
def test_no_part_of_a_secret_is_shown_of_a_url_that_is_cut(url: str, data: st.DataObject) -> None:
    beginning = url[: data.draw(st.integers(0, len(url)))]
    _assert_no_secret(mask_resource(beginning, cut=True))
    _assert_no_secret(mask_host(beginning, cut=True))


@pytest.mark.parametrize(
    "text", ["a", "a.", "://", "a://", "@", "a@", "a:", "/", "%40", "a1", "=", ";/", "data", "::"]
)
def test_no_text_takes_long(text: str) -> None:
    path = text * (1000 // len(text))
    begun = time.process_time()
    for mask in (mask_resource, mask_host):
        mask(path, cut=False)
        mask(path, cut=True)
    assert time.process_time() - begun < 1.0
