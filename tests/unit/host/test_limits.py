import dataclasses

import pytest

from mailpod.host.facts import Answer, Facts
from mailpod.host.limits import lift, too_low

READY = Facts(
    root=True,
    apt=True,
    systemd=True,
    answer=Answer.OK,
    dockerd=True,
    daemon_json=True,
    apparmor=False,
    inotify_instances=128,
    missing=(),
)


def test_a_kernels_default_is_raised():
    assert too_low(READY)


@pytest.mark.parametrize("instances", [8192, 65536, 0], ids=["set", "more", "not ours"])
def test_a_limit_is_left_alone_that_is_high_enough_or_not_ours(instances):
    assert not too_low(dataclasses.replace(READY, inotify_instances=instances))


def test_it_is_raised_now_and_at_every_boot(tmp_path):
    kernel, lasting = tmp_path / "max_user_instances", tmp_path / "10-mailpod.conf"
    lift(kernel, lasting)
    assert kernel.read_text() == "8192\n"
    assert lasting.read_text() == "fs.inotify.max_user_instances = 8192\n"


def test_a_system_without_such_a_folder_has_it_raised_now(tmp_path):
    kernel = tmp_path / "max_user_instances"
    lift(kernel, tmp_path / "missing" / "10-mailpod.conf")
    assert kernel.read_text() == "8192\n"
    assert not (tmp_path / "missing").exists()
