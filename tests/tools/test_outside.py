"""The guard for addresses outside: whatever the spelling, the name or the answer of DNS, nothing private is reached."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lar.errors import ConfigError, ToolError
from lar.tools import outside
from lar.tools.outside import Outside, Pinned, spelling
from lar.tools.settings import NetworkSettings

PUBLIC, PUBLIC_V6 = "93.184.216.34", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"
PRIVATE = [
    "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254", "168.63.129.16",
    "169.254.169.254", "169.254.1.1", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.88.99.1",
    "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
    "0.0.0.0",  # noqa: S104  # refused
    "::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:0:127.0.0.1", "::127.0.0.1", "::a00:1",
    "64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::",
    "2002:a00:1::", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1", "4000::1",
]  # fmt: skip


class Names:
    """A resolver that knows these names. Each question takes the next answer; the last one stays."""

    def __init__(self, **answers: list[list[str]]) -> None:
        self._answers = {name.replace("_", "."): list(given) for name, given in answers.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str, _port: int) -> Sequence[str]:
        """The next answer."""
        self.asked.append(host)
        answers = self._answers.get(host)
        if not answers:
            raise OSError(-2, "Name or service not known")
        return answers.pop(0) if len(answers) > 1 else answers[0]


def guard(*allowed: str, names: Names | None = None, denied: tuple[str, ...] = (), block: bool = True) -> Outside:
    """A guard with these names."""
    settings = NetworkSettings(allowed_hosts=allowed, denied_hosts=denied, block_private_networks=block)
    return Outside(settings, names or Names(), lambda: [IPv6Network("2a02:8071:1::/64")])


async def test_a_public_name_is_pinned_to_its_addresses() -> None:
    """R-TO-2: a name is asked for once, and the caller gets all its addresses to connect to."""
    names = Names(example_org=[[PUBLIC, PUBLIC_V6, PUBLIC], ["127.0.0.1"]])
    pinned = await guard(names=names).resolve("Example.ORG.", 443)
    assert pinned == Pinned("example.org", 443, (PUBLIC, PUBLIC_V6))
    assert names.asked == ["example.org"]


@pytest.mark.parametrize("address", PRIVATE)
async def test_nothing_but_public_addresses(address: str) -> None:
    """R-TO-2: private, local, reserved and wrapped addresses are refused, as a literal and as the answer of DNS."""
    literal = f"[{address}]" if ":" in address else address
    with pytest.raises(ToolError):
        await guard().resolve(literal, 80)
    with pytest.raises(ToolError, match=r"^rebind\.example \("):
        await guard(names=Names(rebind_example=[[address]])).resolve("rebind.example", 80)


@pytest.mark.parametrize("address", ["127.0.0.1", "fe80::1%eth0", "::ffff:192.168.0.1"])
async def test_one_bad_address_refuses_the_name(address: str) -> None:
    """R-TO-2: a private address hidden among public ones is found."""
    with pytest.raises(ToolError):
        await guard(names=Names(mixed_example=[[PUBLIC, address]])).resolve("mixed.example", 443)


async def test_wrapped_public_addresses_are_public() -> None:
    """Behind NAT64 every IPv4 host has such an address: networks with IPv6 only still reach the web."""
    assert (await guard().resolve("[64:ff9b::8.8.8.8]", 443)).addresses == ("64:ff9b::808:808",)
    assert (await guard().resolve("[::ffff:8.8.8.8]", 443)).addresses == ("::ffff:808:808",)


async def test_neighbours_with_public_addresses() -> None:
    """R-TO-2: at home every device has a public IPv6 address; those of this machine's own network are closed too."""
    with pytest.raises(ToolError, match="this machine's own network"):
        await guard(names=Names(printer_example=[["2a02:8071:1::9"]])).resolve("printer.example", 80)
    assert (await guard().resolve("[2a02:8071:2::9]", 80)).addresses


@pytest.mark.parametrize(
    "host",
    [
        "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "127.1", "127.0.1", "127.0.0.01", "127.0.0.0x1",
        "0x", "1.2.3.4.5", "256.1.1.1", "example.0x7f", "127.0.0.1.0", "08.8.8.8", "4294967297",
        "127。0。0。1", "\uff11\uff12\uff17.0.0.1", "①②⑦.0.0.1", "127.0.0.1..", "127.0.0.1 ", " 127.0.0.1",
        "", ".", "..", "a..b", "-a.example", "a-.example", "a" * 64, ".".join(["a" * 60] * 5), "exa mple", "a/b",
        "a\\b", "a@b", "a%2eb", "a#b", "a?b", "a\nb", "a\0b", "[::1", "::1]", "[]", "[127.0.0.1", "::1%lo",
        "fe80::1%25eth0", "1::2::3", "[127.0.0.1]", "[v1.x]", "::ffff:0x7f.1",
        "user:password@example.org", "example.org:80",
    ],
)  # fmt: skip
async def test_strange_spellings(host: str) -> None:
    """R-TO-2: an address in a spelling that hides it, and what is no host, is refused before anybody is asked."""
    names = Names()
    with pytest.raises(ToolError):
        await guard(names=names).resolve(host, 80)
    assert names.asked == []


def test_one_spelling() -> None:
    """A host is compared and connected to in one spelling."""
    assert spelling("EXAMPLE.org.") == "example.org"
    assert spelling("münchen.de") == spelling("XN--MNCHEN-3YA.DE") == "xn--mnchen-3ya.de"
    assert spelling("ⓛocalhost") == "localhost"
    assert spelling("[2606:2800:021F::0]") == "2606:2800:21f::"


@given(st.text(max_size=40) | st.from_regex(r"[0-9xa-f.:\[\]%]{1,30}", fullmatch=True))
@example("xn--")
@example("xn--a.ö")
def test_any_text_has_one_spelling_or_none(host: str) -> None:
    """R-TO-2: a spelling is ASCII, stays as it is, and looks like a number only if it is an address."""
    try:
        name = spelling(host)
    except ToolError:
        return
    assert spelling(name) == name
    assert name.isascii()
    assert not set(name) & set("/\\@?#% \n[]")
    if ":" in name or name.rpartition(".")[2].isdecimal():
        assert str(ip_address(name)) == name


@given(st.integers(0, 2**32 - 1))
async def test_any_address_in_any_wrapping(number: int) -> None:
    """R-TO-2: an IPv4 address that is refused is refused in every IPv6 wrapping."""
    plain = IPv4Address(number)
    wrapped = [IPv6Address(base | number) for base in (0xFFFF << 32, 0x64FF9B << 96, 0xFFFF << 48)]
    wrapped.append(IPv6Address(0x2002 << 112 | number << 80))
    wrapped.append(IPv6Address(0x2001 << 112 | (number ^ 0xFFFF_FFFF)))
    try:
        await guard().resolve(str(plain), 80)
    except ToolError:
        for each in wrapped:
            with pytest.raises(ToolError):
                await guard().resolve(f"[{each}]", 80)
    else:
        assert plain.is_global


@given(st.integers(0, 2**128 - 1) | st.integers(0, 2**48))
async def test_any_ipv6_address(number: int) -> None:
    """R-TO-2: of IPv6, only public addresses are reached."""
    address = IPv6Address(number)
    try:
        await guard().resolve(f"[{address}]", 80)
    except ToolError:
        return
    assert address in ip_network("2000::/3") or address in ip_network("64:ff9b::/96") or address.ipv4_mapped


@pytest.mark.parametrize("port", [0, -1, 22, 25, 79, 587, 1023, 5060, 6000, 6667, 65_536])
async def test_ports_of_other_services(port: int) -> None:
    """R-TO-2: a request that a mail or chat server would take for its own language is not sent."""
    with pytest.raises(ToolError, match="not for the web"):
        await guard().resolve(PUBLIC, port)


@pytest.mark.parametrize("port", [80, 443, 1024, 8080, 65_535])
async def test_ports_of_the_web(port: int) -> None:
    """The web is also on high ports."""
    assert (await guard().resolve(PUBLIC, port)).port == port


async def test_a_listed_service_on_the_local_network() -> None:
    """R-TO-2: the owner opens one service by name and port, and nothing beside it."""
    names = Names(nas_lan=[["192.168.1.5", "fd00::5"]], other_lan=[["192.168.1.5"]])
    opened = guard("NAS.lan:8080", "10.0.0.7:22", "[fd00::5]:80", names=names)
    assert await opened.resolve("nas.lan", 8080) == Pinned("nas.lan", 8080, ("192.168.1.5", "fd00::5"), inside=True)
    assert (await opened.resolve("10.0.0.7", 22)).inside
    assert (await opened.resolve("[fd00:0::5]", 80)).inside
    assert opened.own("nas.lan.", 8080)
    assert not opened.own("nas.lan", 80)
    assert opened.own("[::ffff:10.9.9.9]", 80)
    assert not opened.own(PUBLIC, 80)
    for host, port in (("nas.lan", 8081), ("other.lan", 8080), ("192.168.1.5", 8080), ("[::ffff:10.0.0.7]", 80)):
        with pytest.raises(ToolError, match=r"tools\.network\.allowed_hosts"):
            await opened.resolve(host, port)


async def test_a_listed_name_leads_only_to_the_local_network() -> None:
    """R-TO-2: whoever answers for a listed name cannot turn it into the metadata service; its address can be listed."""
    for address in ("169.254.169.254", "fd00:ec2::254", "0.0.0.0"):  # noqa: S104  # this one is refused
        with pytest.raises(ToolError, match="never reached"):
            await guard("nas.lan:80", names=Names(nas_lan=[[address]])).resolve("nas.lan", 80)
    assert (await guard("169.254.169.254:80").resolve("169.254.169.254", 80)).inside


async def test_private_networks_opened() -> None:
    """`block_private_networks = false` opens the owner's networks, and still not the metadata service."""
    opened = guard(names=Names(nas_lan=[["192.168.1.5"]]), block=False)
    assert (await opened.resolve("nas.lan", 8080)).inside
    assert (await opened.resolve("127.0.0.1", 8080)).inside
    for address in ("169.254.169.254", "0.0.0.0", "224.0.0.1", "[fe80::1]", "[fec0::1]"):  # noqa: S104  # refused
        with pytest.raises(ToolError, match="never reached"):
            await opened.resolve(address, 80)


@pytest.mark.parametrize("host", ["evil.example", "a.b.EVIL.example.", "9.9.9.9", "[::ffff:9.9.9.9]", "nines.example"])
async def test_denied(host: str) -> None:
    """R-TO-2: a denied host is refused with all below it, a denied network in every wrapping, even if listed."""
    names = Names(nines_example=[["9.9.9.1"]])
    closed = guard("evil.example:80", names=names, denied=("evil.example", "9.9.9.0/24"), block=False)
    with pytest.raises(ToolError, match="denied by the configuration"):
        await closed.resolve(host, 80)


async def test_a_similar_name_is_not_denied() -> None:
    """What only ends alike is another host."""
    names = Names(notevil_example=[[PUBLIC]])
    assert await guard(names=names, denied=("evil.example",)).resolve("notevil.example", 80)


@pytest.mark.parametrize(
    ("allowed", "denied"), [("nas.lan", ""), ("nas.lan:http", ""), ("0x7f.1:80", ""), ("", "*.x"), ("", "a b")]
)
def test_a_rule_that_cannot_be_read(allowed: str, denied: str) -> None:
    """A misspelt rule refuses the start instead of failing open."""
    with pytest.raises(ConfigError, match=r"tools\.network\.(allowed|denied)_hosts"):
        guard(*([allowed] if allowed else []), denied=(denied,) if denied else ())


async def test_no_such_host() -> None:
    """A name that does not exist, or has no address, is said to be so."""
    with pytest.raises(ToolError, match=r"no host 'nowhere\.example'"):
        await guard().resolve("nowhere.example", 80)
    with pytest.raises(ToolError, match="no address"):
        await guard(names=Names(empty_example=[[]])).resolve("empty.example", 80)


async def test_the_machines_own_resolver() -> None:
    """R-TO-2: with the real resolver, this machine's own name leads nowhere."""
    with pytest.raises(ToolError, match="this machine"):
        await Outside(NetworkSettings()).resolve("localhost", 8080)
    assert (await Outside(NetworkSettings(block_private_networks=False)).resolve("localhost", 8080)).inside


def test_own_networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of this machine's IPv6 networks the public ones count; a system that does not tell has none."""
    table = tmp_path / "if_inet6"
    monkeypatch.setattr(outside, "_INTERFACES", table)
    assert outside.own_networks() == ()
    table.write_text(
        "00000000000000000000000000000001 01 80 10 80       lo\n"
        "fe8000000000000002aabbfffeccddee 02 40 20 80     eth0\n"
        "2a02807100010000aaaabbbbccccdddd 02 40 00 00     eth0\n"
    )
    assert outside.own_networks() == (IPv6Network("2a02:8071:1::/64"),)
