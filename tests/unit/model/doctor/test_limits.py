from mailpod.model.doctor.limits import Kernel, of_bridges, of_kernel

PLENTY = Kernel(
    inotify_instances=8192,
    files=1000,
    most_files=100000,
    tasks=100,
    most_tasks=30000,
    connections=10,
    most_connections=1000,
    neighbours=1024,
)


def found(kernel, accounts=10):
    return list(of_kernel(kernel, "here", accounts, 8192))


def test_enough_of_everything():
    assert not found(PLENTY)


def test_what_is_not_told_is_no_finding():
    assert not found(Kernel())


def test_inotify_instances_are_raised_by_the_doctor():
    (one,) = found(Kernel(inotify_instances=128))
    assert (one.repair, one.do) == ("limits", "sysctl fs.inotify.max_user_instances=8192")


def test_many_accounts_need_a_large_table_of_neighbours():
    (one,) = found(PLENTY, accounts=600)
    assert "gc_thresh3=2400" in one.do


def test_what_is_nearly_used_up():
    nearly = Kernel(files=90, most_files=100, tasks=95, most_tasks=100, connections=81, most_connections=100)
    assert len(found(nearly)) == 3


def test_a_bridge_that_is_nearly_full():
    assert [one.where for one in of_bridges({"mailpod": 800, "mailpod-net1": 1000})] == ["mailpod-net1"]
