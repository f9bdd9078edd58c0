"""Settings from environment variables and from systemd credentials, which nest alike."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource, SettingsError

PREFIX = "COMPASSD_"
DELIMITER = "__"

# Where systemd keeps those of the service while it runs, for root's eyes and the service's.
SERVICE_CREDENTIALS = Path("/run/credentials/compassd.service")

_of_the_service = ContextVar("_of_the_service", default=False)


class EnvironmentSource(EnvSettingsSource):
    """Environment variables; only what looks like a JSON list or object is read as one.

    pydantic-settings would also turn a secret such as "12345" or "true" into a number or a boolean where it
    does not know the type.
    """

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:  # noqa: ANN401 - the base's
        """Decode a JSON list or object; leave everything else to validation, which names what is wrong."""
        if not (isinstance(value, str) and value.lstrip().startswith(("[", "{"))):
            return value
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value


class CredentialsSource(EnvironmentSource):
    """Files in $CREDENTIALS_DIRECTORY, named like a variable without its prefix; systemd.exec(5)."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        # The base class asks for this mapping when it is made, and DotEnvSettingsSource overrides it just so.
        return {
            f"{PREFIX}{name}".lower(): _read(path)
            for name, path in _credentials().items()
            if name.partition(DELIMITER)[0] in self.settings_cls.model_fields
        }


def environment_names(environ: Mapping[str, str] = os.environ) -> frozenset[str]:
    """Return the names of our environment variables as they are written there."""
    return frozenset(name for name in environ if name.upper().startswith(PREFIX))


def credential_names() -> frozenset[str]:
    """Return the names of all files with systemd credentials."""
    return frozenset(_credentials())


@contextmanager
def with_service_credentials(*, wanted: bool) -> Iterator[None]:
    """Let who has no credentials, as root with a command typed by hand, take those of the running service."""
    token = _of_the_service.set(wanted and os.access(SERVICE_CREDENTIALS, os.R_OK | os.X_OK))
    try:
        yield
    finally:
        _of_the_service.reset(token)


def _credentials() -> dict[str, Path]:
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    if not directory and _of_the_service.get():
        directory = str(SERVICE_CREDENTIALS)
    if not directory:
        return {}
    try:
        return {path.name.lower(): path for path in sorted(Path(directory).iterdir()) if path.is_file()}
    except OSError as error:
        raise SettingsError(f"credentials: {directory} cannot be read: {error.strerror}") from error


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode().removesuffix("\n").removesuffix("\r")
    except OSError as error:
        raise SettingsError(f"credential {path.name}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise SettingsError(f"credential {path.name}: not UTF-8") from None
