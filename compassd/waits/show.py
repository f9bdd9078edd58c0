"""What may be told of the text that the kernel has found in a function."""

from __future__ import annotations

from dataclasses import dataclass

from compassd.kernel.texts import RawText
from compassd.waits.functions import wait_function
from compassd.waits.kinds import TextPolicy
from compassd.waits.normalise import wait_text


@dataclass(frozen=True, slots=True)
class TextShow:
    """Turns raw texts into what is shown.

    Args:
        policy: How much of them may be told.
    """

    policy: TextPolicy

    def __call__(self, scope: str, function: str, text: RawText) -> str:
        """Return what may be told of the text of an internal function; "" for nothing."""
        found = wait_function(scope, function)
        if found is None or found.kind is None:
            return ""
        return wait_text(found.kind, text.raw, cut=text.is_cut, policy=self.policy)
