from __future__ import annotations

import base64
import json
import random
import string
import time
from collections.abc import Callable

import pytest

from compassd.redact import mask_tokens, redact
from lab.breaches import make_breach

TOKENS = 20_000
BASE62 = string.ascii_letters + string.digits
# The same ones every time: a test that fails once in a thousand runs helps nobody.
RANDOM = random.Random(1)  # noqa: S311

SLUGS = [
    "/blog/how-we-moved-our-shop-to-a-new-data-center-in-2024",
    "/blog/How-We-Moved-Our-Shop-To-A-New-Data-Center-In-2024",
    "/blog/how_we_moved_our_shop_to_a_new_data_center_in_2024",
    "/blog/how+we+moved+our+shop+to+a+new+data+center+in+2024",
    "/blog/2024-11-23-how-to-do-it-all-in-one-go-if-you-are-a-pro",
    "/blog/the-10-best-php-8-4-features-you-did-not-know-about",
    "/blog/what-changed-from-php-7-4-to-8-0-8-1-8-2-8-3-and-8-4",
    "/blog/a-b-c-d-e-f-g-h-i-j-k-l-m-n-o-p-q-r-s-t-u-v-w-x-y-z",
    "/blog/i18n-and-l10n-with-utf8mb4-in-mysql8-and-php8-part2",
    "/blog/covid19-rules-from-2021-03-01-until-2021-06-30-version-2",
    "/how-we-moved-our-shop-to-a-new-data-center-4e5f6a7b8c9d",
    "/p/blue-suede-shoes-for-men-507f1f77bcf86cd799439011",
    "/p/Apple-iPhone-15-Pro-Max-256GB-Titanium-Black-Unlocked",
    "/p/samsung-galaxy-s24-ultra-5g-12gb-512gb-titanium-gray-sm-s928b",
    "/p/hp-laserjet-pro-mfp-m428fdw-w1a30a-drucker-a4-wlan-duplex",
    "/p/intel-core-i9-14900k-24x-3-20ghz-box-lga1700-ddr5-5600",
    "/p/lego-star-wars-75192-millennium-falcon-7541-teile-ab-16",
    "/p/ssd-2tb-m2-2280-nvme-pcie-4-0-x4-7000-mb-s-ps5",
    "/p/schrauben-m8x40-din933-a2-edelstahl-vollgewinde-100-stueck",
    "/p/9783161484100-the-art-of-computer-programming-vol-4a",
    "/wp-content/themes/twentytwentyfour-child-theme-for-shop-2024/style.css",
    "/wp-content/uploads/IMG_20240612_183045_HDR_edited_final_v2-1024x768.jpg",
    "/wp-content/uploads/Screenshot-2024-06-12-at-18-30-45-1536x864.png",
    "/Donaudampfschifffahrtselektrizitaetenhauptbetriebswerkbauunterbeamtengesellschaft",
    "/Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch",
    "/rindfleischetikettierungsueberwachungsaufgabenuebertragungsgesetz-1999",
    "/api/getUserProfileByAccountIdentifierAndSubscriptionDate",
    "/api/parseHTMLDocumentFromRemoteServerURLAndReturnJSON",
    "/api/v2/com-example-shop-controller-CheckoutPaymentMethodController",
    "/Company.Shop.Controllers.CheckoutPaymentMethodSelectionController/index",
    "/CHECKOUT_PAYMENT_METHOD_SELECTION_CONTROLLER_INDEX_ACTION",
    "/u/2f1e4a1c-9a51-4d0c-8b4e-5c7d2f5f0b7a",
    "/u/2F1E4A1C-9A51-4D0C-8B4E-5C7D2F5F0B7A",
    "/order-2f1e4a1c-9a51-4d0c-8b4e-5c7d2f5f0b7a-invoice",
    "/2f1e4a1c-9a51-4d0c-8b4e-5c7d2f5f0b7a_5d3c9b1e-0a42-4f6d-9c8b-7e6f5a4d3c2b",
    "/reports/2024-01-01-00-00-00-2024-12-31-23-59-59-utc",
    "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "/----------------------------------------------------------------",
    "/%D0%BA%D0%B0%D0%BA-%D0%BC%D1%8B-%D0%BF%D0%B5%D1%80%D0%B5%D0%B5%D1%85%D0%B0%D0%BB%D0%B8",
]


def _letters(count: int, alphabet: str) -> str:
    return "".join(RANDOM.choices(alphabet, k=count))


def _urlsafe(count: int) -> str:
    return base64.urlsafe_b64encode(RANDOM.randbytes(count)).rstrip(b"=").decode()


def _jwt() -> str:
    payload = json.dumps({"sub": str(RANDOM.randrange(10**6))}).encode()
    parts = (b'{"alg":"HS256","typ":"JWT"}', payload, RANDOM.randbytes(32))
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def _bcrypt() -> str:
    return "$2b$12$" + _letters(53, f"./{BASE62}")


def _percent(text: str) -> str:
    return "".join(character if character.isalnum() else f"%{ord(character):02X}" for character in text)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: _urlsafe(24), id="token_urlsafe(24)"),
        pytest.param(lambda: _urlsafe(32), id="token_urlsafe(32)"),
        pytest.param(lambda: _urlsafe(48), id="token_urlsafe(48)"),
        pytest.param(lambda: "reset-" + _urlsafe(32), id="prefixed"),
        pytest.param(
            lambda: base64.b64encode(RANDOM.randbytes(32)).decode().replace("/", "%2F"), id="base64"
        ),
        pytest.param(lambda: _percent(base64.b64encode(RANDOM.randbytes(32)).decode()), id="base64, encoded"),
        pytest.param(lambda: RANDOM.randbytes(RANDOM.randint(16, 32)).hex(), id="token_hex"),
        pytest.param(lambda: RANDOM.randbytes(16).hex().upper(), id="TOKEN_HEX"),
        pytest.param(lambda: _letters(32, BASE62), id="base62"),
        pytest.param(lambda: _letters(40, string.ascii_lowercase + string.digits), id="base36"),
        pytest.param(
            lambda: "sess_" + _letters(30, string.ascii_lowercase + string.digits), id="sess_base36"
        ),
        pytest.param(lambda: _letters(40, string.digits), id="digits"),
        pytest.param(_jwt, id="JWT"),
        pytest.param(lambda: _jwt().rpartition(".")[2], id="a JWT's signature"),
        pytest.param(_bcrypt, id="bcrypt"),
        pytest.param(lambda: _percent(_bcrypt()), id="bcrypt, encoded"),
    ],
)
def test_of_random_tokens_999_in_1000_are_masked(make: Callable[[], str]) -> None:
    paths = [f"/reset/{make()}/x" for _ in range(TOKENS)]
    missed = [path for path in paths if mask_tokens(path) != "/reset/***/x"]
    assert len(missed) <= TOKENS // 1000, missed[:5]


@pytest.mark.parametrize("path", SLUGS)
def test_names_stay(path: str) -> None:
    assert mask_tokens(path) == path


def test_query_strings_go_unless_wanted() -> None:
    breach = make_breach(uri="/cart?token=1", uri_cut=True)
    without = redact(breach, query_strings=False).request
    assert (without.uri, without.uri_cut) == ("/cart", False)
    assert redact(breach, query_strings=True) is breach


def test_a_path_that_was_cut_stays_marked() -> None:
    assert redact(make_breach(uri="/cart", uri_cut=True), query_strings=False).request.uri_cut


@pytest.mark.parametrize(
    ("path", "masked"),
    [
        ("/reset/9f86d081884c7d659a2feaa0c55ad015a3bf4f1b", "/reset/***"),
        ("/login/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln-bmF0dXJl/x", "/login/***/x"),
        ("/cut/eyJhbGciOiJIUzI1NiJ9.eyJzdWI", "/cut/***"),
        ("/2f1e4a1c-9a51-4d0c-8b4e-5c7d2f5f0b7a-q1W2e3R4t5Y6u7I8o9P0a1S2d3F4g5H6", "/***"),
        ("/" + "1" * 32, "/***"),
        ("/" + "1" * 31, "/" + "1" * 31),
    ],
)
def test_only_what_looks_like_a_token_is_masked(path: str, masked: str) -> None:
    assert mask_tokens(path) == masked


@pytest.mark.parametrize("text", ["eyJ", "-eyJ", "eyJ.", "a-", "$2b$12$", "%2B", "A1", "0f0f0f0f-"])
def test_no_path_takes_long(text: str) -> None:
    path = text * (8192 // len(text))
    begun = time.process_time()
    mask_tokens(path)
    assert time.process_time() - begun < 1.0
