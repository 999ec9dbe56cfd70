"""What is written in Perl for an account finds there what it uses."""

import re
from pathlib import Path

IMAGES = Path(__file__).resolve().parents[3] / "images"
# Of the package perl-base, which alone an account's image has.
THERE = {"Errno", "Exporter", "Fcntl", "IO::Handle", "IO::Select", "IO::Socket", "IO::Socket::IP", "POSIX", "Socket"}


def test_an_accounts_programs_use_what_perl_base_has():
    folders = (IMAGES / "account", IMAGES / "common")
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    texts = [path.read_text() for path in files]
    used = {name for text in texts for name in re.findall(r"^\s*(?:use|require) ([A-Z][\w:]*)", text, re.MULTILINE)}
    assert used <= THERE | {path.stem for path in files if path.suffix == ".pm"}
    assert "Fcntl" in used
