"""A Swarm of one, and an engine that cannot be one. The refusals are Docker 20.10's."""

from types import SimpleNamespace

import docker.errors
import pytest

from mailpod.engine import founding
from mailpod.model.errors import MailpodError

INACTIVE = {"LocalNodeState": "inactive", "ControlAvailable": False}
ADDRESSES = (
    "could not choose an IP address to advertise since this system has multiple addresses on interface eth0 (a and b)",
    "interface eth0 has more than one IPv6 address (2001:db8::1 and fe80::1)",
    "advertise address must be a non-zero IP address or network interface (with optional port number)",
)


class Api:
    """An engine that is in a Swarm, or not, and may refuse to make one."""

    def __init__(self, swarm, refusal=""):
        self._swarm = swarm
        self._refusal = refusal
        self.asked = []

    def info(self):
        return {"Swarm": self._swarm}

    def networks(self, names):
        return [{"Name": name} for name in names if self.asked]

    def init_swarm(self, **arguments):
        self.asked.append(arguments)
        if self._refusal:
            raise docker.errors.APIError("400", SimpleNamespace(status_code=400, url="", reason=""), self._refusal)


@pytest.mark.parametrize(("said", "advertised"), [("", None), ("192.0.2.1", "192.0.2.1")])
def test_it_is_made_where_there_is_none(said, advertised):
    api = Api(INACTIVE)
    assert founding.found(api, said)
    assert api.asked == [{"advertise_addr": advertised, "listen_addr": "0.0.0.0:2377"}]


def test_it_is_kept_where_there_is_one():
    api = Api({"LocalNodeState": "active", "ControlAvailable": True})
    assert not founding.found(api, "")
    assert not api.asked


@pytest.mark.parametrize("state", ["active", "pending", "locked", "error"])
def test_a_machine_that_does_not_manage_its_swarm_is_refused(state):
    api = Api({"LocalNodeState": state, "ControlAvailable": False})
    with pytest.raises(MailpodError, match="in a Swarm that it does not manage"):
        founding.found(api, "")
    assert not api.asked


@pytest.mark.parametrize("said", ADDRESSES)
def test_where_it_depends_on_an_address_one_is_asked_for(said):
    with pytest.raises(MailpodError) as refused:
        founding.found(Api(INACTIVE, said), "")
    assert said in refused.value.what
    assert "--advertise-addr" in refused.value.hint


def test_whatever_else_the_engine_refuses_is_told_in_its_words():
    said = "--live-restore daemon configuration is incompatible with swarm mode"
    with pytest.raises(MailpodError, match=said) as refused:
        founding.found(Api(INACTIVE, said), "")
    assert "advertise" not in refused.value.hint
