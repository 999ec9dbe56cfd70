from mailpod.services import distributions


def test_a_distribution_is_its_modules_and_what_tells_of_them():
    """Not what its installer has noted or compiled, which differs from machine to machine."""
    found = distributions.files("tlsrpt-reporter")
    assert "tlsrpt_reporter/tlsrpt.py" in found
    assert {name.split("/")[-1] for name in found if not name.endswith(".py")} == {"METADATA", "entry_points.txt"}
    assert not [name for name in found if name.startswith("..") or "__pycache__" in name]
    assert all(path.is_file() for path in found.values())
