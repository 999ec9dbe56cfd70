import io
import tarfile

from hypothesis import given
from hypothesis import strategies as st

from mailpod.model.archive import File, tar

PATHS = st.lists(st.text("abc", min_size=1, max_size=40), min_size=1, max_size=4).map("/".join)
FILES = st.lists(
    st.builds(File, PATHS, st.binary(max_size=2000), st.sampled_from([0o600, 0o644, 0o755]), st.integers(0, 70000)),
    unique_by=lambda file: file.path,
    max_size=8,
)


@given(FILES)
def test_a_tar_holds_the_files_as_they_are(files):
    with tarfile.open(fileobj=io.BytesIO(tar(files))) as archive:
        found = [File(member.name, archive.extractfile(member).read(), member.mode, member.uid) for member in archive]
        assert all(member.uid == member.gid for member in archive)
        assert all(member.isreg() for member in archive)
    assert found == files


def test_content_is_not_shown():
    assert "secret" not in repr(File("password", b"secret"))
