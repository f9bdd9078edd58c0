from __future__ import annotations

import base64
from pathlib import Path

import pytest

from compassd.destinations.factory import build_destinations
from compassd.errors import ConfigurationError
from compassd.settings import Settings, load_settings
from compassd.settings_destinations import (
    AlertmanagerSettings,
    JournaldSettings,
    SlackSettings,
    WebhookSettings,
    webhook_key,
)
from compassd.waits.kinds import TextPolicy

SECRET = "TOPSECRET0123456789"  # noqa: S105 - it must not appear
KEY = "whsec_" + base64.b64encode(b"k" * 24).decode()


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.setattr("compassd.settings.DEFAULT_CONFIG", tmp_path / "absent.toml")


def load(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "compassd.toml"
    path.write_text(text)
    return load_settings(path)


def problems(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, text)
    assert SECRET not in str(caught.value)
    assert SECRET not in repr(caught.value.__cause__)
    return str(caught.value).splitlines()


def test_defaults_need_no_file() -> None:
    settings = load_settings()
    assert settings.rules == Path("/etc/compassd/rules.toml")
    assert settings.rescan_interval == 5_000_000_000
    assert settings.drain_timeout == 10_000_000_000
    assert settings.queue_size == 10_000
    assert settings.state_directory == Path("/var/lib/compassd")
    assert settings.query_strings is False
    assert settings.wait_texts is TextPolicy.MASKED
    assert settings.running is True
    assert settings.running_interval == 1_000_000_000
    assert settings.destinations == {"journal": JournaldSettings(type="journald")}


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="does not exist"):
        load_settings(tmp_path / "absent.toml")


def test_state_is_kept_where_systemd_says_unless_the_settings_say_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/private/compassd")
    assert load_settings().state_directory == Path("/var/lib/private/compassd")
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/first:/var/lib/second")
    assert load_settings().state_directory == Path("/var/lib/first")
    monkeypatch.setenv("STATE_DIRECTORY", "")
    assert load_settings().state_directory == Path("/var/lib/compassd")
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/systemd-says")
    assert load(tmp_path, 'state_directory = "/srv/state"').state_directory == Path("/srv/state")
    monkeypatch.setenv("COMPASSD_STATE_DIRECTORY", "/srv/variable")
    assert load(tmp_path, 'state_directory = "/srv/state"').state_directory == Path("/srv/variable")


def test_the_environment_wins_over_credentials_and_those_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "destinations__ops__url").write_text("https://credential.example/a\n")
    (credentials / "destinations__hook__secret").write_text(KEY + "\n")
    (credentials / "queue_size").write_text("7\n")
    (credentials / "tls.key").write_bytes(b"\xff\xfe not ours")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    monkeypatch.setenv("COMPASSD_QUEUE_SIZE", "8")
    monkeypatch.setenv("COMPASSD_DESTINATIONS__HOOK__URL", "https://environment.example/b")
    settings = load(
        tmp_path,
        """
        queue_size = 6
        rescan_interval = "1m"
        [destinations.ops]
        type = "slack"
        url = "https://file.example/"
        timeout = "2s"
        [destinations.hook]
        type = "webhook"
        """,
    )
    ops, hook = settings.destinations["ops"], settings.destinations["hook"]
    assert isinstance(ops, SlackSettings)
    assert isinstance(hook, WebhookSettings)
    assert ops.address == "https://credential.example/a"
    assert ops.timeout == 2_000_000_000
    assert hook.url.get_secret_value() == "https://environment.example/b"
    assert [secret.get_secret_value() for secret in hook.secret] == [KEY]
    assert (settings.queue_size, settings.rescan_interval) == (8, 60_000_000_000)


def test_incidents_may_be_told_at_once_but_not_without_end(tmp_path: Path) -> None:
    text = '[incidents]\ncoalesce = "0s"\ncooldown = "1s"\ninterval = "1s"\nmax_messages = 2'
    incidents = load(tmp_path, text).incidents
    assert (incidents.coalesce, incidents.cooldown, incidents.interval) == (0, 1_000_000_000, 1_000_000_000)
    assert problems(
        tmp_path, '[incidents]\ncoalesce = 0\ncooldown = "999ms"\ninterval = "0s"\nmax_messages = 1'
    ) == [
        'compassd.toml: incidents.coalesce: 0 is not a duration; write for example "800ms" or "1.5s"',
        'compassd.toml: incidents.cooldown: must be at least "1s"',
        "compassd.toml: incidents.max_messages: input should be greater than or equal to 2",
        'compassd.toml: incidents.interval: "0s" is zero; write for example "800ms" or "1.5s"',
    ]


@pytest.mark.parametrize("policy", list(TextPolicy))
def test_how_much_is_told_of_texts_can_be_chosen(tmp_path: Path, policy: TextPolicy) -> None:
    assert load(tmp_path, f'wait_texts = "{policy}"').wait_texts is policy


def test_running_requests_can_be_left_alone_or_looked_at_more_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load(tmp_path, 'running = false\nrunning_interval = "250ms"')
    assert (settings.running, settings.running_interval) == (False, 250_000_000)
    monkeypatch.setenv("COMPASSD_RUNNING", "true")
    monkeypatch.setenv("COMPASSD_WAIT_TEXTS", "off")
    settings = load(tmp_path, "running = false")
    assert (settings.running, settings.wait_texts) == (True, TextPolicy.OFF)


def test_what_is_told_of_running_requests_and_texts_is_checked(tmp_path: Path) -> None:
    assert problems(
        tmp_path, 'wait_texts = "some"\nrunning = "often"\nrunning_interval = 1\nlog_level = 3'
    ) == [
        "compassd.toml: wait_texts: must be 'masked', 'raw' or 'off'",
        "compassd.toml: running: must be true or false",
        'compassd.toml: running_interval: 1 is not a duration; write for example "800ms" or "1.5s"',
        "compassd.toml: log_level: must be 'debug', 'info', 'warning' or 'error'",
    ]


def test_values_that_look_like_numbers_stay_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPASSD_DESTINATIONS__HOOK__HEADERS__X_PIN", "0123")
    monkeypatch.setenv("COMPASSD_DESTINATIONS__HOOK__SECRET", f'["{KEY}", "{KEY}"]')
    hook = load(tmp_path, '[destinations.hook]\ntype = "webhook"\nurl = "https://a.example"').destinations[
        "hook"
    ]
    assert isinstance(hook, WebhookSettings)
    assert hook.headers["x_pin"].get_secret_value() == "0123"
    assert len(hook.secret) == 2


def test_all_problems_are_told_at_once_and_in_plain_words(tmp_path: Path) -> None:
    assert problems(
        tmp_path,
        f"""
        queue_siz = 3
        rules = 5
        queue_size = "x"
        drain_timeout = 5
        query_strings = "maybe"
        [destinations.ops]
        type = "slack"
        urll = "https://hooks.slack.com/{SECRET}"
        [destinations.BAD]
        type = "slak"
        [destinations.hook]
        type = "webhook"
        url = "http://example.com/{SECRET}"
        secret = ["whsec_{SECRET}", 5]
        headers = {{ "a b" = "{SECRET}" }}
        [destinations.none]
        url = "https://{SECRET}"
        """,
    ) == [
        "compassd.toml: rules: must be a path",
        "compassd.toml: queue_size: must be a whole number",
        'compassd.toml: drain_timeout: 5 is not a duration; write for example "800ms" or "1.5s"',
        "compassd.toml: query_strings: must be true or false",
        "compassd.toml: destinations.ops.urll: unknown setting, did you mean url?",
        "compassd.toml: destinations.BAD: "
        "a name consists of a-z, 0-9 and single - or _, at most 32 characters",
        'compassd.toml: destinations.BAD: unknown type "slak", did you mean slack?; '
        "there are stdout, journald, slack, webhook, alertmanager",
        "compassd.toml: destinations.hook.url: must begin with https:// (http:// only to this machine)",
        "compassd.toml: destinations.hook.headers: 'a b' is not the name of an HTTP header",
        "compassd.toml: destinations.hook.secret.0: "
        "must be whsec_ followed by 24 to 64 random bytes in base64",
        "compassd.toml: destinations.hook.secret.1: must be text",
        "compassd.toml: destinations.none: type is missing",
        "compassd.toml: queue_siz: unknown setting, did you mean queue_size?",
    ]


def test_a_problem_names_where_the_value_comes_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "destinations__ops__url").write_text(f"ftp://{SECRET}")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("COMPASSD_DESTINATIONS__OPS__TIMOUT", "5s")
    monkeypatch.setenv("COMPASSD_DESTINATIONS__OPS__TIMEOUT", "5")
    monkeypatch.setenv("COMPASSD_EXTENSION_PATHS", f"[{SECRET}")
    monkeypatch.setenv("COMPASSD_QUEUE_SIZ", "5")
    assert problems(tmp_path, '[destinations.ops]\ntype = "slack"') == [
        "environment: COMPASSD_QUEUE_SIZ: unknown setting, did you mean COMPASSD_QUEUE_SIZE?",
        "environment: COMPASSD_EXTENSION_PATHS: must be a list",
        "credential: destinations__ops__url: must begin with https:// (http:// only to this machine)",
        "environment: COMPASSD_DESTINATIONS__OPS__TIMEOUT: "
        '"5" is not a duration; write for example "800ms" or "1.5s"',
        "environment: COMPASSD_DESTINATIONS__OPS__TIMOUT: unknown setting, did you mean timeout?",
    ]


def test_a_destination_may_be_called_what_it_is(tmp_path: Path) -> None:
    assert problems(
        tmp_path, '[destinations.slack]\ntype = "slack"\nurl = "ftp://a.example"\nurll = "b"'
    ) == [
        "compassd.toml: destinations.slack.url: must begin with https:// (http:// only to this machine)",
        "compassd.toml: destinations.slack.urll: unknown setting, did you mean url?",
    ]


@pytest.mark.parametrize(
    "url",
    [
        f"http://example.com/{SECRET}",
        f"https://user:{SECRET}@example.com/",
        f"https://[{SECRET}",
        f"https://example.com:{SECRET}/",
        f"https:///{SECRET}",
        f"https://example.com/{SECRET} x",
        f"file:///{SECRET}",
        SECRET,
        "",
    ],
)
def test_bad_urls_are_refused_without_being_repeated(tmp_path: Path, url: str) -> None:
    (line,) = problems(tmp_path, f'[destinations.ops]\ntype = "slack"\nurl = "{url}"')
    assert line.startswith("compassd.toml: destinations.ops.url: ")


@pytest.mark.parametrize(
    "url",
    ["https://a.example/x?y=z", "http://127.0.0.1:8080/", "http://[::1]/", "http://localhost/x"],
)
def test_good_urls_are_taken(tmp_path: Path, url: str) -> None:
    load(tmp_path, f'[destinations.ops]\ntype = "slack"\nurl = "{url}"')


@pytest.mark.parametrize("headers", ['{ "X" = "a\\nb" }', '{ "Host" = "x" }', '{ "webhook-id" = "x" }'])
def test_headers_that_could_forge_others_are_refused(tmp_path: Path, headers: str) -> None:
    text = f'[destinations.h]\ntype = "webhook"\nurl = "https://a.example"\nheaders = {headers}'
    assert len(problems(tmp_path, text)) == 1


@pytest.mark.parametrize(
    "secret", ["abc", "whsec_", "whsec_####", "x" + KEY, "whsec_" + "A" * 100, "whsec_ä"]
)
def test_signing_secrets_need_their_form(tmp_path: Path, secret: str) -> None:
    text = f'[destinations.h]\ntype = "webhook"\nurl = "https://a.example"\nsecret = "{secret}"'
    assert "whsec_" in problems(tmp_path, text)[0]


def test_a_file_that_is_no_toml(tmp_path: Path) -> None:
    assert problems(tmp_path, f'url = "{SECRET}')[0].startswith("compassd.toml: ")
    path = tmp_path / "latin1.toml"
    path.write_bytes(b"rules = '\xff'")
    with pytest.raises(ConfigurationError, match=r"latin1\.toml: not UTF-8"):
        load_settings(path)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_settings(tmp_path)


@pytest.mark.parametrize("name", ["a" * 33, "a__b", "-a", "a-", "a b", ""])
def test_destination_names_are_bounded(tmp_path: Path, name: str) -> None:
    assert "a name consists of" in problems(tmp_path, f'[destinations."{name}"]\ntype = "stdout"')[0]


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        f"""
        [destinations.h]
        type = "webhook"
        url = "https://a.example/{SECRET}"
        secret = "{KEY}"
        headers = {{ Authorization = "Bearer {SECRET}" }}
        """,
    )
    for shown in (repr(settings), str(settings), settings.model_dump_json()):
        assert SECRET not in shown
        assert KEY not in shown


def test_destinations_are_built_from_the_settings(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        f"""
        [destinations.out]
        type = "stdout"
        [destinations.journal]
        type = "journald"
        [destinations.ops]
        type = "slack"
        url = "https://hooks.slack.com/services/T/B/X"
        [destinations.hook]
        type = "webhook"
        url = "https://a.example"
        secret = ["{KEY}"]
        [destinations.alerts]
        type = "alertmanager"
        url = "http://127.0.0.1:9093"
        [destinations.single]
        type = "webhook"
        url = "https://a.example"
        tell = "breaches"
        """,
    )
    destinations = build_destinations(settings)
    assert [(each.name, each.min_interval) for each in destinations.local] == [("out", 0.0), ("journal", 0.0)]
    assert [(each.name, each.min_interval) for each in destinations.remote] == [
        ("ops", 1.0),
        ("hook", 0.0),
        ("alerts", 0.0),
        ("single", 0.0),
    ]
    assert destinations.each == {"single"}
    for destination in (*destinations.local, *destinations.remote):
        destination.close()


def test_http_destinations_say_whom_to_trust_and_who_they_are(tmp_path: Path) -> None:
    for kind in ("webhook", "alertmanager"):
        (wanted,) = load(
            tmp_path,
            f"""
            [destinations.one]
            type = "{kind}"
            url = "https://a.example/prefix/"
            headers = {{ Authorization = "Bearer x" }}
            ca = "/etc/compassd/ca.pem"
            client_certificate = "/etc/compassd/our.crt"
            client_key = "/etc/compassd/our.key"
            """,
        ).destinations.values()
        assert isinstance(wanted, WebhookSettings | AlertmanagerSettings)
        assert wanted.ca == Path("/etc/compassd/ca.pem")
        assert wanted.client_certificate == Path("/etc/compassd/our.crt")
        assert wanted.client_key == Path("/etc/compassd/our.key")


def test_settings_that_do_not_go_together_are_problems(tmp_path: Path) -> None:
    assert problems(
        tmp_path,
        """
        [destinations.a]
        type = "webhook"
        url = "https://a.example"
        client_key = "/etc/compassd/our.key"
        [destinations.b]
        type = "alertmanager"
        url = "http://127.0.0.1:9093"
        ca = "/etc/compassd/ca.pem"
        [destinations.c]
        type = "alertmanager"
        url = "https://a.example/?x=1"
        [destinations.d]
        type = "alertmanager"
        url = "http://a.example"
        [destinations.e]
        type = "webhook"
        url = "https://a.example"
        tell = "everything"
        [destinations.f]
        type = "journald"
        rate = 0
        """,
    ) == [
        "compassd.toml: destinations.a: client_key is set without client_certificate",
        "compassd.toml: destinations.b: ca and client_certificate need a url that begins with https://",
        "compassd.toml: destinations.c.url: must end with its path: there is nothing to append to ? or #",
        "compassd.toml: destinations.d.url: must begin with https:// (http:// only to this machine)",
        "compassd.toml: destinations.e.tell: must be 'incidents' or 'breaches'",
        "compassd.toml: destinations.f.rate: input should be greater than or equal to 1",
    ]


def test_what_a_webhook_and_the_journal_do_by_default(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        """
        [destinations.hook]
        type = "webhook"
        url = "https://a.example"
        [destinations.journal]
        type = "journald"
        """,
    )
    hook, journal = settings.destinations.values()
    assert isinstance(hook, WebhookSettings)
    assert isinstance(journal, JournaldSettings)
    assert hook.tell == "incidents"
    # journald's own limit, of which the daemon's log needs a part.
    assert journal.burst + 30 * journal.rate < 10_000


BOT = f'type = "slack"\ntoken = "xoxb-1-{SECRET}"'
HOOK_ALONE = "url goes without token, channel and api_url: a webhook has its own channel"
NO_ACCESS = "needs the url of a webhook, or the token of a bot and a channel"
BAD_TOKEN = "must be a bot token: xoxb- followed by letters, digits and hyphens"  # noqa: S105 - a message


def test_slack_is_a_webhook_or_a_bot(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        f"""
        [destinations.hook]
        type = "slack"
        url = "https://hooks.slack.com/services/T/B/{SECRET}"
        [destinations.bot]
        {BOT}
        channel = "#alerts"
        [destinations.gov]
        {BOT}
        channel = "C0123456789"
        api_url = "https://slack-gov.com/api"
        """,
    )
    assert SECRET not in repr(settings)
    addresses = [each.address for each in settings.destinations.values() if isinstance(each, SlackSettings)]
    assert addresses == [
        f"https://hooks.slack.com/services/T/B/{SECRET}",
        "https://slack.com/api",
        "https://slack-gov.com/api",
    ]
    destinations = build_destinations(settings).remote
    assert [(each.name, each.min_interval) for each in destinations] == [("hook", 1), ("bot", 1), ("gov", 1)]
    for destination in destinations:
        destination.close()


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ('type = "slack"', f": {NO_ACCESS}"),
        ('type = "slack"\nchannel = "a"', f": {NO_ACCESS}"),
        (BOT, ": the token needs a channel to post to"),
        (f'{BOT}\nchannel = "a"\nurl = "https://a.example/{SECRET}"', f": {HOOK_ALONE}"),
        ('type = "slack"\nurl = "https://a.example/"\nchannel = "a"', f": {HOOK_ALONE}"),
        (
            f'{BOT}\nchannel = "a"\napi_url = "http://slack.example/api"',
            ".api_url: must begin with https:// (http:// only to this machine)",
        ),
        (f'type = "slack"\nchannel = "a"\ntoken = "xoxe.xoxb-{SECRET}"', f".token: {BAD_TOKEN}"),
        (f'type = "slack"\nchannel = "a"\ntoken = "xoxb-{SECRET}\\r\\nX: y"', f".token: {BAD_TOKEN}"),
        (
            f'{BOT}\nchannel = "a b"',
            '.channel: must be a channel\'s name or id; write for example "#alerts" or "C0123456789"',
        ),
    ],
)
def test_half_an_access_to_slack_is_refused(tmp_path: Path, fields: str, problem: str) -> None:
    assert problems(tmp_path, f"[destinations.ops]\n{fields}") == [
        f"compassd.toml: destinations.ops{problem}"
    ]


def test_the_key_is_what_the_secret_encodes() -> None:
    assert webhook_key(KEY) == b"k" * 24


def test_the_default_file_goes_with_the_credentials_of_the_running_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials, config = tmp_path / "credentials", tmp_path / "compassd.toml"
    credentials.mkdir()
    (credentials / "destinations__ops__url").write_text("https://example.com/hook\n")
    config.write_text('[destinations.ops]\ntype = "webhook"\n')
    monkeypatch.setattr("compassd.settings_sources.SERVICE_CREDENTIALS", credentials)
    monkeypatch.setattr("compassd.settings.DEFAULT_CONFIG", config)
    assert list(load_settings().destinations) == ["ops"]
    with pytest.raises(ConfigurationError, match="url: missing"):
        load_settings(config)
    # Our own come first.
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with pytest.raises(ConfigurationError, match="url: missing"):
        load_settings()
