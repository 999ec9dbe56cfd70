"""What waits in an account's queue when another volume takes the place of its own."""

from mailpod.model import layout
from mailpod.model.archive import File, tar
from mailpod.model.records import Account
from mailpod.model.spec import WorkloadSpec
from mailpod.services.context import Context

# For each message to be on disk.
_SECONDS = 600
# By it the account knows that all has come.
_END = File("all", b"")


def hand_over(context: Context, account: Account, replaced: WorkloadSpec) -> None:
    """Have the account, which runs, go on with what waits on the volume that was replaced, each message once.

    It can be called again after a kill: the account knows which volume's queue it has. A deleted account takes nothing.
    Whoever runs on the replaced volume from now on sends nothing of it.

    Args:
        replaced: the account's container as it was, with that volume.

    Raises:
        MailpodError: the account cannot be reached; all of it waits there still.
    """
    waiting = [] if account.deleted else context.engine.queued(replaced)
    if waiting:
        public = context.account_identity(account).ssh_host_public
        given = [*waiting, _END]
        context.channel.account(account.name, public, f"take-queue {replaced.volume}", given, _SECONDS)
        context.progress(f"{len(waiting)} messages that waited in {account.name} go on from there")
    former = account.fqdn(context.system.domain)
    context.engine.unpack_volume(replaced, [tar([layout.restored_file(former)])])
