"""Certificates for the lab, by the openssl program."""

from __future__ import annotations

import subprocess
from pathlib import Path


def self_signed(directory: Path, name: str) -> Path:
    """Make NAME.crt and NAME.key for 127.0.0.1, and NAME.pem with both, and return the last.

    The certificate is its own authority, for servers and for clients.
    """
    key, certificate, both = (directory / f"{name}.{suffix}" for suffix in ("key", "crt", "pem"))
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-days", "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    both.write_text(key.read_text() + certificate.read_text())
    return both


def encrypted(key: Path) -> Path:
    """Return a copy of a private key that has a password."""
    result = key.with_suffix(".encrypted")
    subprocess.run(
        ["openssl", "pkey", "-in", key, "-out", result, "-aes128", "-passout", "pass:secret"], check=True
    )
    return result
