"""Who may knock at the local doors: whoever holds the token, and no web page that happens to run in a browser here."""

import hmac
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's own."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def from_here(headers: Mapping[str, str], host: str) -> bool:
    """Whether a request names this server as the server, and comes from no page of another site.

    `host` is what the server listens on. A page that had its name rebound to a loopback address gives itself away by
    its `Host`, one of another site by its `Origin`.
    """
    asked = urlsplit(f"//{headers.get('host', '')}").hostname or ""
    if is_loopback(host) and not is_loopback(asked):
        return False
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host")


def holds(token: str, headers: Mapping[str, str], offered: str = "") -> bool:
    """Whether the bearer header, or what was `offered` instead, is the token."""
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    proof = bearer if scheme.lower() == "bearer" else offered
    return hmac.compare_digest(proof.encode(), token.encode())
