"""Which network addresses belong to the public internet.

Box: kit. Source: IANA special-purpose address registries; addresses inside IPv6 forms are taken out and judged too.
"""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address

_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
_TEREDO = IPv6Network("2001::/32")
# Public by their number, but they answer for the host or the network we are in.
_REFUSED = tuple(
    ip_network(each)
    for each in (
        "168.63.129.16/32",  # a cloud's metadata
        "192.0.0.0/24",  # protocol assignments
        "192.88.99.0/24",  # relays of 6to4
        "2001:20::/28",  # identifiers, not addresses
        "3fff::/20",  # documentation
    )
)


def is_public(address: Address | str) -> bool:
    """Whether the address is global unicast. An IPv4 address inside a mapped, 6to4 or NAT64 form must be so too."""
    if isinstance(address, str):
        try:
            address = ip_address(address)
        except ValueError:
            return False
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return False
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        if address not in _GLOBAL_UNICAST or address in _TEREDO:
            return False
    if any(address.version == network.version and address in network for network in _REFUSED):
        return False
    return address.is_global and not (
        address.is_multicast or address.is_private or address.is_reserved or address.is_loopback
    )
