"""A zone at somebody else's."""

from mailpod.model.errors import MailpodError
from mailpod.services.nameserver import Silent


class Elsewhere:
    """A server that has other things in the zone too, and may fail."""

    def __init__(self):
        self.zone = {
            ("www.example.org", "A"): frozenset({"192.0.2.80"}),
            ("example.org", "TXT"): frozenset({'"some-verification=1"', '"v=spf1 -all"'}),
            ("mail.example.org", "A"): frozenset({"192.0.2.9"}),
        }
        self.breaks = False
        self.refuses = False

    def held(self, keys):
        if self.refuses:
            raise MailpodError("refused: wrong token", "see that the credentials are right")
        return {key: self.zone[key] for key in keys if key in self.zone}

    def update(self, changes):
        self.zone |= changes
        self.zone = {key: values for key, values in self.zone.items() if values}
        if self.breaks:
            raise Silent("broke off", "try again")
