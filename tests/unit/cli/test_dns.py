import json

import dns.zone
from tests.fakes.publisher import Elsewhere

from mailpod.services import dns_publish


def test_the_zone_is_shown_with_what_its_parent_needs(mailpod, system):
    system.dns = "built-in"
    system.up("alice")
    shown = mailpod("dns", "show")
    assert shown.code == 0
    assert "alice.example.org. 300 IN MX 10 mail.example.org." in shown.out.splitlines()
    assert "  example.org. 300 IN NS ns1.example.org." in shown.lines
    assert any(line.startswith("  example.org. IN DS ") for line in shown.lines)
    document = json.loads(mailpod("dns", "show", "--json").out)
    assert document["zone"] == "example.org"
    assert document["served"] == "built-in"
    [mx] = [one for one in document["records"] if (one["name"], one["type"]) == ("alice.example.org", "MX")]
    assert mx == {
        "name": "alice.example.org",
        "type": "MX",
        "ttl": 300,
        "data": "10 mail.example.org.",
        "required": True,
    }


def test_served_elsewhere_it_says_to_whom_to_give_it(mailpod, system):
    system.up("alice")
    shown = mailpod("dns", "show")
    assert "whoever runs them" in shown.err
    assert " NS " not in shown.out


def test_with_wildcards_it_is_a_zone_that_new_accounts_do_not_change(mailpod, system):
    system.up("alice")
    shown = mailpod("dns", "show", "--wildcards")
    text = "$ORIGIN example.org.\n$TTL 300\n@ SOA a b 1 2 3 4 5\n@ NS a.example.net.\n" + shown.out
    zone = dns.zone.from_text(text, relativize=False)
    assert zone.get_rdataset("*.example.org.", "MX").to_text().endswith("MX 10 mail.example.org.")
    assert "alice" not in shown.out
    listed = json.loads(mailpod("dns", "show", "--wildcards", "--json").out)["records"]
    assert {"*.example.org"} == {one["name"] for one in listed if one["name"].startswith("*")}


def test_the_systems_own_zone_has_no_wildcards(mailpod, system):
    system.dns = "built-in"
    system.up("alice")
    for command in ("show", "check"):
        assert mailpod("dns", command, "--wildcards").code == 2


def test_what_cannot_be_published_is_refused(mailpod, system, tmp_path):
    system.up()
    key = tmp_path / "key"
    key.touch(0o600)
    for text in ("", 'key "x" { algorithm hmac-md6; secret "AAAA"; };', 'key "x" { algorithm hmac-sha256; };'):
        key.write_text(text)
        assert mailpod("dns", "publish", "--server", "192.0.2.1", "--key-file", str(key)).code == 2
    key.write_text('key "x" {\n\talgorithm hmac-sha256;\n\tsecret "AAAA";\n};\n')
    assert mailpod("dns", "publish", "--server", "no such host", "--key-file", str(key)).code == 2
    assert mailpod("dns", "publish", "--server", "192.0.2.1", "--key-file", str(tmp_path / "none")).code == 2


def test_what_mailpod_serves_itself_is_not_published(mailpod, system, tmp_path):
    system.dns = "built-in"
    system.up()
    key = tmp_path / "key"
    key.write_text('key "x" { algorithm hmac-sha256; secret "AAAA"; };')
    refused = mailpod("dns", "publish", "--server", "192.0.2.1", "--key-file", str(key))
    assert refused.code == 2
    assert "served by mailpod itself" in refused.err


def test_what_others_can_read_is_no_secret(mailpod, system, tmp_path):
    system.up()
    file = tmp_path / "file"
    file.write_text('token = "t"')
    file.chmod(0o644)
    for options in (("--provider", "gandi", "--credentials"), ("--server", "192.0.2.1", "--key-file")):
        refused = mailpod("dns", "publish", *options, str(file))
        assert refused.code == 2
        assert f"chmod 600 {file}" in refused.err


def test_half_a_way_and_no_way_are_refused(mailpod, system, tmp_path):
    system.up()
    assert mailpod("dns", "publish", "--provider", "gandi").code == 2
    assert mailpod("dns", "publish", "--key-file", str(tmp_path / "key")).code == 2
    refused = mailpod("dns", "publish")
    assert refused.code == 2
    assert "nobody is named" in refused.err


def test_a_way_is_kept_once_it_was_gone(mailpod, system, tmp_path, monkeypatch):
    system.up()
    file = tmp_path / "file"
    file.touch(0o600)
    file.write_text('token = "t0ken"')
    there = Elsewhere()
    monkeypatch.setattr(dns_publish, "publisher", lambda _context, _way: there)
    asked = ("dns", "publish", "--provider", "gandi", "--credentials", str(file))
    shown = mailpod(*asked, "--keep", "--dry-run")
    assert "+ example.org. 300 IN MX 10 mail.example.org." in shown.out.splitlines()
    assert system.store.publishing() is None
    there.breaks = True
    assert mailpod(*asked, "--keep").code == 1
    assert system.store.publishing() is None
    there.breaks = False
    assert mailpod(*asked, "--keep").code == 0
    [path] = (path for path in system.folder.rglob("*") if path.is_file() and "t0ken" in path.read_text())
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(mailpod("dns", "publish", "--json").out)["server"] == "gandi"
    assert mailpod("dns", "publish", "--no-keep", "--dry-run").code == 0
    assert system.store.publishing() is not None
    assert mailpod("dns", "publish", "--no-keep").code == 0
    assert system.store.publishing() is None


def test_a_secondary_is_shown_with_what_it_has_to_be_told(mailpod, system):
    system.dns = "built-in"
    system.up()
    added = json.loads(mailpod("dns", "secondary", "add", "ns2.example.net", "192.0.2.53", "--json").out)
    assert added["key"]["name"] == "ns2.example.net"
    assert mailpod("dns", "secondary", "add", "ns2.example.net", "192.0.2.53").code == 4
    shown = mailpod("dns", "secondary", "show", "ns2.example.net")
    assert added["bind"] in shown.out
    assert added["knot"] in shown.out
    assert "ns2.example.net\t192.0.2.53" in mailpod("dns", "secondary", "list").out
    assert mailpod("dns", "secondary", "delete", "ns2.example.net").code == 0
    assert json.loads(mailpod("dns", "secondary", "list", "--json").out) == []
    assert mailpod("dns", "secondary", "show", "ns2.example.net").code == 3
