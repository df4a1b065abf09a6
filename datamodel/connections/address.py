"""Which REDCap addresses may be asked at all. Pure; the client that asks resolves a name once and asks here again.

An address comes from a person's form, and the server that asks it stands inside: without this, the form would reach whatever
the server reaches (a cloud's metadata, the database, a neighbour's printer).
"""

import ipaddress
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from datamodel.kernel.errors import BadInputError
from datamodel.kernel.settings import Settings

IP = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?")
#: The last part of a name that a resolver may take for a number (WHATWG URL, "ends in a number").
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
#: Characters of a name (RFC 1035).
_LONGEST: Final = 253
_PRINTED: Final = re.compile(r"[!-~]+")
#: Prefixes whose last 32 bits are an IPv4 address (RFC 6052; the old IPv4-compatible form).
_CARRIERS: Final = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("::/96"))
_ISATAP: Final = frozenset({0x00005EFE, 0x02005EFE})


@dataclass(frozen=True, slots=True)
class Target:
    """Where a REDCap answers. `networks` are the inside networks that an administrator allows for this host."""

    scheme: str
    host: str
    port: int
    networks: tuple[Network, ...]
    is_loopback_allowed: bool

    def admits(self, ip: IP) -> bool:
        """Whether this address may be connected to."""
        found = [ip, *carried(ip)]
        if all(one.is_loopback for one in found):
            return self.is_loopback_allowed
        if any(one.is_loopback or one.is_link_local or one.is_multicast or one.is_unspecified for one in found):
            return False
        if any(one in network for one in found for network in self.networks if one.version == network.version):
            return True
        return all(one.is_global and not one.is_reserved for one in found)


def target(url: str, given: Settings) -> Target:
    """Return where `url` leads.

    Raises
    ------
    BadInputError
        When the address is not one that may be asked. The sentence names the host, never the rest of the address.
    """
    parts = _parts(url)
    host = (parts.hostname or "").rstrip(".").lower()
    allowed = _allowed(given.redcap_hosts)
    _check_host(host)
    if given.is_production:
        if parts.scheme != "https":
            raise BadInputError("In production a REDCap address begins with https://. Nothing was asked.")
        if host not in allowed:
            raise BadInputError(
                f"The host {host} is not among those that an administrator allows (METRICIS_REDCAP_HOSTS: "
                f"{', '.join(sorted(allowed)) or 'none yet'}). Nothing was asked."
            )
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return Target(parts.scheme, host, port, allowed.get(host, ()), is_loopback_allowed=not given.is_production)


def literal(host: str) -> IP | None:
    """Return the IP address that a host is, or None for a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def carried(ip: IP) -> list[IP]:
    """Return the IPv4 addresses that an IPv6 address carries inside: what is reached may be those."""
    if isinstance(ip, ipaddress.IPv4Address):
        return []
    number = int(ip)
    found: list[IP | None] = [ip.ipv4_mapped, ip.sixtofour, *(ip.teredo or ())]
    if (any(ip in one for one in _CARRIERS) and number > 1) or (number >> 32) & 0xFFFFFFFF in _ISATAP:
        found.append(ipaddress.IPv4Address(number & 0xFFFFFFFF))
    return [one for one in found if one is not None]


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise BadInputError("This is not a web address. Nothing was asked.") from None
    if not _PRINTED.fullmatch(url) or "\\" in url or parts.scheme not in {"http", "https"} or not parts.hostname:
        raise BadInputError(
            "A REDCap address begins with http:// or https:// and holds neither blanks nor signs other than ASCII; the one "
            "received does not. Nothing was asked."
        )
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise BadInputError(
            "A REDCap address holds no user, password or parameters. Nothing was asked; leave them out."
        )
    return parts


def _check_host(host: str) -> None:
    if literal(host) is not None and "%" not in host:
        return
    labels = host.split(".")
    if len(host) > _LONGEST or not all(_LABEL.fullmatch(one) for one in labels) or _NUMBER.fullmatch(labels[-1]):
        raise BadInputError(
            "The host of a REDCap address is a name such as redcap.example.org, or an IP address in its usual form. Nothing was "
            "asked."
        )


def _allowed(text: str) -> dict[str, tuple[Network, ...]]:
    """Read `host, other=10.2.0.0/16` into hosts and the inside networks allowed for each."""
    found: dict[str, tuple[Network, ...]] = {}
    for one in filter(None, (part.strip().lower() for part in text.split(","))):
        host, _, network = one.partition("=")
        try:
            found[host] = (*found.get(host, ()), *([ipaddress.ip_network(network.strip())] if network else []))
        except ValueError:
            raise BadInputError(
                f"METRICIS_REDCAP_HOSTS names “{network}” for {host}, which is not a network such as 10.2.0.0/16."
            ) from None
    return found
