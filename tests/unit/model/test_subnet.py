from ipaddress import IPv6Network, ip_network

from mailpod.model.subnet import unique_local_subnet


def test_subnets_are_unique_local_and_differ():
    made = {unique_local_subnet() for _ in range(100)}
    assert len(made) == 100
    for text in made:
        subnet = ip_network(text)
        assert isinstance(subnet, IPv6Network)
        assert subnet.prefixlen == 64
        assert subnet.subnet_of(ip_network("fd00::/8"))
