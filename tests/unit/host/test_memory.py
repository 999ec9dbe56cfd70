from mailpod.host import memory


def test_what_programs_could_have_is_available(tmp_path):
    table = tmp_path / "meminfo"
    table.write_text("MemTotal:       24683544 kB\nMemFree:          800000 kB\nMemAvailable:    2097152 kB\n")
    assert memory.available(table) == 2 << 30


def test_this_machine_has_some():
    assert memory.available() > 0
