"""What every engine does with volumes beside letting containers use them."""

import pytest
from tests.contract.labs import spec

from mailpod.model.archive import File, tar
from mailpod.model.errors import MailpodError
from mailpod.model.spec import LABEL_ID

SEED = [File("etc/mine", b"x" * 100_000, 0o600, 1000)]


@pytest.fixture
def made(lab):
    """A workload that is there no more, whose volume is."""
    wanted = spec(lab)
    lab.engine.create(wanted, SEED)
    lab.engine.remove(wanted.name)
    return wanted


def other(lab):
    """Another account's, with nothing there yet."""
    wanted = spec(lab, "bob", volume=f"{lab.instance}-bob-2")
    return spec(lab, "bob", volume=wanted.volume, labels={**wanted.labels, LABEL_ID: "2"})


def test_a_volume_is_there_until_it_is_discarded(lab, made):
    assert lab.engine.holds(made)
    assert not lab.engine.holds(other(lab))
    lab.engine.discard(made)
    lab.engine.discard(made)
    assert not lab.engine.holds(made)
    assert lab.engine.volumes(lab.instance) == {}


def test_one_of_the_same_name_on_another_machine_stays(lab):
    machines = [machine.name for machine in lab.engine.machines()]
    wanted = [spec(lab, node=machine) for machine in machines]
    for one in wanted:
        lab.engine.create(one, SEED)
        lab.engine.remove(one.name)
    lab.engine.discard(wanted[-1])
    assert [lab.engine.holds(one) for one in wanted] == [True] * (len(wanted) - 1) + [False]
    lab.engine.remove_volumes(lab.instance)
    assert not any(lab.engine.holds(one) for one in wanted)


def test_whose_a_volume_is_its_label_does_not_say_alone(lab, made):
    own = made.labels[LABEL_ID]
    assert len(lab.engine.traces(own, [], [])) == 1
    assert lab.engine.traces(own, [], [made.volume]) == []
    assert len(lab.engine.traces("2", [made.volume], [])) == 1


def test_what_it_takes_and_what_is_free_are_told(lab, made):
    assert 100_000 <= lab.engine.size(made) < 1_000_000
    assert lab.engine.room(other(lab)) > 1_000_000
    assert not lab.engine.holds(other(lab))


def test_a_packed_volume_is_unpacked_as_it_was(lab, made):
    packed = b"".join(lab.engine.pack_volume(made))
    assert packed.endswith(bytes(1024))
    wanted = other(lab)
    lab.engine.unpack_volume(wanted, [packed[:100], packed[100:]])
    assert lab.engine.volumes(lab.instance)[wanted.volume][LABEL_ID] == "2"
    lab.engine.create(wanted, [])
    assert lab.seen(wanted.name, "etc/mine") == SEED[0]


def test_nothing_is_left_of_what_looked_at_it(lab, made):
    lab.engine.size(made)
    parts = lab.engine.pack_volume(made)
    next(parts)
    assert lab.engine.helpers(lab.instance) == {made.labels[LABEL_ID]}
    lab.engine.remove_helpers(lab.instance, "nobody")
    lab.engine.remove_helpers(lab.instance, made.labels[LABEL_ID])
    assert lab.engine.helpers(lab.instance) == set()
    parts.close()


def test_what_is_no_archive_is_refused(lab, made):
    with pytest.raises(MailpodError):
        lab.engine.unpack_volume(other(lab), [b"nonsense" * 1000])


def test_files_are_read_by_path_and_by_folder(lab, made):
    assert lab.engine.read_files(made, ["etc/mine", "etc/nothing"]) == {"etc/mine": SEED[0].content}
    assert "etc/mine" in lab.engine.read_files(made, ["etc"])
    assert lab.engine.read_files(made, ["nothing"]) == {}
    assert lab.engine.helpers(lab.instance) == set()


def test_what_waits_in_its_queue_is_what_has_come_whole(lab):
    waits = [File(f"spool/postfix/{path}", b"x", 0o700) for path in ("deferred/4/4B", "hold/4C", "incoming/4A")]
    rest = [File("spool/postfix/incoming/4D", b"x", 0o600), File("spool/postfix/defer/4/4B", b"x", 0o700)]
    wanted = spec(lab)
    lab.engine.create(wanted, waits + rest)
    lab.engine.remove(wanted.name)
    found = {(one.path, one.content, one.mode) for one in lab.engine.queued(wanted)}
    assert found == {(one.path.removeprefix("spool/postfix/"), one.content, one.mode) for one in waits}


def test_what_lies_on_a_volume_stays_when_more_is_unpacked_there(lab, made):
    lab.engine.unpack_volume(made, [tar([File("etc/more", b"more", 0o600)])])
    assert lab.engine.read_files(made, ["etc"]) == {"etc/mine": SEED[0].content, "etc/more": b"more"}
