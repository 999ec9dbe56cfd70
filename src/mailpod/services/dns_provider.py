"""A DNS provider's API, through octoDNS and its module for that provider."""

import contextlib
import importlib
import logging
from collections.abc import Iterable, Iterator, Mapping

from octodns.provider.base import BaseProvider
from octodns.record import Record
from octodns.record.rr import Rrset
from octodns.zone import Zone
from requests.exceptions import RequestException

from mailpod.model.errors import MailpodError
from mailpod.model.zone import TTL
from mailpod.services.lookup import canonical
from mailpod.services.nameserver import Sets
from mailpod.services.reasons import innermost

_CLASSES = {
    "cloudflare": "CloudflareProvider",
    "digitalocean": "DigitalOceanProvider",
    "gandi": "GandiProvider",
    "hetzner": "HetznerProvider",
    "ovh": "OvhProvider",
    "powerdns": "PowerDnsProvider",
}


class Provider:
    """One zone at a provider.

    Args:
        name: one of `mailpod.model.publishing.PROVIDERS`.
        options: what its API wants to know.
        zone: the zone's name; it has to be there.
    """

    def __init__(self, name: str, options: Mapping[str, str | int], zone: str) -> None:
        self._name = name
        self._options = options
        self._zone = zone
        # Else Python writes its warnings to standard error: of records of kinds that are none of ours.
        logging.getLogger().addHandler(logging.NullHandler())

    def held(self, keys: Iterable[tuple[str, str]]) -> Sets:
        """The sets of records that are there, of these names and types; without those of which there are none.

        Raises:
            MailpodError: it does not answer, refuses, or has no such zone.
        """
        wanted = set(keys)
        with self._said_plainly():
            _, zone = self._there()
        found = {(one.fqdn.removesuffix("."), one._type): one for one in zone.records}
        return {key: _values(one) for key, one in found.items() if key in wanted}

    def update(self, changes: Sets) -> None:
        """Make these sets hold these values alone; those without any are removed. All others stay as they are.

        Raises like `held`.
        """
        with self._said_plainly():
            provider, zone = self._there()
            desired = zone.copy()
            for record in list(desired.records):
                if (record.fqdn.removesuffix("."), record._type) in changes:
                    desired.remove_record(record)
            for (name, kind), values in changes.items():
                if values:
                    desired.add_record(Record.from_rrset(zone, Rrset(f"{name}.", kind, TTL, sorted(values))))
            plan = provider.plan(desired)
            if plan:
                provider.apply(plan)

    def _there(self) -> tuple[BaseProvider, Zone]:
        """The provider, which remembers nothing of before, and its zone as it is now."""
        provider = getattr(importlib.import_module(f"octodns_{self._name}"), _CLASSES[self._name])
        made = provider(self._name, **self._options)
        zone = Zone(f"{self._zone}.", [])
        if not made.populate(zone, target=True, lenient=True):
            raise MailpodError(f"{self._name} has no zone {self._zone}", "make it there first")
        return made, zone

    @contextlib.contextmanager
    def _said_plainly(self) -> Iterator[None]:
        try:
            yield
        except MailpodError:
            raise
        except RequestException as error:
            hint = "see that this machine reaches it, and that the credentials are right"
            raise MailpodError(f"{self._name} does not answer as it should: {innermost(error)}", hint) from error
        except Exception as error:  # every provider's library has errors of its own
            reason = " ".join(str(error).split()) or type(error).__name__
            raise MailpodError(f"{self._name} refused: {reason}", "see that the credentials are right") from error


def _values(record: Record) -> frozenset[str]:
    return frozenset(canonical(record._type, one) for one in record.to_rrset().rdatas)
