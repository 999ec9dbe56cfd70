"""What all measures share."""

from collections.abc import Callable
from dataclasses import dataclass

from docker import DockerClient

from bench.system import System


@dataclass
class Run:
    """One run of the benchmark.

    Attributes:
        label: `key=value` on the containers that are not mailpod's.
        image: the baseline's.
        quick: few repetitions: to try the benchmark, not to measure.
        profile: take creates apart.
        minutes: how long the ledger is kept; None for its own choice.
        seed: what the ledger's choices come of; None for another each time.
        system: the one that most measures use; another is made by `another`.
    """

    engine: DockerClient
    label: str
    image: str
    quick: bool
    profile: bool
    system: System
    another: Callable[[], System]
    minutes: float | None = None
    seed: int | None = None

    def times(self, full: int, few: int) -> int:
        """How often to repeat."""
        return few if self.quick else full

    def say(self, text: str) -> None:
        """Progress."""
        print(f"  {text}", flush=True)
