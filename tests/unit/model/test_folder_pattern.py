import pytest

from mailpod.model import folder_pattern
from mailpod.model.errors import InvalidInput

FOLDERS = ["", ".[Gmail].All Mail", ".[Gmail].Spam", ".Work", ".Work.Old"]


@pytest.mark.parametrize(
    ("patterns", "meant"),
    [
        (["[Gmail]/All Mail"], {".[Gmail].All Mail"}),
        (["[gmail]/*"], {".[Gmail].All Mail", ".[Gmail].Spam"}),
        (["Work", "inbox"], {".Work", ""}),
        (["Work*"], {".Work", ".Work.Old"}),
        (["*"], set(FOLDERS)),
        ([], set()),
    ],
)
def test_a_name_with_stars_means_folders(patterns, meant):
    assert folder_pattern.matching(folder_pattern.checked(patterns), FOLDERS) == meant


def test_what_means_none_is_told():
    with pytest.raises(InvalidInput, match="no folder 'Werk'") as caught:
        folder_pattern.matching(["Work", "Werk"], FOLDERS)
    assert "[Gmail]/All Mail" in caught.value.hint


@pytest.mark.parametrize("pattern", ["", "/", 'a"b', "a\\b", "50%", "a\nb"])
def test_what_no_folder_is_called(pattern):
    with pytest.raises(InvalidInput):
        folder_pattern.checked([pattern])
