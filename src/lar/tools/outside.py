"""The one guard for addresses outside: whatever connects for a model asks here first, and connects only where it says.

Names are resolved here, every address is judged, and the caller gets the addresses it may connect to. It must not ask
DNS again: the second answer may be another one.
"""

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path

from yarl import URL

from lar.errors import ConfigError, ToolError
from lar.tools.settings import NetworkSettings

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""Every address of a name, as text; `OSError` if there is none."""

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def _networks(*texts: str) -> tuple[Network, ...]:
    return tuple(ip_network(text) for text in texts)


_NEVER = {
    "a cloud's metadata service": _networks(
        "169.254.169.254/32",
        "169.254.170.2/32",
        "100.100.100.200/32",
        "168.63.129.16/32",
        "192.0.0.192/32",
        "fd00:ec2::254/128",
        "fd20:ce::254/128",
    ),
    "an unspecified address": _networks("0.0.0.0/8", "::/128"),
    "a link-local address": _networks("169.254.0.0/16", "fe80::/10"),
    "multicast or broadcast": _networks("224.0.0.0/4", "255.255.255.255/32", "ff00::/8"),
    "a reserved address": _networks(
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "240.0.0.0/4",
        "2001::/23",  # Teredo and other tunnels among them
        "2001:db8::/32",
        "2002::/16",  # 6to4
        "3fff::/20",
    ),
}
"""Where nothing public is, and nothing of the owner's own either. The first reason that fits is given."""

_INSIDE = {
    "this machine": _networks("127.0.0.0/8", "::1/128"),
    "the local network": _networks("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"),
    "a carrier's or a tunnel's network": _networks("100.64.0.0/10"),
}
"""The owner's own networks: open where the configuration says so."""

_PUBLIC_V6 = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
_INTERFACES = Path("/proc/net/if_inet6")

_WELL_KNOWN, _LARGEST_PORT, _WEB = 1024, 65_535, frozenset({80, 443})
# Above the well-known ones, those on which browsers speak no HTTP either (Fetch standard, "bad port").
_OTHER_SERVICES = frozenset(
    {1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, *range(6665, 6670), 6679, 6697, 10_080}
)
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_LONGEST_NAME = 253


@dataclass(frozen=True, slots=True)
class Pinned:
    """Where a host may be reached: connect to `addresses`, in this order, and nowhere else.

    `host` is its name in one spelling, for the Host header and for TLS. `inside`: on the owner's own network.
    """

    host: str
    port: int
    addresses: tuple[str, ...]
    inside: bool = False


async def ask_system(host: str, port: int) -> Sequence[str]:
    """What this machine's resolver says."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


def own_networks() -> tuple[IPv6Network, ...]:
    """The public IPv6 networks this machine is in: the other devices of a home have public addresses there.

    Empty where the system does not tell (it does on Linux).
    """
    try:
        lines = _INTERFACES.read_text(encoding="ascii").splitlines()
    except OSError:
        return ()
    fields = [line.split() for line in lines]
    found = [IPv6Network((int(address, 16), int(length, 16)), strict=False) for address, _, length, *_ in fields]
    return tuple(network for network in found if network.subnet_of(_PUBLIC_V6))


class Outside:
    """Says where a host may be reached, or why not."""

    def __init__(
        self,
        settings: NetworkSettings,
        resolve: Resolver = ask_system,
        networks: Callable[[], Sequence[IPv6Network]] = own_networks,
    ) -> None:
        self._blocks_inside = settings.block_private_networks
        self._allowed = frozenset(_pair(each) for each in settings.allowed_hosts)
        self._denied = tuple(_denied(each) for each in settings.denied_hosts)
        self._ask = resolve
        self._own = networks

    def own(self, host: str, port: int) -> bool:
        """Whether this is known, without asking, to be a service of the owner's: it is listed, or no public address.

        Raises:
            ToolError: the host is not spelt as one.

        """
        name = spelling(host)
        literal = _address(name)
        return (name, port) in self._allowed or (literal is not None and not _is_public(_without_wrapping(literal)))

    async def resolve(self, host: str, port: int) -> Pinned:
        """The addresses at which this host may be reached. All of them are judged, and one bad one refuses the host.

        Raises:
            ToolError: it may not be reached, or does not exist; the text says why.

        """
        name = spelling(host)
        listed = (name, port) in self._allowed
        self._check_name(name, port, listed=listed)
        literal = _address(name)
        found = [literal] if literal else await self._look_up(name, port)
        inside = [self._is_inside(name, each, listed=listed, literal=literal is not None) for each in found]
        return Pinned(name, port, tuple(str(each) for each in found), any(inside))

    def _check_name(self, name: str, port: int, *, listed: bool) -> None:
        if any(isinstance(rule, str) and f".{name}".endswith(f".{rule}") for rule in self._denied):
            raise ToolError(f"{name} is denied by the configuration (tools.network.denied_hosts).")
        known = port in _WEB if port < _WELL_KNOWN else port <= _LARGEST_PORT and port not in _OTHER_SERVICES
        if not known and not listed:
            raise ToolError(f"Port {port} is not for the web. Use 80, 443 or a port from 1024 on.")

    async def _look_up(self, name: str, port: int) -> list[Address]:
        try:
            answers = await self._ask(name, port)
        except (OSError, UnicodeError) as error:
            raise ToolError(f"There is no host {name!r} ({error}). Check the address.") from None
        found = list(dict.fromkeys(ip_address(answer.partition("%")[0]) for answer in answers))
        if not found:
            raise ToolError(f"The host {name!r} has no address.")
        return found

    def _is_inside(self, name: str, address: Address, *, listed: bool, literal: bool) -> bool:
        """Whether an address that may be reached is on the owner's own network.

        What is listed by name may be anywhere on it; anything else must be listed by its address.
        """
        real = _without_wrapping(address)
        said = name if literal else f"{name} ({address})"
        if any(not isinstance(rule, str) and real in rule for rule in self._denied):
            raise ToolError(f"{said} is denied by the configuration (tools.network.denied_hosts).")
        never, inside = _reason(_NEVER, real), _reason(_INSIDE, real) or self._neighbour(real)
        if never and not (listed and literal):
            raise ToolError(f"{said} is {never}: it is never reached.")
        if inside and self._blocks_inside and not listed:
            raise ToolError(
                f"{said} is on {inside}, which is closed to tools. Its owner can open one service there by adding "
                "its host:port to tools.network.allowed_hosts."
            )
        if not inside and not never and not _is_public(real):
            raise ToolError(f"{said} is no public address: it is never reached.")
        return bool(inside or never)

    def _neighbour(self, address: Address) -> str:
        own = isinstance(address, IPv6Address) and any(address in network for network in self._own())
        return "this machine's own network" if own else ""


def spelling(host: str) -> str:
    """A host in its one spelling: lower case, ASCII, without brackets and without a final dot.

    Raises:
        ToolError: it is none, or an address in a spelling that hides which.

    """
    if host.startswith("[") and host.endswith("]") and ":" in host:
        host = host[1:-1]
    if ":" in host or not host.isascii():
        host = _unusual(host)
        if ":" in host:
            return host
    name = host.lower().removesuffix(".")
    labels = name.split(".")
    if len(name) > _LONGEST_NAME or not all(_LABEL.fullmatch(label) for label in labels):
        raise ToolError(f"{host!r} is not a host name.")
    if _NUMBER.fullmatch(labels[-1]) and _address(name) is None:
        raise ToolError(f"{host!r} is not an address. Write one as four decimal numbers, such as 93.184.216.34.")
    return name


def _unusual(host: str) -> str:
    """An IPv6 address in its one spelling, or an international name in ASCII."""
    try:
        if ":" not in host:
            return URL.build(scheme="http", host=host).raw_host or ""
        address = IPv6Address(host)
    except ValueError:
        raise ToolError(f"{host!r} is not a host.") from None
    if address.scope_id:
        raise ToolError(f"{host!r} names a network interface, which a public address does not.")
    return str(address)


def _address(name: str) -> Address | None:
    try:
        return ip_address(name)
    except ValueError:
        return None


def _without_wrapping(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for (mapped, or behind NAT64); any other address as it is."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address


def _reason(table: dict[str, tuple[Network, ...]], address: Address) -> str:
    return next((reason for reason, networks in table.items() if any(address in each for each in networks)), "")


def _is_public(address: Address) -> bool:
    """By what Python knows of assigned networks; IPv6 has public addresses in one eighth only."""
    return address.is_global and (isinstance(address, IPv4Address) or address in _PUBLIC_V6)


def _pair(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    try:
        return spelling(host), int(port)
    except (ToolError, ValueError):
        raise ConfigError(
            f"tools.network.allowed_hosts: {text!r} is not host:port, such as nas.lan:8080 or [fd00::5]:80"
        ) from None


def _denied(text: str) -> str | Network:
    try:
        return ip_network(text.strip("[]"), strict=False)
    except ValueError:
        pass
    try:
        return spelling(text)
    except ToolError as error:
        raise ConfigError(f"tools.network.denied_hosts: {error} Name a host, an address or a network.") from None
