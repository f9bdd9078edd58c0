"""A bound on the whole of an HTTP exchange, which requests does not offer.

Its timeouts begin anew with every byte, so a server that sends one byte a second never runs into them.
Shutting the socket down from another thread ends whatever waits for it: handshake, header or body.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool


class Guard:
    """Ends the connection in use when the time is up. One exchange at a time, each in the caller's thread.

    Attributes:
        expired: Whether the time of the current or last exchange was up before it ended.
    """

    def __init__(self) -> None:
        self.expired = False
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None

    @contextlib.contextmanager
    def limit(self, seconds: float) -> Iterator[None]:
        """Give what happens inside so many seconds."""
        self.expired = False
        timer = threading.Timer(seconds, self._expire)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def watch(self, connection: socket.socket) -> None:
        """Take this socket to be the connection in use from now on."""
        with self._lock:
            self._socket = connection
            if self.expired:
                self._cut()

    def _expire(self) -> None:
        with self._lock:
            self.expired = True
            self._cut()

    def _cut(self) -> None:
        if self._socket:
            with contextlib.suppress(OSError):  # it has ended by itself
                # Not SSLSocket's own shutdown, which would take its state away from the thread that reads.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


class GuardedAdapter(HTTPAdapter):
    """Connections that their guard knows of from the first packet on."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401, D102 - the base's
        super().init_poolmanager(*args, **kwargs)
        _use_guarded_connections(self.poolmanager, self._guard)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401, D102 - the base's
        manager = super().proxy_manager_for(*args, **kwargs)
        _use_guarded_connections(manager, self._guard)
        return manager


def _use_guarded_connections(manager: PoolManager, guard: Guard) -> None:
    class Plain(HTTPConnection):
        def connect(self) -> None:
            super().connect()
            guard.watch(self.sock)

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            connection = super()._new_conn()
            # TLS takes the descriptor away from this object before its handshake. A shutdown reaches every
            # copy of a descriptor, so a copy stands in until the handshake is over.
            self._stand_in = connection.dup()
            guard.watch(self._stand_in)
            return connection

        def connect(self) -> None:
            try:
                super().connect()
                guard.watch(self.sock)
            finally:
                if hasattr(self, "_stand_in"):
                    self._stand_in.close()

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    manager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}
