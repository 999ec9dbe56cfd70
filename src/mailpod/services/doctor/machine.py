"""The machine: limits of its kernel, its clock, and whether published ports answer."""

import socket
import ssl
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial

from cryptography import x509

from mailpod.host import kernel, time_server
from mailpod.host.limits import WANTED
from mailpod.model import layout
from mailpod.model.doctor import certificates, clock, limits
from mailpod.model.doctor.finding import Finding
from mailpod.model.records import PORTS, System, now
from mailpod.services import dns
from mailpod.services.context import Context
from mailpod.services.nameserver import Silent
from mailpod.services.reconcile import main_runs

_SECONDS = 5.0
_GREETINGS = {
    "smtp": b"220",
    "submission": b"220",
    "imap": b"* OK",
    "sieve": b'"IMPLEMENTATION"',
    "ssh": b"SSH-",
}
_TLS = {"submissions", "imaps", "https"}


def kernel_limits(context: Context) -> list[Finding]:
    """What many accounts reach."""
    if not context.engine_is_here:
        return []
    accounts = [one for one in context.store.accounts() if not one.frozen]
    of_network = Counter(layout.network_name(context.instance, one.network) for one in accounts)
    return [
        *limits.of_kernel(kernel.read(), socket.gethostname(), len(accounts), WANTED),
        *limits.of_bridges(of_network),
    ]


def time(context: Context, server: str) -> list[Finding]:  # noqa: ARG001  (as every check)
    """The clock beside a time server's.

    Args:
        server: its name or address.
    """
    told = time_server.offset(server)
    here = socket.gethostname()
    if told is None:
        return [clock.unknown(here, server)]
    offset, unsure = told
    return list(clock.of_offset(offset, here, server, unsure))


def ports(context: Context) -> list[Finding]:
    """Main's published ports, asked on this machine, and the certificates they show."""
    if not (context.system.running and main_runs(context)):
        return []
    with ThreadPoolExecutor(len(PORTS)) as pool:
        each = pool.map(partial(_port, context.system), PORTS)
        return [one for found in each for one in found]


def _port(system: System, service: str) -> list[Finding]:
    address = (system.local_address(), system.port(service))
    where = f"{address[0]}:{address[1]}"
    do = f"docker logs --tail 50 {layout.main_container(system.instance)}"
    try:
        with socket.create_connection(address, _SECONDS) as connection:
            if service in _TLS:
                ends = _end_of_certificate(connection, system.domain)
                what = f"the certificate that {service} shows"
                return list(certificates.of_certificate(what, where, ends, now()))
            expected = _GREETINGS.get(service, b"")
            if expected and not (said := connection.recv(200)).startswith(expected):
                shown = said.decode(errors="replace").splitlines()[:1]
                return [Finding("error", f"{service} does not greet but says {shown}", where, do)]
    except (OSError, ssl.SSLError) as problem:
        return [Finding("error", f"{service} of main does not answer: {problem}", where, do)]
    return []


def _end_of_certificate(connection: socket.socket, name: str) -> datetime:
    # Whoever it is signed by: what counts here is when it ends.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with context.wrap_socket(connection, server_hostname=name) as session:
        shown = session.getpeercert(binary_form=True)
    if not shown:
        raise ssl.SSLError("it shows no certificate")
    return x509.load_der_x509_certificate(shown).not_valid_after_utc


def nameserver(context: Context) -> list[Finding]:
    """The system's own name server: whether it answers, and serves what it should."""
    if not context.system.running or context.system.dns != "built-in":
        return []
    where = layout.nameserver_container(context.instance)
    try:
        differing = context.nameserver.differing(dns.records(context))
    except Silent as problem:
        return [Finding("error", problem.what, where, f"docker logs --tail 50 {where}", "apply")]
    if differing:
        what = f"the zone has {differing} sets of records otherwise than it should"
        return [Finding("error", what, where, "mailpod apply", "apply")]
    return []


def certificates_on_record(context: Context) -> list[Finding]:
    """Those of the authority, of main and of the accounts, in the state folder."""
    folder = context.store.secrets
    authority = folder / "ca.pem"
    moment = now()
    found = [*certificates.of_authority(str(authority), _ends(authority.read_text()), moment)]
    for account in context.store.accounts():
        certificate = context.account_identity(account).tls_certificate
        what = f"the certificate of {account.name}"
        found += certificates.of_certificate(what, account.id, _ends(certificate), moment)
    return found


def _ends(pem: str) -> datetime:
    return x509.load_pem_x509_certificate(pem.encode()).not_valid_after_utc.astimezone(UTC)
