"""Whose word for an address is believed."""

import pytest

from townsquare.edge.addresses import read_proxies, real_address

OURS = read_proxies(["127.0.0.1", "10.0.0.0/8", "::1"])


@pytest.mark.parametrize(
    ("peer", "forwarded", "real"),
    [
        ("192.0.2.1", ["198.51.100.1"], "192.0.2.1"),
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("127.0.0.1", ["1.1.1.1, 198.51.100.1"], "198.51.100.1"),
        ("127.0.0.1", ["1.1.1.1", "198.51.100.1"], "198.51.100.1"),
        ("127.0.0.1", ["1.1.1.1, 198.51.100.1, 10.1.2.3"], "198.51.100.1"),
        ("127.0.0.1", ["1.1.1.1, 127.0.0.1"], "1.1.1.1"),
        ("::ffff:127.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("127.0.0.1", ["2001:db8::1"], "2001:db8::1"),
        ("127.0.0.1", ["198.51.100.1, nonsense"], "127.0.0.1"),
        ("127.0.0.1", ["198.51.100.1:80"], "127.0.0.1"),
    ],
)
def test_cve_2024_34535_only_our_own_proxies_are_believed(peer: str, forwarded: list[str], real: str) -> None:
    assert real_address(peer, forwarded, OURS) == real


def test_without_proxies_nobody_is_believed() -> None:
    assert real_address("127.0.0.1", ["198.51.100.1"], ()) == "127.0.0.1"
    with pytest.raises(ValueError):
        read_proxies(["proxy.example"])
