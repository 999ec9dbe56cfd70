"""What is left of a system on a machine's Swarm."""

from types import SimpleNamespace

import docker.errors
import pytest

from mailpod.engine import services
from mailpod.model.errors import MailpodError

GONE = SimpleNamespace(status_code=404, url="", reason="")


def refusal(code):
    return docker.errors.APIError(str(code), SimpleNamespace(status_code=code, url="", reason=""), "refused")


class Api:
    """A manager with services, networks, and containers that end after some looks."""

    def __init__(self, *names, looks=2, refusals=2):
        self._services = {name: self._service(name) for name in names}
        self._left = looks
        self._refusals = refusals
        self.there = {"swarm": "mailpod", "local": "mailpod-other"}
        self.removed = []

    def _service(self, name):
        labels = {"mailpod.instance": "mailpod", "mailpod.role": "account", "mailpod.image": "image:1"}
        mode = {"Replicated": {"Replicas": 0 if name.endswith("cold") else 1}}
        return {"ID": f"id of {name}", "Spec": {"Name": name, "Labels": labels, "Mode": mode}}

    def services(self, filters):
        wanted = filters.get("name", "")
        # As the engine does: names that begin so.
        return [one for name, one in self._services.items() if name.startswith(wanted)]

    def remove_service(self, number):
        self.removed.append(number)
        del self._services[number.removeprefix("id of ")]

    def containers(self, all, filters):  # noqa: A002  (the SDK's name)
        self._left -= 1
        return [{"Id": "one"}] if self._left > 0 else []

    def stop(self, container, timeout):
        raise docker.errors.NotFound("404", GONE, "no such container")

    def networks(self, filters):
        return [{"Id": name, "Name": name, "Scope": scope} for scope, name in self.there.items()]

    def remove_network(self, number):
        self._refusals -= 1
        if self._refusals >= 0:
            raise refusal(400)
        if number not in self.there.values():
            raise docker.errors.NotFound("404", GONE, "no such network")
        self.there = {scope: name for scope, name in self.there.items() if name != number}


@pytest.fixture(autouse=True)
def _no_time(monkeypatch):
    times = iter(range(0, 10_000, 10))
    monkeypatch.setattr("mailpod.waiting.time", SimpleNamespace(monotonic=lambda: next(times), sleep=lambda _s: None))


def test_an_engine_without_a_swarm_has_none():
    api = SimpleNamespace(services=lambda filters: (_ for _ in ()).throw(refusal(503)))
    assert services.listed(api, "mailpod") == []
    services.remove(api, "mailpod-alice")


def test_a_fault_is_no_answer():
    api = SimpleNamespace(services=lambda filters: (_ for _ in ()).throw(refusal(500)))
    with pytest.raises(docker.errors.APIError):
        services.listed(api, "mailpod")


def test_they_are_listed():
    alice, cold = services.listed(Api("mailpod-alice", "mailpod-cold"), "mailpod")
    assert (alice.name, alice.state, alice.image) == ("mailpod-alice", "running", "image:1")
    assert (cold.name, cold.state) == ("mailpod-cold", "stopped")


def test_one_is_removed_with_its_containers_and_no_other():
    api = Api("mailpod-al", "mailpod-alice")
    services.remove(api, "mailpod-al")
    assert api.removed == ["id of mailpod-al"]
    services.remove(api, "mailpod-a")
    assert api.removed == ["id of mailpod-al"]


def test_all_are_removed_with_the_networks_across_machines():
    api = Api("mailpod_main", "mailpod-alice")
    services.remove_all(api, "mailpod")
    assert api.removed == ["id of mailpod_main", "id of mailpod-alice"]
    assert api.there == {"local": "mailpod-other"}


def test_a_container_that_does_not_end_is_given_up():
    with pytest.raises(MailpodError, match="mailpod-alice was not removed within 60 s"):
        services.remove(Api("mailpod-alice", looks=100), "mailpod-alice")
