"""HTTP POST with every bound that a stranger's server makes necessary."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Container, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import requests
import urllib3

from compassd import __version__
from compassd.destinations.base import SendError
from compassd.destinations.guard import Guard, GuardedAdapter
from compassd.destinations.tls import SYSTEM_TLS, ClientTls, tls_fault

MAX_RETRY_AFTER_S = 3_600.0
"""No server may silence a destination for longer than this at a time."""

# By default no more of an answer is read: Slack's is a word, a webhook's is not looked at.
_MAX_BODY = 16_384
_RETRYABLE = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
_GONE = {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}
# Small pieces where a word is expected, so that what arrived before a cut is kept.
_SMALL, _PIECE = 64, 4_096
_SERVER_ERROR = 500
# A gateway says these when it does not know what became of the request.
_UNKNOWN = {HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered.

    Attributes:
        status: HTTP status, 200 to 299.
        body: The beginning of the body; less than all of it if it was long or slow.
        retry_after: How long its Retry-After header asks to wait, s; None without a usable one.
    """

    status: int
    body: bytes
    retry_after: float | None = None


class Poster:
    """Posts to one URL over one kept connection; for one thread.

    Redirects are not followed. Proxies and certificate authorities from the environment are used, ~/.netrc is
    not: it would replace a configured Authorization header.

    Args:
        name: Name of the destination, for errors.
        url: Where to post, a secret.
        timeout: How long one attempt may take altogether, s. Only the name's resolution and, for a host with
            several addresses, the connecting can take longer.
        tls: Whom to trust, and how to prove who we are.
        max_body: How much of an answer is read, bytes.
        gone_words: One-word explanations of a refusal that would meet every message.

    Raises:
        ConfigurationError: What tls names cannot be used.
    """

    def __init__(  # noqa: PLR0913 - each is independent, most with a default
        self,
        name: str,
        url: str,
        timeout: float,
        *,
        tls: ClientTls = SYSTEM_TLS,
        max_body: int = _MAX_BODY,
        gone_words: Container[str] = (),
    ) -> None:
        tls.check(name)
        self._name = name
        self._max_body = max_body
        self._gone_words = gone_words
        self._url = url
        self._timeout = timeout
        self._tls = tls
        self._guard = Guard()
        self._session = requests.Session()
        self._session.auth = _no_auth
        # Identity: the bound on the body then is a bound on what is decoded.
        self._session.headers.update(
            {"User-Agent": f"compassd/{__version__}", "Accept": "*/*", "Accept-Encoding": "identity"}
        )
        adapter = GuardedAdapter(self._guard)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Post body and return the answer, whose status is 2xx.

        Raises:
            SendError: No answer, or another status. 408, 425, 429, 5xx and network errors can be retried,
                everything else is permanent, and 404 and 410 say that the destination is gone.
        """
        try:
            with self._guard.limit(self._timeout):
                return self._exchange(body, headers)
        # Requests' and urllib3's exceptions hold the URL, so they go no further.
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            unreached = _never_connected(error)
            raise SendError(
                self._name, self._fault(error), uncertain=not unreached, unreached=unreached
            ) from None

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    def _exchange(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        prepared = self._session.prepare_request(
            requests.Request("POST", self._url, data=body, headers=dict(headers))
        )
        # Proxies, and whether the environment names certificate authorities.
        verify = str(self._tls.ca) if self._tls.ca else True
        environment = self._session.merge_environment_settings(self._url, {}, True, verify, None)  # noqa: FBT003
        # By the adapter, because a session reads the whole body of a redirect even if it does not follow it.
        adapter = self._session.get_adapter(self._url)
        with adapter.send(
            prepared,
            stream=True,
            timeout=self._timeout,
            verify=environment["verify"] or True,
            cert=self._tls.pair,
            proxies=environment["proxies"],
        ) as response:
            if self._guard.expired:
                # The head ends where the connection was cut, and seems complete.
                raise requests.Timeout
            # Status first: a server that has taken the message and then trickles its answer has taken it.
            status = response.status_code
            if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
                raise self._refusal(response)
            retry_after = parse_retry_after(response.headers.get("Retry-After"))
            return Answer(status, _beginning(response, self._max_body), retry_after)

    def _refusal(self, response: requests.Response) -> SendError:
        status = response.status_code
        fault = f"HTTP {status}"
        # Slack and others explain in one word; anything longer could repeat what was sent.
        found = re.fullmatch(rb"[a-z][a-z0-9_]{0,63}", _beginning(response, _MAX_BODY).strip())
        word = found[0].decode() if found else ""
        permanent = status not in _RETRYABLE and status < _SERVER_ERROR
        return SendError(
            self._name,
            f"{fault} ({word})" if word else fault,
            permanent=permanent,
            gone=status in _GONE or (permanent and word in self._gone_words),
            retry_after=parse_retry_after(response.headers.get("Retry-After")),
            uncertain=status in _UNKNOWN,
        )

    def _fault(self, error: Exception) -> str:
        if self._guard.expired or isinstance(error, requests.Timeout):
            return f"no complete answer within {self._timeout:g} s"
        if isinstance(error, requests.exceptions.SSLError):
            return tls_fault(error)
        if isinstance(error, requests.exceptions.ProxyError):
            return "the proxy refused"
        return f"connection failed ({type(error).__name__})"


def parse_retry_after(value: str | None, now: float | None = None) -> float | None:
    """Return how long a Retry-After header asks to wait, 0 to MAX_RETRY_AFTER_S; None if it is unusable.

    It holds seconds or an HTTP date (RFC 9110, section 10.2.3).

    Args:
        value: The header.
        now: Unix time, s; the present by default.
    """
    text = (value or "").strip()
    if re.fullmatch(r"[0-9]{1,20}", text):
        return min(float(text), MAX_RETRY_AFTER_S)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    # An HTTP date is always in GMT; "-0000" gives no zone.
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    reference = datetime.now(UTC).timestamp() if now is None else now
    return min(max(moment.timestamp() - reference, 0.0), MAX_RETRY_AFTER_S)


def _never_connected(error: Exception) -> bool:
    """Return whether nothing can have been sent."""
    if isinstance(error, requests.ConnectTimeout | requests.exceptions.ProxyError):
        return True
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(reason, urllib3.exceptions.NewConnectionError)


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _beginning(response: requests.Response, limit: int) -> bytes:
    """Return some limit bytes at most, fewer if the connection breaks or the time is up."""
    collected = b""
    with contextlib.suppress(urllib3.exceptions.HTTPError, OSError):
        while len(collected) < limit and (
            piece := response.raw.read(1 if len(collected) < _SMALL else _PIECE, decode_content=False)
        ):
            collected += piece
    return collected
