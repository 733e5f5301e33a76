"""What every test stands on: no network beyond this machine, and no key or setting of the operator."""

import os
import shutil
import socket
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any, NoReturn, Protocol

import pytest

from lar.testing.required import required

# Nothing listens there: a child process that ignores its configured base URL meets a closed door, not a vendor.
CLOSED_DOOR = "http://127.0.0.1:9"
OURS = "127.0.0.1,localhost,::1"
LOCAL_NAMES = frozenset({"", "localhost", "localhost.localdomain", "ip6-localhost", socket.gethostname()})
SECRET_ENDINGS = ("_API_KEY", "_TOKEN", "_API_KEYS", "_SECRET")


class NetworkRefused(AssertionError):
    """A test tried to leave this machine."""


def is_local(host: object) -> bool:
    """True for this machine's own names and loopback addresses; a wildcard address is this machine's, too."""
    if host is None:
        return True
    text = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    if text in LOCAL_NAMES:
        return True
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def refuse(host: object) -> NoReturn:
    """Fail the test that wanted to leave."""
    raise NetworkRefused(
        f"A test tried to reach {host!r}. Tests reach only this machine; use a simulator of lar.testing."
    )


def guard_network() -> None:
    """Make every Python socket of this process refuse any address but this machine's."""
    lookup = socket.getaddrinfo

    def guarded(real: Callable[..., Any], position: int) -> Callable[..., Any]:
        def call(sock: socket.socket, *arguments: Any) -> Any:
            address: Any = arguments[position]
            if sock.family in {socket.AF_INET, socket.AF_INET6} and not is_local(address[0]):
                refuse(address[0])
            return real(sock, *arguments)

        return call

    def guarded_lookup(host: Any, *arguments: Any, **options: Any) -> Any:
        if not is_local(host):
            refuse(host)
        return lookup(host, *arguments, **options)

    for name, position in (("connect", 0), ("connect_ex", 0), ("sendto", -1)):
        setattr(socket.socket, name, guarded(getattr(socket.socket, name), position))
    socket.getaddrinfo = guarded_lookup


def forget_operator() -> None:
    """Take the operator's keys and settings out of the environment that tests and their child processes see."""
    for name in list(os.environ):
        of_lar = name.startswith("LAR_") and not name.startswith("LAR_TEST_")
        if of_lar or name.endswith(SECRET_ENDINGS):
            del os.environ[name]
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        os.environ[name] = os.environ[name.lower()] = CLOSED_DOOR
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = OURS


class Require(Protocol):
    """Shape of the `require` fixture."""

    def __call__(self, component: str, command: str, *, found: bool | None = None) -> None:
        """Go on only where `component` exists; `command` installs it; `found` overrules the look on PATH."""
        ...


def require_component(component: str, command: str, *, found: bool | None = None) -> None:
    """Skip where a component is missing, naming the command that installs it; where it is required, fail."""
    if found if found is not None else shutil.which(component) is not None:
        return
    sentence = f"{component} is missing here; install it with: {command}"
    if required(component):
        pytest.fail(sentence)
    pytest.skip(sentence)
