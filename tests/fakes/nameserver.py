"""The name server of a `World`."""

from collections.abc import Callable, Iterable

from tests.fakes.world import World

from mailpod.model.layout import nameserver_container
from mailpod.model.zone import Record
from mailpod.services.nameserver import CHALLENGE, Sets, Silent, sets


class FakeNameserver:
    """Behaves as `mailpod.services.nameserver.Nameserver` does; its zone is in the `World`."""

    def __init__(self, world: World, instance: str, step: Callable[[str], None]) -> None:
        self._world = world
        self._name = nameserver_container(instance)
        self._step = step

    def _reach(self, what: str) -> dict[tuple[str, str], frozenset[str]]:
        self._step(f"dns {what}")
        container = self._world.containers.get(self._name)
        if container is None or container.state != "running":
            raise Silent("the name server does not answer: connection refused", "see: mailpod status")
        return self._world.zones.setdefault(self._name, {})

    def replace(self, wanted: Iterable[Record]) -> int:
        there, new = self._reach("replace"), sets(wanted)
        new |= {key: values for key, values in there.items() if key[0].startswith(CHALLENGE) and key not in new}
        self._world.zones[self._name] = new
        return len(set(there.items()) ^ set(new.items()))

    def update(self, changes: Sets) -> None:
        there = self._reach("update")
        for key, values in changes.items():
            there.pop(key, None)
            if values:
                there[key] = values

    def differing(self, wanted: Iterable[Record]) -> int:
        there, new = self._reach("differing"), sets(wanted)
        ours = {key for key in there if key in new or not key[0].startswith(CHALLENGE)}
        return len({key for key in ours | new.keys() if there.get(key) != new.get(key)})

    def change(self, old: Iterable[Record], new: Iterable[Record]) -> None:
        there = self._reach("change")
        for key in sets(old):
            there.pop(key, None)
        there.update(sets(new))

    def values(self, name: str, kind: str) -> set[str]:
        return set(self._reach("values").get((name, kind), ()))

    def below(self, name: str) -> list[str]:
        return [f"{one} {kind}" for one, kind in self._reach("below") if one == name or one.endswith(f".{name}")]

    def delegation(self) -> list[str]:
        self._reach("delegation")
        return ["1 13 2 " + "ab" * 32]
