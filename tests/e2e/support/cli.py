"""The launcher and the three scripts, run as an operator runs them."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Result:
    """How a command ended and what it wrote."""

    command: str
    code: int
    out: str
    err: str

    def json(self) -> Any:  # noqa: ANN401  (whatever JSON can hold)
        """Standard output as the one JSON document it has to be."""
        return json.loads(self.out)

    @property
    def complaint(self) -> list[str]:
        """The lines of standard error that are not progress."""
        return [line for line in self.err.strip().splitlines() if not line.startswith("· ")]


class Cli:
    """`./mailpod` with the state folder and the instance of this run in its environment.

    Args:
        within: words before the command that run it elsewhere on this machine.
        root: where the launcher is.
    """

    def __init__(
        self,
        state: Path,
        instance: str,
        extra: Mapping[str, str] | None = None,
        within: tuple[str, ...] = (),
        root: Path = ROOT,
    ) -> None:
        self.within = within
        self._root = root
        self.state = state
        self.instance = instance
        self.environment = {
            **os.environ,
            "MAILPOD_STATE": str(state),
            "MAILPOD_INSTANCE": instance,
            **(extra or {}),
        }

    def of_version(self, root: Path) -> "Cli":
        """The same system in the hands of another version, whose sources are in `root`."""
        environment = {"MAILPOD_VENV": str(ROOT / ".venv"), **self.environment}
        return Cli(self.state, self.instance, environment, self.within, root)

    def run(
        self, *arguments: str, stdin: str = "", program: str = "mailpod", seconds: float = 180, **env: str
    ) -> Result:
        """Run it to its end, whatever the end is."""
        done = subprocess.run(
            [*self.within, str(self._root / program), *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=seconds,
            env={**self.environment, **env},
            check=False,
        )
        return Result(" ".join([program, *arguments]), done.returncode, done.stdout, done.stderr)

    def ok(self, *arguments: str, stdin: str = "", program: str = "mailpod", seconds: float = 180) -> Result:
        """Run it and insist that it succeeds."""
        result = self.run(*arguments, stdin=stdin, program=program, seconds=seconds)
        assert result.code == 0, f"{result.command} ended with {result.code}:\n{result.out}\n{result.err}"
        return result

    def destroy(self, accounts: list[str]) -> None:
        """Destroy accounts quickly, see `tests.e2e.support.leaving`."""
        program = [sys.executable, "-m", "tests.e2e.support.leaving", str(self.state), self.instance]
        done = subprocess.run(
            [*self.within, *program, *accounts],
            capture_output=True,
            text=True,
            timeout=300,
            env={**self.environment, "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"},
            check=False,
        )
        assert done.returncode == 0, done.stderr

    @contextmanager
    def started(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """Start it in a process group of its own, which is killed at the end whatever happened."""
        process = subprocess.Popen(
            # Who runs the tests may ignore signals (nohup, a background job), and what it starts inherits that.
            ["env", "--default-signal=HUP,INT", *self.within, str(self._root / "mailpod"), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
            start_new_session=True,
        )
        with process:
            try:
                yield process
            finally:
                kill_group(process)

    def kill_after(self, seconds: float, *arguments: str) -> bool:
        """Start it and kill it after so many seconds. False when it ended by itself before."""
        with self.started(*arguments) as process:
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                kill_group(process)
                return True
        return False


def kill_group(process: "subprocess.Popen[str]") -> None:
    """SIGKILL to the process and all it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
