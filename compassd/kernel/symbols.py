"""What functions are called: the map symbols of an eBPF program."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from compassd.kernel.layout import CLASS_SIZE, FILE_SIZE, FUNCTION_SIZE, SYMBOL
from compassd.text import clean

# As many as the kernel keeps.
_SYMBOLS_MAX = 16384


@dataclass(frozen=True, slots=True)
class Symbol:
    """What a function is called, as PHP spells it.

    Attributes:
        function: Its name, "" for code outside of functions.
        scope: Its class, "" for none.
        file: Where it is defined, "" for an internal one.
        type: Of its zend_function: 1 internal, 2 user, 4 eval().
    """

    function: str
    scope: str
    file: str
    type: int


@dataclass(slots=True)
class Symbols:
    """Remembers what was looked up, as the kernel forgets.

    Args:
        look_up: Returns the struct symbol of a key, None if there is none.
    """

    look_up: Callable[[int], bytes | None]
    _known: dict[int, Symbol] = field(default_factory=dict)

    def get(self, key: int) -> Symbol | None:
        """Return what the kernel has read about a function, None if it has forgotten it since."""
        if key not in self._known:
            raw = self.look_up(key)
            if raw is None:
                return None
            if len(self._known) >= _SYMBOLS_MAX:
                self._known.clear()
            self._known[key] = _decode(raw)
        return self._known[key]


def _decode(raw: bytes) -> Symbol:
    type_, _line, function, scope, file = SYMBOL.unpack(raw)
    return Symbol(
        function=_text(function, FUNCTION_SIZE),
        scope=_text(scope, CLASS_SIZE),
        file=_text(file, FILE_SIZE),
        type=type_,
    )


def _text(raw: bytes, size: int) -> str:
    return clean(raw.partition(b"\0")[0], size)
