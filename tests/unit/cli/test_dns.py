import json


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


def test_what_cannot_be_published_is_refused(mailpod, system, tmp_path):
    system.up()
    key = tmp_path / "key"
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
