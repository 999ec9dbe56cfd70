"""One message that an account hands to main, judged while it comes."""

from identity.authors import authors
from identity.rate import Rate
from identity.seal import Content, Seals
from identity.tables import Account

# In each of these an address says who writes (RFC 5322 section 3.6.2).
_WHO = ("from", "sender")


class Refusal(Exception):
    """Why something is not accepted.

    Attributes:
        kind: one word, for the operator.
        text: for people.
        reply: code and enhanced code (RFC 3463), for the SMTP client.
    """

    def __init__(self, kind: str, text: str, reply: tuple[str, str] = ("550", "5.7.1")) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text
        self.reply = reply


class Message:
    """What is known of it so far; every method but `seal` raises `Refusal`.

    Attributes:
        account: who sends it.
    """

    def __init__(self, account: Account, domain: str, rate: Rate, seals: Seals) -> None:
        self.account = account
        self._domain = domain
        self._rate = rate
        self._seals = seals
        self._froms = 0
        self._foreign = ""

    def sender(self, address: str) -> None:
        """The envelope's sender; empty for a report."""
        if address and not self.account.owns(address):
            raise Refusal("sender", f"{address} is not an address of {self.account.name}")

    def recipient(self, address: str) -> None:
        """A recipient, who may be one too many outside."""
        if inside(address, self._domain):
            return
        if self.account.internet == "none":
            raise Refusal("internet", f"{self.account.name} may write to addresses of {self._domain} only")
        if not self._rate.take(self.account.name, self.account.per_hour):
            text = f"{self.account.name} has sent {self.account.per_hour} messages within an hour, the rest waits"
            raise Refusal("rate", text, ("450", "4.7.1"))

    def header(self, name: str, value: str) -> None:
        """A header."""
        name = name.strip().lower()
        if name not in _WHO:
            return
        self._froms += name == "from"
        found = authors(value)
        foreign = [one for one in found if not self.account.owns(one)]
        if foreign or not found:
            self._foreign = self._foreign or (foreign[0] if foreign else value)

    @property
    def is_foreign(self) -> bool:
        """Whether it is somebody else's, by its headers."""
        return self._froms != 1 or bool(self._foreign)

    def end(self, seals: list[str], content: Content) -> None:
        """All of it is there."""
        if not self.is_foreign or any(self._seals.proves(seal, content, self.account.name) for seal in seals):
            return
        if self._froms != 1:
            raise Refusal("from", f"a message has one header From, this one has {self._froms}")
        own = self.account.addresses[0]
        raise Refusal("from", f"the header From or Sender has to be {own}, not {self._foreign[:100]}")


def inside(address: str, domain: str) -> bool:
    """Whether mail for an address stays in the organisation."""
    local, _, host = address.lower().rpartition("@")
    ours = host == domain or host.endswith(f".{domain}")
    # These lead out, as does what Postfix takes for a route (postconf(5), allow_percent_hack and swap_bangpath).
    return bool(local) and ours and not local.startswith(("srs0", "srs1")) and not any(sign in local for sign in '%!@"')
