import pytest

from mailpod.model.doctor.disks import of_disk
from mailpod.model.doctor.elements import Disk

GB = 1 << 30


@pytest.mark.parametrize(
    ("free", "size", "severity"),
    [
        (50 * GB, 100 * GB, None),
        (9 * GB, 100 * GB, "warning"),
        (90 * GB, 1000 * GB, None),
        (GB, 100 * GB, "error"),
        (100 << 20, 5 * GB, "error"),
        (100 << 20, 500 << 20, None),
        (10 << 20, 500 << 20, "error"),
        (0, 0, None),
    ],
)
def test_how_full_a_disk_may_be(free, size, severity):
    found = list(of_disk("the disk", "here", Disk(free, size, 1000, 2000)))
    assert [one.severity for one in found] == ([severity] if severity else [])


def test_a_disk_without_inodes_takes_no_mail_either():
    (found,) = of_disk("the disk", "here", Disk(50 * GB, 100 * GB, 40, 1000))
    assert "40 files more" in found.what
    assert not list(of_disk("the disk", "here", Disk(50 * GB, 100 * GB, 0, 0)))
