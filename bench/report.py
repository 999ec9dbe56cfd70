"""What was found: rows of a table, and the page they are kept on."""

import math
import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from docker import DockerClient

RESULTS = Path(__file__).parent / "RESULTS.md"


@dataclass(frozen=True)
class Row:
    """One figure of mailpod's, beside what it is compared with.

    Attributes:
        mailpod, baseline: with their units; a baseline of "" means there is nothing to compare with.
        ratio: mailpod's figure divided by the baseline's.
        target: what the figure or the ratio is to be; "" when it is only told.
        met: None when there is no target.
    """

    what: str
    mailpod: str
    baseline: str = ""
    ratio: float | None = None
    target: str = ""
    met: bool | None = None

    def cells(self) -> tuple[str, ...]:
        """The row as the table shows it."""
        met = "" if self.met is None else "yes" if self.met else "**no**"
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        return self.what, self.mailpod, self.baseline, ratio, self.target, met


@dataclass
class Findings:
    """What one measure found: rows, and how it was measured in sentences."""

    name: str
    how: str
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


HEADS = ("what", "mailpod", "baseline", "ratio", "target", "met")


def percentile(values: Iterable[float], percent: float) -> float:
    """The smallest value that is not less than `percent` of them (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def seconds(values: Sequence[float]) -> str:
    """A median with the least and the greatest."""
    return f"{statistics.median(values):.2f} s ({min(values):.2f} to {max(values):.2f})"


def megabytes(value: float) -> str:
    """Bytes in units of 1,000,000."""
    return f"{value / 1e6:.1f} MB"


def plain_table(found: Iterable[Findings]) -> str:
    """All rows for a terminal."""
    lines = [HEADS, *(row.cells() for one in found for row in one.rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADS))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)


def machine(engine: DockerClient, others: int) -> list[str]:
    """What the figures were measured on.

    Args:
        others: containers of others that ran at the beginning.
    """
    info = engine.info()
    version = engine.version()
    load = os.getloadavg()[0]
    return [
        f"date: {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        f"machine: {os.cpu_count()} cores ({_processor()}), {info['MemTotal'] / 2**30:.0f} GiB memory",
        f"kernel: {platform.release()}, {info['OperatingSystem']}",
        f"engine: Docker {version['Version']}, {info['Driver']}, cgroup v{info.get('CgroupVersion', '1')}",
        f"beside it at the beginning: {others} other containers, load {load:.2f}",
    ]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())


def page(facts: Iterable[str], found: Sequence[Findings]) -> str:
    """The page of results."""
    parts = ["# Benchmark results", "", "Written by `bench/run`; ratios are within one run on one machine.", ""]
    parts += [f"- {fact}" for fact in facts]
    parts += ["", _markdown(HEADS), _markdown(["---"] * len(HEADS))]
    parts += [_markdown(row.cells()) for one in found for row in one.rows]
    parts += ["", "## How it was measured", ""]
    for one in found:
        parts += [f"**{one.name}**: {one.how}", ""]
        parts += [f"- {note}" for note in one.notes]
        parts += [""] if one.notes else []
    return "\n".join(parts).rstrip() + "\n"


def _markdown(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"
