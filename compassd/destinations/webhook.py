"""A webhook: the published JSON documents by HTTP POST, signed as Standard Webhooks asks.

The specification (https://github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md):
webhook-id stays the same when a message is sent again, webhook-timestamp is that of the attempt, and
webhook-signature holds, for each key, "v1," and the base64 of the HMAC-SHA256 of "id.timestamp.body".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Mapping, Sequence

from compassd.destinations.base import Memory
from compassd.destinations.http import Poster
from compassd.destinations.tls import SYSTEM_TLS, ClientTls
from compassd.incident_document import message_document
from compassd.message import encode
from compassd.notice import Message


class WebhookDestination:
    """Posts each message to a URL.

    Args:
        name: Its name in the settings.
        url: Where to post, a secret.
        keys: Signing keys; every one signs. without one the message is not signed.
        headers: Sent along.
        timeout: How long one attempt may take altogether, s.
        tls: Whom to trust, and how to prove who we are.

    Raises:
        ConfigurationError: What tls names cannot be used.
    """

    min_interval = 0.0

    def __init__(  # noqa: PLR0913 - each is a setting of its own
        self,
        name: str,
        url: str,
        *,
        keys: Sequence[bytes] = (),
        headers: Mapping[str, str] | None = None,
        timeout: float = 10.0,
        tls: ClientTls = SYSTEM_TLS,
    ) -> None:
        self.name = name
        self._keys = tuple(keys)
        self._headers = dict(headers or {})
        self._poster = Poster(name, url, timeout, tls=tls)

    def send(self, message: Message, memory: Memory) -> None:  # noqa: ARG002 - each message says it all
        """Post the message.

        Raises:
            SendError: The answer is not 2xx, or there is none.
        """
        body = encode(message_document(message))
        message_id, timestamp = f"msg_{message.id}", int(time.time())
        headers = {
            **self._headers,
            "Content-Type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
        }
        if self._keys:
            headers["webhook-signature"] = signatures(self._keys, message_id, timestamp, body)
        self._poster.post(body, headers)

    def close(self) -> None:
        """Close the connection."""
        self._poster.close()


def signatures(keys: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> str:
    """Return the value of webhook-signature: one signature for each key, separated by spaces."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    digests = (hmac.digest(key, signed, hashlib.sha256) for key in keys)
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)
