"""Every error that Compass raises on purpose, in one hierarchy.

A message says what is wrong; the hint says what to do next. The command line prints both and exits with
the class's status, so that callers need not know the classes.
"""

from __future__ import annotations


class CompassError(Exception):
    """Base of all errors with a message meant for a person.

    Args:
        message: What is wrong, in one line.
        hint: What the reader can do about it, in one line; empty if there is nothing to say.
    """

    exit_status = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    @property
    def advice(self) -> str:
        """The message, followed by the hint if there is one."""
        return f"{self} ({self.hint})" if self.hint else str(self)


class ConfigurationError(CompassError):
    """Settings or rules that cannot be used."""


class KernelError(CompassError):
    """The eBPF side cannot be loaded or attached."""


class PrivilegeError(CompassError):
    """Capabilities cannot be given up."""


class RecordError(CompassError):
    """A record from the kernel that does not have the shape of the ABI."""


class DeliveryError(CompassError):
    """A destination did not take a message."""


class StoreError(CompassError):
    """What is kept on disk cannot be used."""
