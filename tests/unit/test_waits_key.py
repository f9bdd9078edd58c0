from __future__ import annotations

import random
import string
import uuid

import pytest

from compassd.waits.key import mask_key

# The same ones every time: a test that fails once in a thousand runs helps nobody.
RANDOM = random.Random(1)  # noqa: S311


@pytest.mark.parametrize(
    ("key", "shape"),
    [
        ("user:4711:session:9f3a8b", "user:?:session:?"),
        ("laravel_cache:users_4711", "laravel_cache:users_?"),
        ("laravel_database_laravel_cache_:9f86d081884c7d659a2f", "laravel_database_laravel_cache_:?"),
        ("laravel_session_k3v9aBQ", "?"),
        ("reset:qwrtpsdfgh", "reset:?"),
        ("reset:aBcDeFg", "reset:?"),
        ("wp_:posts:123", "wp_:posts:?"),
        ("wp:options:alloptions", "wp:options:alloptions"),
        ("zc:k:69d_CONFIG_GLOBAL", "zc:k:?"),
        ("PHPREDIS_SESSION:k3v9", "PHPREDIS_SESSION:?"),
        ("product.12.price", "product.?.price"),
        ("ratelimit:192.168.0.1", "ratelimit:?"),
        ("report/2024-01-31", "report/?"),
        ("mail:john.doe@example.com:unread", "mail:?:unread"),
        ("{user:12}:cart", "{user:?}:cart"),
        (r"App\Models\User|5", r"App\Models\User|?"),
        ("menuItemsByUser:12", "menuItemsByUser:?"),
        ("page:/blog/über-uns", "page:/blog/?"),
        ("user:12", "user:?"),
        ("user", "user"),
        ("", ""),
    ],
)
def test_names_stay_and_ids_go(key: str, shape: str) -> None:
    assert mask_key(key, cut=False) == shape


@pytest.mark.parametrize("command", ["GET user:12", "AUTH hunter", "SET a b", " EVAL  return\n1"])
def test_of_a_command_its_name_stays(command: str) -> None:
    assert mask_key(command, cut=False) == command.split()[0] + " ?"


@pytest.mark.parametrize(
    ("key", "shape"), [("user:4711:sess", "user:?:…"), ("user", "…"), ("a b", "a ?"), ("", "…")]
)
def test_of_a_key_that_is_cut_the_last_part_goes(key: str, shape: str) -> None:
    assert mask_key(key, cut=True) == shape


@pytest.mark.parametrize(
    "alphabet",
    [
        pytest.param("0123456789abcdef", id="hex"),
        pytest.param(string.ascii_lowercase + string.digits, id="base36"),
        pytest.param(string.ascii_letters + string.digits, id="base62"),
        pytest.param(string.ascii_letters + string.digits + "_-", id="base64"),
    ],
)
def test_of_random_ids_999_in_1000_are_masked(alphabet: str) -> None:
    ids = ["".join(RANDOM.choices(alphabet, k=RANDOM.randint(20, 40))) for _ in range(10_000)]
    missed = [shape for text in ids if len(shape := mask_key(f"a:{text}", cut=False)) > len("a:?") + 5]
    assert len(missed) <= len(ids) // 1000, missed[:5]


def test_uuids_are_masked_as_a_whole() -> None:
    ids = [str(uuid.UUID(int=RANDOM.getrandbits(128), version=4)) for _ in range(1_000)]
    assert {mask_key(f"a:{text}:b", cut=False) for text in ids} == {"a:?:b"}
