"""Whom a destination trusts, and how it proves who it is."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from compassd.errors import ConfigurationError
from compassd.regular_file import read_regular
from compassd.settings_destinations import AlertmanagerSettings, DestinationSettings, WebhookSettings


class _EncryptedKeyError(Exception):
    """The key has a password, which nobody could type in a service."""


@dataclass(frozen=True, slots=True)
class ClientTls:
    """What the settings say of a destination's TLS.

    The files are read again for every connection, so that renewed certificates need no restart.

    Attributes:
        ca: PEM file of the certificate authorities to trust; None: the system's.
        certificate: PEM file of our own certificate, with what is between it and its authority.
        key: PEM file of its private key; None: it is in certificate.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    @property
    def files(self) -> dict[str, Path]:
        """The files, by the settings that name them."""
        named = {"ca": self.ca, "client_certificate": self.certificate, "client_key": self.key}
        return {setting: path for setting, path in named.items() if path}

    @property
    def pair(self) -> tuple[str, str] | None:
        """Paths of certificate and key; None if we have none to show."""
        # Both, even if they are the same: given one only, urllib3 lets OpenSSL ask for a password.
        return (str(self.certificate), str(self.key or self.certificate)) if self.certificate else None

    def context(self, default_ca: str | None = None) -> ssl.SSLContext:
        """Return what a connection needs.

        Args:
            default_ca: The authorities to trust if the settings name none; None: the system's.

        Raises:
            ConfigurationError: A file does not hold what it should.
            OSError: A file cannot be read.
        """
        try:
            context = ssl.create_default_context(cafile=self.ca or default_ca)
        except ssl.SSLError as error:
            raise ConfigurationError(f"ca: {self.ca or default_ca} holds no certificate in PEM") from error
        if self.pair:
            try:
                context.load_cert_chain(*self.pair, password=_no_password)
            except _EncryptedKeyError:
                raise ConfigurationError(
                    "client_key has a password, which nobody could type in a service",
                    hint="take it off: openssl pkey -in OLD -out NEW, for only compassd to read",
                ) from None
            except ssl.SSLError as error:
                raise ConfigurationError(_unusable(error)) from error
        return context

    def check(self, destination: str) -> None:
        """See that the files can be used.

        Raises:
            ConfigurationError: They cannot; it names the destination, the setting and the file.
        """
        for setting, path in self.files.items():
            _read(destination, setting, path)
        try:
            self.context()
        except ConfigurationError as error:
            raise ConfigurationError(f"destination {destination}: {error}", hint=error.hint) from error


SYSTEM_TLS = ClientTls()
"""The system's authorities, and no certificate of our own."""


def client_tls(destination: DestinationSettings) -> ClientTls:
    """Return what a destination's settings say of its TLS."""
    if isinstance(destination, WebhookSettings | AlertmanagerSettings):
        return ClientTls(destination.ca, destination.client_certificate, destination.client_key)
    return SYSTEM_TLS


def tls_fault(error: Exception) -> str:
    """Return why TLS failed, in a few words: OpenSSL's name for it, and whose certificate to look at."""
    found = re.search(r"\[SSL: ([A-Z0-9_]+)\]", str(error))
    reason = found[1].lower() if found else "no reason given"
    # An alert is what the other side says.
    ask = "does it accept our client_certificate?" if "alert" in reason else "is its certificate valid?"
    return f"TLS failed ({reason}): {ask}"


def _no_password() -> NoReturn:
    raise _EncryptedKeyError


def _read(destination: str, setting: str, path: Path) -> None:
    # OpenSSL would not say which file it was.
    try:
        read_regular(path)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ConfigurationError(
            f"destination {destination}: {setting}: {path} cannot be read: {why}",
            hint="it must be a PEM file that compassd's user may read",
        ) from error


def _unusable(error: ssl.SSLError) -> str:
    if "MISMATCH" in (error.reason or ""):
        return "client_key is not the key of client_certificate"
    return "client_certificate and client_key hold no certificate and private key in PEM"
