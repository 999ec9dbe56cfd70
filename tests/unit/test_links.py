"""Where a document or a hint sends its reader, there is something to read."""

import ast
import re
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "bench").rglob("*.md")])
_FENCED = re.compile(r"^ *(`{3,}|~{3,}).*?(^ *\1[`~]* *$|\Z)", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"(?<!`)(`+)(?!`)(?:(?!\n\n).)+?(?<!`)\1(?!`)", re.DOTALL)
_HEADING = re.compile(r"^#{1,6} +(.+?)(?: +#+)? *$", re.MULTILINE)
_LINK = re.compile(r"\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_NAMED = re.compile(r"\bdocs/[\w./-]+\.md\b")


def anchors(text):
    """What GitHub calls the headings of a document."""
    found = set()
    for heading in _HEADING.findall(_FENCED.sub("", text)):
        shown = re.sub(r"!?\[([^]]*)\]\([^)]*\)", r"\1", heading)
        slug = base = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
        again = 0
        while slug in found:
            again += 1
            slug = f"{base}-{again}"
        found.add(slug)
    return found


def links(text):
    """Where a document leads to, but for other sites; what is code is no link."""
    found = _LINK.findall(_CODE.sub("", _FENCED.sub("", text)))
    return [unquote(link) for link in found if not _SCHEME.match(link)]


def broken(document, link):
    name, _, anchor = link.partition("#")
    there = document.parent / name if name else document
    if not there.exists():
        return True
    return bool(anchor) and (there.suffix != ".md" or anchor not in anchors(there.read_text()))


def test_anchors_are_those_of_github():
    text = "# Où est mon message ?\n```sh\n# none\n```\n## `up` & [down](a.md)\n## Twice, or more\n### Twice or more\n"
    assert anchors(text) == {"où-est-mon-message-", "up--down", "twice-or-more", "twice-or-more-1"}


def test_code_and_other_sites_are_no_links():
    text = "[a](a.md#b) `[no]\n(no.md)` [site](https://example.org)\n```\n[no](no.md)\n```\n[over two\nlines](c.md)\n"
    assert links(text) == ["a.md#b", "c.md"]


def test_links_of_documents_lead_somewhere():
    found = [(document, link) for document in DOCUMENTS for link in links(document.read_text())]
    assert len(found) > 100
    wrong = [f"{document.relative_to(ROOT)}: {link}" for document, link in found if broken(document, link)]
    assert not wrong, "\n".join(wrong)


def test_documents_that_hints_name_are_there():
    named = {
        name
        for path in (ROOT / "src").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for name in _NAMED.findall(node.value)
    }
    assert len(named) > 3
    assert {name for name in named if not (ROOT / name).exists()} == set()
