import contextlib
import socket

import pytest
import requests
from acme import client, errors, messages

from mailpod.model.errors import MailpodError
from mailpod.services.acme import AcmeServer, Unusable
from mailpod.services.keys import new_key


def ordering(url="https://acme.test/dir"):
    server = AcmeServer(url, "ops@example.org", new_key(), "", "example.org")
    return server.order(new_key(), ("mail.example.org",), "dns-01", lambda _: contextlib.nullcontext(), 5)


def test_one_that_does_not_answer_is_named_with_the_reason():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"https://127.0.0.1:{taken.getsockname()[1]}/dir"
        with pytest.raises(Unusable) as refused:
            ordering(url)
    assert refused.value.what == f"the ACME server {url} does not answer: Connection refused"


def fails_with(monkeypatch, error, where="get_directory"):
    def fails(*_anything):
        raise error

    monkeypatch.setattr(client.ClientV2, where, fails)


def test_one_whose_authority_is_not_known(monkeypatch):
    fails_with(monkeypatch, requests.exceptions.SSLError("self-signed"))
    with pytest.raises(Unusable, match="not from an authority that is known here") as refused:
        ordering()
    assert refused.value.hint == "correct it with: mailpod up example.org --acme-ca FILE"


@pytest.mark.parametrize("error", [errors.ClientError("not JSON"), KeyError("newAccount"), ValueError("what")])
def test_what_is_no_acme_server(monkeypatch, error):
    fails_with(monkeypatch, error)
    with pytest.raises(Unusable, match="is no ACME server") as refused:
        ordering()
    assert "--acme-server" in refused.value.hint


def test_one_that_refuses_us(monkeypatch):
    fails_with(monkeypatch, messages.Error.with_code("invalidContact", detail="no such\n  domain"))
    with pytest.raises(Unusable, match="refuses us: no such domain") as refused:
        ordering()
    assert "--acme-email" in refused.value.hint


@pytest.mark.parametrize(
    ("error", "said", "kind"),
    [
        (messages.Error.with_code("rateLimited", detail="too many"), "gives no more for now: too many", Unusable),
        (messages.Error.with_code("rejectedIdentifier", detail="never"), "refuses: never", MailpodError),
        (errors.TimeoutError(), "took longer than 5 s", MailpodError),
        (errors.IssuanceError(messages.Error.with_code("caa", detail="CAA")), "refuses: CAA", MailpodError),
        (errors.ClientError("odd"), "said what it should not", MailpodError),
    ],
)
def test_an_order_that_comes_to_nothing(monkeypatch, error, said, kind):
    session = client.ClientV2(messages.Directory({}), client.ClientNetwork())
    monkeypatch.setattr(AcmeServer, "_known", lambda *_: session)
    fails_with(monkeypatch, error, "new_order")
    with pytest.raises(kind, match=said) as refused:
        ordering()
    assert type(refused.value) is kind
    assert refused.value.hint
