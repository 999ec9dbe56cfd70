"""Starting main, against starting a bare container."""

import contextlib
import statistics
import subprocess
import time

from bench.clients import greeting
from bench.peer import bare_run
from bench.report import Findings, Row, seconds
from bench.run_context import Run
from bench.system import HOST, Failed, System

HOW = (
    "`mailpod up DOMAIN` with a new state folder and images present, from the start of the process until main greets "
    "with 220 on its published port 25; `down --purge` before the next. Baseline: `docker run -d` of the base image. "
    "Alternately; medians (least to greatest)."
)


def measure(run: Run) -> Findings:
    """Start a system anew, several times."""
    run.another().up()  # builds the images where they are missing
    greeted, returned, bare = [], [], []
    for _ in range(run.times(7, 2)):
        bare.append(bare_run(run.label))
        first, whole = _up(run.another())
        greeted.append(first)
        returned.append(whole)
    ratio = statistics.median(greeted) / statistics.median(bare)
    found = Findings("start", HOW)
    found.rows.append(Row("main from `up` to 220", seconds(greeted), seconds(bare), ratio, "≤ 8", ratio <= 8))
    found.notes.append(f"`up` itself returned after {seconds(returned)}")
    return found


def _up(system: System) -> tuple[float, float]:
    """Seconds until 220, and until the command returned."""
    start = time.monotonic()
    with subprocess.Popen(
        system.arguments(*system.up_words()), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        greeted = 0.0
        while not greeted:
            with contextlib.suppress(OSError):
                if greeting(HOST, system.port(25), timeout=1).startswith("220"):
                    greeted = time.monotonic() - start
            if not greeted and process.poll() is not None and time.monotonic() - start > 60:
                raise Failed("main did not greet")
            time.sleep(0.01)
        _, complaints = process.communicate()
        returned = time.monotonic() - start
    if process.returncode != 0:
        raise Failed(f"up failed: {complaints.strip()[-400:]}")
    system.command("down", "--purge", "--yes")
    return greeted, returned
