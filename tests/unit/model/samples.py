"""A system to render things of."""

from mailpod.model.records import System

SYSTEM = System(
    domain="example.org",
    instance="mailpod",
    ipv6_subnet="2001:db8::/64",
    networks=("172.20.0.0/21", "172.20.8.0/21"),
    resolver="192.0.2.53",
)
ROUTED = SYSTEM.model_copy(update={"ipv6_routed": True})
