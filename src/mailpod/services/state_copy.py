"""The copy of the desired state that main keeps, as it is to be now."""

from mailpod.model import state_copy
from mailpod.model.records import System
from mailpod.model.state_copy import StateCopy
from mailpod.services.context import Context


def current(context: Context, system: System) -> StateCopy:
    """What main is to keep.

    Args:
        system: the installation, as it is now in the state folder.
    """
    identity = context.main_identity
    return StateCopy(
        system=system,
        accounts=state_copy.settled(context.store.accounts()),
        deleted=state_copy.settled(context.store.deleted()),
        aliases=tuple(context.store.aliases()),
        own=context.store.own_files(),
        ssh_host_key=identity.ssh_host_key,
        ssh_host_public=identity.ssh_host_public,
    )
