import pytest

from mailpod.model.errors import InvalidInput
from mailpod.services import installation, resolving
from mailpod.services.resolving import Resolver

DIGEST = "49AAC11D7B6F6446702E54A1607371607A1A41855200FD2CE1CDDE32F24E8FB5"


@pytest.fixture
def context(system):
    return system.up().process()


@pytest.fixture
def trust(context):
    """Write a file of the operator's."""

    def write(name, text):
        path = context.store.folder / "trust" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    return write


def tables(context):
    return resolving.tables(context.store, context.system)


def test_anchors_are_lines_of_a_master_file(context, trust):
    assert "root.key" in tables(context)["unbound/system.conf"]
    trust("anchors", f"; ours\n. IN DS 20326 8 2 {DIGEST}\nexample.net. 300 DS 1 13 2 {DIGEST}\n")
    told = tables(context)["unbound/system.conf"]
    assert f'trust-anchor: ". DS 20326 8 2 {DIGEST.lower()}"' in told
    assert 'trust-anchor: "example.net. DS 1 13 2' in told
    assert "root.key" not in told


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("anchors", ". IN DS 20326 8 2 XYZ\n"),
        ("anchors", "example.net. IN A 192.0.2.1\n"),
        ("anchors", "hello\n"),
        ("anchors", '. DNSKEY 257 3 13 "\nforward-zone:\n'),
        ("authorities.pem", "hello\n"),
        ("authorities.pem", "-----BEGIN PRIVATE KEY-----\n"),
    ],
)
def test_a_file_that_holds_something_else_is_refused_before_anything_is_touched(system, context, trust, name, text):
    trust(name, text)
    before = system.state()
    with pytest.raises(InvalidInput) as refused:
        installation.up(context, context.system)
    assert name in str(refused.value)
    assert system.state() == before


def test_authorities_are_certificates_and_nothing_else(context, trust):
    pem = context.keys.authority()
    trust("authorities.pem", f"# ours\n{pem}")
    assert tables(context)["trust/authorities.pem"] == pem


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (b"verified\n", Resolver("", "verified")),
        (b"bogus signature crypto failed\n", Resolver("", "bogus", "signature crypto failed")),
        (b"silent SERVFAIL\n", Resolver("", "silent", "SERVFAIL")),
        (b"", Resolver("", "unknown")),
    ],
)
def test_what_main_says_of_its_resolver(system, context, said, found):
    system.world.resolver = said
    assert resolving.resolver(context, runs=True) == found


def test_main_asks_another_resolver_and_the_root_servers_again(system):
    system.up()
    for asked, line in (("192.0.2.53", "forward-addr: 192.0.2.53"), (None, "forward-addr: 192.0.2.53")):
        installation.up(system.process(), system.planned(resolver=asked))
        assert line in system.tables()["unbound/system.conf"]
    installation.up(system.process(), system.planned(resolver="none"))
    assert "forward" not in system.tables()["unbound/system.conf"]
