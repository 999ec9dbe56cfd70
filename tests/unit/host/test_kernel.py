from mailpod.host import kernel
from mailpod.model.doctor.limits import Kernel


def test_what_the_kernel_tells_is_read(tmp_path):
    for name, text in {
        "sys/fs/file-nr": "1000\t0\t9000\n",
        "sys/kernel/pid_max": "32768\n",
        "sys/kernel/threads-max": "20000\n",
        "loadavg": "0.1 0.2 0.3 2/345 6789\n",
        "sys/net/netfilter/nf_conntrack_count": "5\n",
        "sys/net/netfilter/nf_conntrack_max": "60\n",
        "sys/net/ipv6/neigh/default/gc_thresh3": "1024\n",
        "inotify": "128\n",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert kernel.read(tmp_path, tmp_path / "inotify") == Kernel(128, 1000, 9000, 345, 20000, 5, 60, 1024)


def test_what_it_does_not_tell_is_zero(tmp_path):
    assert kernel.read(tmp_path, tmp_path / "inotify") == Kernel()
