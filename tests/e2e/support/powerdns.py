"""PowerDNS in the outside, as a DNS provider has it: a zone that is somebody's, changed through its API alone."""

import json
import urllib.request

from tests.e2e.support.wait import until
from tests.e2e.support.world import World
from tests.e2e.support.zone import ask

PORT = 5300
_API, _KEY = 8081, "of-the-api"
_CONFIGURATION = f"""
launch=lmdb
lmdb-filename=/tmp/pdns/zones
local-address=0.0.0.0
local-port={PORT}
socket-dir=/tmp/pdns
api=yes
api-key={_KEY}
webserver=yes
webserver-address=0.0.0.0
webserver-port={_API}
webserver-allow-from=0.0.0.0/0
"""


class PowerDns:
    """The provider, once it runs.

    Attributes:
        credentials: what its customer has to know, as `mailpod dns publish` reads it.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.credentials = f'host = "{world.address}"\napi_key = "{_KEY}"\nport = {_API}\n'

    def start(self, zone: str) -> None:
        """Start it with a zone in which there is a web server already."""
        self._world.run("mkdir", "-p", "/tmp/pdns")
        self._world.give("/tmp/pdns", "pdns.conf", _CONFIGURATION.encode())
        assert self._world.run("pdns_server", "--config-dir=/tmp/pdns", "--daemon", "--guardian=no")[0] == 0
        until(lambda: self._call("GET", "") is not None, "PowerDNS", 10)
        www = {"name": f"www.{zone}.", "type": "A", "ttl": 300, "records": [{"content": "192.0.2.80"}]}
        made = {"name": f"{zone}.", "kind": "Native", "nameservers": ["ns.outside.test."], "rrsets": [www]}
        assert self._call("POST", "/zones", made)

    def stop(self) -> None:
        """Let it answer nobody any more."""
        self._world.run("pkill", "pdns_server")

    def served(self, name: str, kind: str) -> set[str]:
        """What it has for a name."""
        return ask(self._world.address, PORT, name, kind)

    def _call(self, method: str, path: str, document: object = None) -> object:
        url = f"http://{self._world.address}:{_API}/api/v1/servers/localhost{path}"
        data = json.dumps(document).encode() if document else None
        request = urllib.request.Request(url, data, {"X-API-Key": _KEY}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return json.load(answer)
        except OSError:
            return None
