from __future__ import annotations

import random
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compassd.redact import mask_tokens
from compassd.request import path_of
from compassd.routes import MAX_HOST, MAX_ROUTE, OTHER, Place, RouteNamer, route_of
from compassd.rules.model import Route
from lab.breaches import make_request

BASE62 = string.ascii_letters + string.digits
# The same ones every time: a test that fails once in a thousand runs helps nobody.
RANDOM = random.Random(1)  # noqa: S311
TOKENS = 5_000


def _name(namer: RouteNamer, uri: str, **changes: Any) -> Place:  # noqa: ANN401 - any field of Request
    return namer.name(make_request(**{"transaction": "", "uri": uri, **changes}))


def _route(name: str, *uri: str, **fields: str) -> Route:
    return Route.model_validate({"name": name, "match": list(uri), **fields})


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/", "/"),
        ("/cart", "/cart"),
        ("/orders/4711", "/orders/{n}"),
        ("/order-4711.html", "/order-{n}.html"),
        ("/IMG4711.jpg", "/IMG{n}.jpg"),
        ("/2026/06/12/title", "/{n}/{n}/{n}/title"),
        ("/report-2026-06-12.pdf", "/report-{n}.pdf"),
        ("/compare/1,2,3", "/compare/{n}"),
        ("/u/2F1E4A1C-9A51-4D0C-8B4E-5C7D2F5F0B7A", "/u/{uuid}"),
        ("/u-2f1e4a1c-9a51-4d0c-8b4e-5c7d2f5f0b7a.json", "/u-{uuid}.json"),
        ("/commit/3f2a91bc", "/commit/{hash}"),
        ("/p/blue-shoes-507f1f77bcf86cd799439011", "/p/blue-shoes-{hash}"),
        ("/app.8f3c1a2b.js", "/app.{hash}.js"),
        ("/reset/aB3dE5fG7hI9jK1l", "/reset/{token}"),
        ("/reset/aB3dE-5fG7h_I9jK1l%3D%3D", "/reset/{token}"),
        ("/watch/dQw4w9WgXcQ", "/watch/{token}"),
        ("/index.php;jsessionid=1A2B3C4D5E6F", "/index.php;{token}"),
        ("/user/jane.doe@example.com", "/user/{email}"),
        ("/user/jane.doe%40example.com/edit", "/user/{email}/edit"),
        ("/caf%C3%A9/über uns", "/caf%C3%A9/%C3%BCber%20uns"),
        ("/" + "%D0%BA" * 20, "/{text}"),
        ("/" + "a-title-of-" * 7, "/{text}"),
        ("/{n}/<other>", "/%7Bn%7D/%3Cother%3E"),
        ("*", "*"),
    ],
)
def test_what_differs_between_requests_becomes_a_placeholder(path: str, route: str) -> None:
    assert route_of(path) == route


@pytest.mark.parametrize(
    "path",
    [
        "/v2/users",
        "/api/v1.2/users",
        "/page2",
        "/oauth2/token",
        "/i18n/de.js",
        "/wp-admin/admin-ajax.php",
        "/api/getUserProfileByAccountIdentifier",
        "/rpc/uploadFileToS3Bucket",
        "/Donaudampfschifffahrtselektrizitaetenhauptbetriebswerk",
        "/CHECKOUT_PAYMENT_METHOD_SELECTION",
        "/how-we-moved-our-shop-to-a-new-data-center",
        "/@jane",
        "//",
    ],
)
def test_names_stay(path: str) -> None:
    assert route_of(path) == path


@pytest.mark.parametrize(
    ("alphabet", "length", "missed"),
    [
        ("0123456789abcdef", 8, 0.002),
        ("0123456789ABCDEF", 32, 0.0),
        (string.ascii_lowercase + string.digits, 16, 0.02),
        (BASE62, 16, 0.05),
        (BASE62, 22, 0.01),
        (BASE62 + "-_", 32, 0.005),
    ],
)
def test_random_texts_are_masked(alphabet: str, length: int, missed: float) -> None:
    tokens = ["".join(RANDOM.choices(alphabet, k=length)) for _ in range(TOKENS)]
    shown = [token for token in tokens if "{" not in route_of(f"/reset/{token}/now")]
    assert len(shown) <= missed * TOKENS


@pytest.mark.parametrize(
    "path",
    [
        "/reset/" + "aB3dE5fG7hI9jK1l" * 2,
        "/reset/" + "aB3dE5fG7hI9jK1l" * 5 + "/now",
        "/j/eyJ" + "aB3d" * 9 + ".x",
    ],
)
def test_a_path_that_was_redacted_has_the_same_route(path: str) -> None:
    assert mask_tokens(path) != path
    assert route_of(mask_tokens(path)) == route_of(path)


def test_what_was_cut_off_is_not_shown_by_halves() -> None:
    namer = RouteNamer()
    assert _name(namer, "/shop/4711/secr", uri_cut=True).route == "/shop/{n}/…"
    assert _name(namer, "/shop/cart?a=b", uri_cut=True).route == "/shop/cart"


def test_deep_and_long_paths_end_in_an_ellipsis() -> None:
    assert route_of("/a" * 11) == "/a" * 11
    assert route_of("/a" * 500) == "/a" * 11 + "/…"
    long = route_of("/a-rather-long-part-of-a-path" * 11)
    assert long.endswith("/a-rather-long-part-of-a-path/…")
    assert MAX_ROUTE - 40 < len(long) <= MAX_ROUTE


def test_the_name_that_php_gave_comes_first() -> None:
    namer = RouteNamer([_route("all", "/**")])
    assert _name(namer, "/cart", transaction="cart.show").route == "cart.show"


def test_the_first_pattern_that_matches_names_the_route() -> None:
    namer = RouteNamer(
        [
            _route("order of a customer", "/orders/**", "/o/*", host="*.customers.example"),
            _route("order", "/orders/[0-9]*"),
            _route("never", "/orders/**", host="nobody.example"),
        ]
    )
    assert _name(namer, "/orders/4711?x=1", host="shop.example").route == "order"
    assert _name(namer, "/orders/4711#x", host="A.Customers.example.:80").route == "order of a customer"
    assert _name(namer, "/o/1", host="a.customers.example").route == "order of a customer"
    assert _name(namer, "/orders/new", host="shop.example").route == "/orders/new"


@pytest.mark.parametrize(
    ("header", "host"),
    [
        ("Shop.Example.:8443", "shop.example"),
        ("[2001:DB8::1]:80", "2001:db8::1"),
        ("", ""),
        ("a" * MAX_HOST, "a" * MAX_HOST),
        ("a" * (MAX_HOST + 1), OTHER),
        ("<other>", OTHER),
        ("shöp.example", OTHER),
        ("a b", OTHER),
    ],
)
def test_hosts(header: str, host: str) -> None:
    assert _name(RouteNamer(), "/", host=header).host == host


def test_beyond_the_bounds_the_first_names_stay() -> None:
    namer = RouteNamer([_route("named", "/named")], max_hosts=2, max_routes=3)
    for host in ("a", "b"):
        assert [_name(namer, f"/{page}", host=host).route for page in "uvwxyz"] == [
            *("/u", "/v", "/w"),
            *[OTHER] * 3,
        ]
    assert _name(namer, "/v", host="a") == Place("a", "/v")
    assert _name(namer, "/u", host="c") == Place(OTHER, "/u")
    # What the configuration names is bounded already.
    assert _name(namer, "/named", host="a") == Place("a", "named")


def test_a_client_that_invents_paths_cannot_crowd_out_the_applications_names() -> None:
    namer = RouteNamer(max_routes=10)
    for letters in string.ascii_letters:
        _name(namer, f"/{letters}")
    assert _name(namer, "/", transaction="cart.show").route == "cart.show"


ALPHABET = st.sampled_from("aB1%/-_.{}<>~@:é\U0001f600\x00 ?#4f")


@given(st.text(ALPHABET, max_size=300) | st.text(max_size=300), st.booleans())
def test_every_route_is_short_and_plain(path: str, cut: bool) -> None:  # noqa: FBT001 - drawn
    route = route_of(path.encode(errors="replace").decode(), cut=cut)
    assert len(route) <= MAX_ROUTE
    assert route.replace("…", "").isascii()
    assert route.isprintable()
    assert not set(route) & set(' <>?#"\\')


@given(st.lists(st.text("0123456789abcdef", min_size=8, max_size=40).filter(lambda t: not t.isalpha())))
def test_no_id_is_in_a_route(ids: list[str]) -> None:
    route = route_of("".join(f"/order-{each}.html" for each in ids))
    assert not [each for each in ids if each in route]


@given(st.lists(st.tuples(st.text(max_size=8), st.text(ALPHABET, max_size=30), st.text(max_size=3))))
def test_there_are_never_more_names_than_allowed_and_they_never_change(
    asked: list[tuple[str, str, str]],
) -> None:
    namer = RouteNamer(max_hosts=2, max_routes=3)
    first: dict[tuple[str, str, str], Place] = {}
    for each in asked * 2:
        host, uri, transaction = each
        found = _name(namer, uri, host=host, transaction=transaction)
        if OTHER not in (found.host, found.route):
            assert first.setdefault(each, found) == found
        elif each in first:
            assert first[each] == found
    routes: dict[str, set[str]] = {}
    for place in first.values():
        routes.setdefault(place.host, set()).add(place.route)
    assert len(routes) <= 2
    assert all(len(named) <= 6 for named in routes.values())


def test_globs_are_asked_about_the_path_alone() -> None:
    assert path_of(make_request(uri="/a/b?c#d")) == "/a/b"
    assert path_of(make_request(uri="/a/b#d?c")) == "/a/b"
