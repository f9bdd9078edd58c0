"""The daemon's settings: where the rules are, whom to tell, how long to wait.

They come from, the strongest first:

1. environment variables COMPASSD_…, nested with two underscores: COMPASSD_DESTINATIONS__OPS__URL;
2. systemd credentials, files in $CREDENTIALS_DIRECTORY named like the variable without its prefix, in lower
   case: destinations__ops__url. Other files there are not read. Without that variable, and with the default
   file, they are those of the service, if it runs and we may read them;
3. a TOML file, by default /etc/compassd/compassd.toml, which may be missing.

Sources are merged key by key: a destination's url may come from a credential and its type from the file.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from compassd.errors import ConfigurationError
from compassd.regular_file import NotRegularError, read_regular
from compassd.settings_destinations import DestinationSettings, JournaldSettings, Name
from compassd.settings_errors import Origins, explain
from compassd.settings_sources import (
    CredentialsSource,
    EnvironmentSource,
    credential_names,
    environment_names,
    with_service_credentials,
)
from compassd.units import DurationNs, parse_duration_or_zero
from compassd.waits.kinds import TextPolicy

DEFAULT_CONFIG = Path("/etc/compassd/compassd.toml")
DEFAULT_STATE = Path("/var/lib/compassd")

_NS_PER_S = 1_000_000_000
_NS_PER_MIN = 60 * _NS_PER_S


def _check_second(duration_ns: int) -> int:
    if duration_ns < _NS_PER_S:
        raise ValueError('must be at least "1s"')
    return duration_ns


_FromASecond = Annotated[DurationNs, AfterValidator(_check_second)]
_FromZero = Annotated[int, BeforeValidator(parse_duration_or_zero)]


class IncidentSettings(BaseModel):
    """How breaches become incidents, and how often these are told.

    Attributes:
        coalesce: How long it is collected what begins or is over, per destination, before it is told, ns;
            0: not at all.
        cooldown: How long nothing may happen until an incident is over, ns; at least a second.
        max_messages: How many messages a destination may get in an interval, digests included. What exceeds
            that is one digest, and then there is none for an interval.
        interval: That interval, ns; at least a second.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=False)

    coalesce: _FromZero = 2 * _NS_PER_S
    cooldown: _FromASecond = 10 * _NS_PER_MIN
    max_messages: int = Field(default=6, ge=2, le=1_000)
    interval: _FromASecond = _NS_PER_MIN


def _state_directory() -> Path:
    """Return where systemd lets its service keep state, systemd.exec(5); else the usual place."""
    # Of several, separated by colons, the first.
    first = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    return Path(first) if first else DEFAULT_STATE


def _or_journal(destinations: dict[str, DestinationSettings]) -> dict[str, DestinationSettings]:
    return destinations or {"journal": JournaldSettings(type="journald")}


class Settings(BaseSettings):
    """Everything the daemon is told apart from the rules.

    Attributes:
        rules: The rules.
        extension_paths: compass.so files to attach to besides those found by itself.
        rescan_interval: How often to look for new or upgraded compass.so files, ns.
        queue_size: How many breaches may wait in memory: for a destination of this machine, and to be kept on
            disk for the others. What exceeds it is counted and dropped.
        drain_timeout: How long a stopping daemon goes on to deliver what waits, ns.
        query_strings: Whether query strings are sent. They may hold personal data and tokens: off by default.
        sampling: Whether breaches say where the time went.
        sample_rate: How often the sampler looks at a worker on the processor, Hz.
        wait_texts: What is told of the SQL, paths and URLs that a request waited for: masked, as they are, or
            nothing.
        running: Whether requests are told while they still run.
        running_interval: How often to look at running requests, ns.
        state_directory: Where incidents and undelivered messages are kept. If it is not given: the first of
            systemd's $STATE_DIRECTORY, else /var/lib/compassd.
        incidents: How breaches become incidents.
        log_level: The least severe lines that are logged.
        destinations: Whom to tell, by name. If there is none: a journald destination named "journal".
    """

    model_config = SettingsConfigDict(
        env_prefix="COMPASSD_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        # Durations are given as text and kept as ns, so that a default is not what a file would say.
        validate_default=False,
    )

    rules: Path = Path("/etc/compassd/rules.toml")
    extension_paths: tuple[Path, ...] = ()
    rescan_interval: DurationNs = 5 * _NS_PER_S
    queue_size: int = Field(default=10_000, ge=1, le=1_000_000)
    drain_timeout: DurationNs = 10 * _NS_PER_S
    query_strings: bool = False
    sampling: bool = True
    sample_rate: int = Field(default=99, ge=1, le=999)
    wait_texts: TextPolicy = TextPolicy.MASKED
    running: bool = True
    running_interval: DurationNs = _NS_PER_S
    state_directory: Path = Field(default_factory=_state_directory)
    incidents: IncidentSettings = IncidentSettings()
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    destinations: Annotated[dict[Name, DestinationSettings], AfterValidator(_or_journal)] = Field(
        default_factory=dict, validate_default=True
    )

    @classmethod
    def settings_customise_sources(  # noqa: D102 - pydantic-settings' hook, documented there
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the names are the hook's
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return EnvironmentSource(settings_cls), CredentialsSource(settings_cls), init_settings


class SettingsWithoutSecrets(Settings):
    """The settings for who may not see the credentials: destinations have their names only."""

    destinations: Annotated[dict[Name, Any], AfterValidator(_or_journal)] = Field(
        default_factory=dict, validate_default=True
    )

    @classmethod
    def settings_customise_sources(  # noqa: D102 - as above
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return EnvironmentSource(settings_cls), init_settings


def load_settings(config: Path | None = None, *, secrets: bool = True) -> Settings:
    """Return the settings from the environment, systemd credentials and a TOML file.

    Args:
        config: The file, which must exist; None for the default one, which may be missing.
        secrets: Whether destinations are wanted with what they need; else they are SettingsWithoutSecrets.

    Raises:
        ConfigurationError: Something is unreadable, unknown or wrong. The message has one line per problem,
            each naming where it comes from, and never a value.
    """
    # The default file is the service's, so its credentials belong to it.
    with with_service_credentials(wanted=config is None):
        return _load(config, Settings if secrets else SettingsWithoutSecrets)


def _load(config: Path | None, model: type[Settings]) -> Settings:
    path = DEFAULT_CONFIG if config is None else config
    document = _read(path, required=config is not None)
    try:
        credentials = credential_names() if model is Settings else frozenset()
    except SettingsError as error:
        raise ConfigurationError(str(error)) from error
    origins = Origins(path.name, environment_names(), credentials)
    problems = origins.unknown_variables(model)
    try:
        settings = model(**document)
    except ValidationError as error:
        problems += explain(error, model, origins)
    except SettingsError as error:
        problems.append(str(error))
    else:
        if not problems:
            return settings
    raise ConfigurationError("\n".join(problems))


def _read(path: Path, *, required: bool) -> dict[str, Any]:
    try:
        return tomllib.loads(read_regular(path).decode())
    except FileNotFoundError as error:
        if required:
            raise ConfigurationError(f"{path} does not exist") from error
        return {}
    except NotRegularError as error:
        raise ConfigurationError(f"{path} is {error.strerror}") from error
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
    # The parsers' messages quote no values; the exceptions hold the text, so they are not passed on.
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path.name}: not UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path.name}: {error}") from None
