"""An SFTP server in the outside."""

from tests.e2e.support.world import World

_PORT = 2222
_HOST_KEY, _LET_IN = "/run/sftp_key", "/run/sftp_let_in"
_SETTINGS = (
    "Subsystem=sftp internal-sftp",
    f"HostKey={_HOST_KEY}",
    f"AuthorizedKeysFile={_LET_IN}",
    "StrictModes=no",
    # Who was not let in yet would be kept waiting for a while (sshd_config(5)).
    "PerSourcePenalties=no",
)


class Sftp:
    """The server, once it runs, where one user has a home folder.

    Attributes:
        repository: a folder there that is not there yet, as `mailpod backup to` is told of it.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.repository = f"sftp://keeper@{world.address}:{_PORT}/mail"

    def start(self) -> None:
        """Start it under a new host key; it lets in whom it let in before."""
        self._world.run("rm", "-f", _HOST_KEY)
        self._world.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", _HOST_KEY)
        options = [word for setting in _SETTINGS for word in ("-o", setting)]
        self._world.run("mkdir", "-p", "/run/sshd")
        code, said = self._world.run("/usr/sbin/sshd", "-f", "/dev/null", "-p", str(_PORT), *options)
        assert code == 0, said
        self._world.until_listening(_PORT)

    def let_in(self, key: str) -> None:
        """Let in who has this key."""
        self._world.give("/run", "sftp_let_in", f"{key}\n".encode())

    def stop(self) -> None:
        """Let it answer nobody any more."""
        self._world.end(f"sshd.*-p {_PORT}")
