"""SSH: into one's own account through main, as an unprivileged user, and nowhere else."""

import errno
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.e2e.support.shell import Ssh
from tests.e2e.support.system import Account, System
from tests.e2e.support.wait import until


@dataclass(frozen=True)
class Person:
    """An account and the key its owner logs in with."""

    account: Account
    ssh: Ssh


def person(system: System, name: str, folder: Path) -> Person:
    ssh = Ssh(system, folder)
    return Person(system.create(name, "--ssh-key", str(ssh.public)), ssh)


@pytest.fixture(scope="module")
def olga(system: System, tmp_path_factory: pytest.TempPathFactory) -> Person:
    return person(system, "olga", tmp_path_factory.mktemp("olga"))


@pytest.fixture(scope="module")
def pablo(system: System, tmp_path_factory: pytest.TempPathFactory) -> Person:
    return person(system, "pablo", tmp_path_factory.mktemp("pablo"))


def test_the_owner_gets_a_shell_as_an_unprivileged_user(olga: Person) -> None:
    assert olga.ssh.ok(olga.account, "id -un; id -u; pwd").split() == ["box", "1000", "/data/home"]
    assert "Maildir" in olga.ssh.ok(olga.account, "ls")


def test_the_owner_takes_no_file_out_of_the_limit_of_the_volume(olga: Person) -> None:
    """Project quotas go by a file's project and a folder's flags: he may set neither."""
    # linux/fs.h calls them FS_IOC_FSSETXATTR and FS_IOC_SETFLAGS
    script = (
        'open(my $file, ">", "mine") or die; '
        'for my $request (0x401c5820, 0x40086602) { my $new = pack("L7", 0x40); '
        'print ioctl($file, $request, $new) ? "done" : $! + 0, " "; }'
    )
    eperm = str(errno.EPERM)
    assert olga.ssh.ok(olga.account, f"perl -e '{script}'").split() == [eperm, eperm]


def test_scp_and_sftp_carry_files_both_ways(olga: Person, tmp_path: Path) -> None:
    content = bytes(range(256)) * 1000
    source = tmp_path / "source"
    source.write_bytes(content)
    fqdn = olga.account.fqdn
    assert olga.ssh.client("scp", str(source), f"{fqdn}:by-scp").returncode == 0
    batch = f"put {source} by-sftp\nget by-scp {tmp_path}/back-by-sftp\n"
    done = olga.ssh.client("sftp", "-b", "-", fqdn, stdin=batch)
    assert done.returncode == 0, done.stderr
    assert olga.ssh.client("scp", f"{fqdn}:by-sftp", f"{tmp_path}/back-by-scp").returncode == 0
    assert (tmp_path / "back-by-sftp").read_bytes() == content
    assert (tmp_path / "back-by-scp").read_bytes() == content


@pytest.mark.stack("classic")
def test_a_procmail_recipe_files_mail_into_a_folder(system: System, olga: Person) -> None:
    """The user's own ~/.procmailrc is obeyed, and the folder is seen over IMAP."""
    with system.mailbox(olga.account) as mailbox:
        prefix = "INBOX." if any(name.startswith("INBOX.") for name in mailbox.folders()) else ""
        for folder in ("Lists", "Shop"):
            assert mailbox.session.create(f"{prefix}{folder}")[0] == "OK"
    recipe = "TAG=$1\n\n:0\n* TAG ?? ^^shop^^\n.Shop/\n\n:0\n* ^Subject:.*\\[list\\]\n.Lists/\n"
    olga.ssh.ok(olga.account, "cat > ~/.procmailrc", stdin=recipe)
    filed = system.post(olga.account.address, "[list] news")
    tagged = system.post(f"{olga.account.name}+shop@{system.domain}")
    kept = system.post(olga.account.address)
    system.wait_for(olga.account, filed, f"{prefix}Lists")
    system.wait_for(olga.account, tagged, f"{prefix}Shop")
    system.wait_for(olga.account, kept)
    with system.mailbox(olga.account) as mailbox:
        assert mailbox.count(filed) == mailbox.count(tagged) == 0


@pytest.mark.stack("classic")
def test_a_broken_procmailrc_loses_nothing(system: System, olga: Person) -> None:
    """Mail still arrives when a program is missing, a folder cannot be made and a line makes no sense."""
    broken = ":0 w\n| /no/such/program\n\n:0\n/no/such/folder/\n\nnonsense {{{\n"
    olga.ssh.ok(olga.account, "cp ~/.procmailrc ~/kept; cat > ~/.procmailrc", stdin=broken)
    word = system.post(olga.account.address)
    system.wait_for(olga.account, word)
    olga.ssh.ok(olga.account, "mv ~/kept ~/.procmailrc")


def test_mail_can_be_read_and_sent_from_the_shell(system: System, olga: Person) -> None:
    word = system.post(olga.account.address)
    system.wait_for(olga.account, word)
    assert word in olga.ssh.ok(olga.account, f"grep -rh {word} Maildir")
    message = f"To: erin@outside.test\nSubject: {word} from the shell\n\nHi\n"
    olga.ssh.ok(olga.account, "sendmail -t", stdin=message)
    assert system.world.wait_for("from the shell")["From"].endswith(
        (olga.account.short_address, olga.account.address, f"<{olga.account.address}>")
    )


def test_the_users_files_survive_the_container(system: System, olga: Person) -> None:
    """Made anew by `apply`: home, host key and login key are the same."""
    olga.ssh.ok(olga.account, "echo precious > diary")
    system.engine.account(olga.account.name).remove(force=True)
    system.apply()
    assert olga.ssh.ok(olga.account, "cat diary") == "precious\n"


@pytest.mark.once
def test_another_key_does_not_open_the_account(olga: Person, pablo: Person) -> None:
    """Main does not even connect pablo to olga's container."""
    refused = pablo.ssh.run(olga.account, "id")
    assert refused.returncode == 255
    assert "uid" not in refused.stdout


@pytest.mark.once
@pytest.mark.parametrize(
    "target",
    [
        "olga.club.test:22",
        "olga.mailpod.internal:22",
        "pablo.club.test:25",
        "pablo.mailpod.internal:143",
        "main.mailpod.internal:22",
        "main.mailpod.internal:10025",
        "localhost:22",
        "127.0.0.1:25",
        "[::1]:22",
        "mx.outside.test:25",
    ],
)
@pytest.mark.usefixtures("olga")
def test_the_jump_host_opens_nothing_but_ones_own_account(pablo: Person, target: str) -> None:
    done = pablo.ssh.client("ssh", "-W", target, "main")
    assert done.returncode != 0
    assert "SSH-2.0" not in done.stdout
    assert "220" not in done.stdout


@pytest.mark.once
def test_the_jump_host_gives_no_shell_and_forwards_no_listener(pablo: Person) -> None:
    for arguments in (["main", "id"], ["-t", "main"], ["-s", "main", "sftp"]):
        done = pablo.ssh.client("ssh", *arguments)
        assert "uid=" not in done.stdout
        assert done.returncode != 0
    listener = pablo.ssh.client("ssh", "-N", "-o", "ExitOnForwardFailure=yes", "-R", "2300:localhost:22", "main")
    assert listener.returncode != 0


@pytest.mark.once
@pytest.mark.parametrize("user", ["jump", "root", "box", "alice"])
def test_main_takes_keys_only(system: System, tmp_path: Path, user: str) -> None:
    """No password is even asked for, and an unknown key opens nothing."""
    stranger = Ssh(system, tmp_path)
    done = stranger.client("ssh", "-v", "-o", "BatchMode=no", "-o", "NumberOfPasswordPrompts=0", f"{user}@main", "id")
    assert done.returncode == 255
    offered = {line.rpartition(": ")[2].strip() for line in done.stderr.splitlines() if "can continue" in line}
    assert offered <= {"publickey"}
    assert "Permission denied" in done.stderr


def test_an_account_takes_keys_only(olga: Person) -> None:
    done = olga.ssh.run(olga.account, "id", "-o", "PubkeyAuthentication=no", "-o", "BatchMode=no")
    assert done.returncode == 255
    assert "password" not in done.stderr.lower()


def test_root_in_the_account_is_not_for_its_owner(olga: Person) -> None:
    done = olga.ssh.client("ssh", f"root@{olga.account.fqdn}", "id")
    assert done.returncode == 255


class Operator:
    """Whoever holds the control plane's key, with a client of their own."""

    def __init__(self, system: System, account: Account) -> None:
        known = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
        key = ["-i", str(system.cli.state / "secrets" / "operator_key"), "-o", "IdentitiesOnly=yes"]
        main = ["-p", str(system.port(2222)), "root@127.0.0.1"]
        self._common = ["ssh", "-F", "none", "-o", "BatchMode=yes", *known, *key]
        hop = " ".join([*self._common, *main, "-T", "'connect", f"{account.name}'"])
        self._targets = {"main": main, "account": ["-o", f"ProxyCommand={hop}", "root@account"]}

    def run(self, where: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [*self._common, *self._targets[where], *arguments]
        return subprocess.run(command, input="", capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.once
@pytest.mark.parametrize("where", ["main", "account"])
def test_the_operators_key_is_good_for_the_operators_verbs_alone(system: System, olga: Person, where: str) -> None:
    """No shell, no other command, no argument, no subsystem and no forwarding, in main or in an account."""
    operator = Operator(system, olga.account)
    assert operator.run(where, "queue").returncode == 0
    for arguments in (
        [],
        ["id"],
        ["sh -c id"],
        ["queue; id"],
        ["queue", "id"],
        ["$(id)"],
        ["connect olga;id"],
        ["connect", "../main"],
        ["-t", "bash"],
        ["-s", "sftp"],
        ["-o", "ExitOnForwardFailure=yes", "-R", "2300:localhost:22", "queue"],
    ):
        done = operator.run(where, *arguments)
        assert done.returncode != 0, arguments
        assert "uid=" not in done.stdout
    forwarded = operator.run(where, "-W", "localhost:22")
    assert "SSH-2.0" not in forwarded.stdout


@pytest.mark.parametrize(
    "path",
    [
        "/data/etc/tls/key.pem",
        "/data/etc/relay/sasl_passwd",
        "/data/etc/ssh/ssh_host_ed25519_key",
        "/etc/shadow",
        "/proc/1/environ",
    ],
)
def test_the_user_cannot_read_what_belongs_to_the_system(olga: Person, path: str) -> None:
    assert olga.ssh.run(olga.account, f"cat {path}").returncode == 1


def test_the_user_cannot_become_root_or_change_the_system(olga: Person) -> None:
    """No set-user-id program helps, and the system's own files cannot be written."""
    for command in ("su -c id", "sudo id", "touch /etc/x", "touch /usr/bin/x", "touch /data/etc/x", "kill -9 1"):
        done = olga.ssh.run(olga.account, command)
        assert done.returncode != 0, command
        assert "uid=0" not in done.stdout
    status = olga.ssh.ok(olga.account, "cat /proc/self/status")
    assert "NoNewPrivs:\t1" in status
    assert "CapEff:\t0000000000000000" in status


@pytest.mark.once
def test_no_agent_tunnel_or_x11_is_forwarded(olga: Person) -> None:
    environment = olga.ssh.run(olga.account, "env", "-A", "-X").stdout
    assert "SSH_AUTH_SOCK" not in environment
    assert "DISPLAY" not in environment
    done = olga.ssh.run(olga.account, "true", "-o", "ExitOnForwardFailure=yes", "-w", "0:0")
    assert done.returncode != 0


@pytest.mark.once
def test_a_key_that_is_replaced_no_longer_opens_the_account(system: System, tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    owner = person(system, "quentin", tmp_path / "old")
    owner.ssh.ok(owner.account, "true")
    successor = Ssh(system, tmp_path / "new")
    system.cli.ok("account", "set", "quentin", "--ssh-key", str(successor.public))
    assert successor.ok(owner.account, "id -un") == "box\n"
    assert owner.ssh.run(owner.account, "true").returncode == 255


@pytest.mark.once
def test_many_connections_at_once_are_served(olga: Person) -> None:
    """As a client that copies with several connections has them."""
    commands = [
        subprocess.Popen(
            ["ssh", *olga.ssh.options(), olga.account.fqdn, "echo ready; cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(10)
    ]
    try:
        for process in commands:
            assert process.stdout
            assert until(process.stdout.readline, "a shell's answer") == "ready\n"
    finally:
        for process in commands:
            process.communicate(timeout=20)
