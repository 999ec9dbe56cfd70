"""How much memory this machine has left."""

from pathlib import Path

_MEMINFO = Path("/proc/meminfo")


def available(table: Path = _MEMINFO) -> int:
    """Bytes that programs could have without anything being swapped out (proc_meminfo(5), MemAvailable)."""
    lines = (line.split() for line in table.read_text().splitlines())
    return next(int(words[1]) * 1024 for words in lines if words[0] == "MemAvailable:")
