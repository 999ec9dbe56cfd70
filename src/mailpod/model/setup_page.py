"""The page that helps people set up their mail clients: settings, a profile for Apple's systems, and a code to scan.

Without an address, what needs one stays out of sight (`images/main/setup/setup.css`).
"""

from html import escape
from string import Template

from mailpod.model.clients import ADDRESS, Server, reading, sending
from mailpod.model.records import System

_ENGLISH = {
    "title": "Mail of $domain",
    "address": "Your address",
    "show": "Show",
    "automatic": "Thunderbird, Outlook, Evolution, K-9 Mail, FairEmail",
    "automatic_text": "Add an account and give your address and your password: they find the rest by themselves.",
    "apple": "iPhone, iPad, Mac",
    "apple_text": "Load the profile, install it in the settings, and enter your password when you are asked for it.",
    "profile": "Profile for $address",
    "by_hand": "By hand",
    "incoming": "Incoming (IMAP)",
    "outgoing": "Outgoing (SMTP)",
    "host": "Server",
    "port": "Port",
    "security": "Security",
    "login": "User name: your address. Password: yours, or one that your operator gave you for this app.",
    "scan": "On your phone",
    "scan_text": "Scan this to open this page there.",
    "webmail": "To the webmail",
}
_FRENCH = {
    "title": "Courrier de $domain",
    "address": "Votre adresse",
    "show": "Afficher",
    "automatic": "Thunderbird, Outlook, Evolution, K-9 Mail, FairEmail",
    "automatic_text": "Ajoutez un compte, donnez votre adresse et votre mot de passe\u00a0: le reste se trouve tout "
    "seul.",
    "apple": "iPhone, iPad, Mac",
    "apple_text": "Téléchargez le profil, installez-le dans les réglages, et donnez votre mot de passe quand on vous "
    "le demande.",
    "profile": "Profil pour $address",
    "by_hand": "À la main",
    "incoming": "Réception (IMAP)",
    "outgoing": "Envoi (SMTP)",
    "host": "Serveur",
    "port": "Port",
    "security": "Sécurité",
    "login": "Nom d'utilisateur\u00a0: votre adresse. Mot de passe\u00a0: le vôtre, ou celui que votre administrateur "
    "vous a donné pour cette application.",
    "scan": "Sur votre téléphone",
    "scan_text": "Scannez ce code pour y ouvrir cette page.",
    "webmail": "Vers le webmail",
}
_TEXTS = {"en": _ENGLISH, "fr": _FRENCH}
LANGUAGES = tuple(_TEXTS)
"""Those that the page is written in; the first is for everybody else."""

_PAGE = Template("""\
<!DOCTYPE html>
<html lang="$language">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<link rel="stylesheet" href="/setup.css">
</head>
<body>
<h1>$title</h1>
<form action="/setup">
<label>$address <input type="email" name="address" value="$placeholder" required></label>
<button>$show</button>
</form>
<h2>$automatic</h2>
<p>$automatic_text</p>
<section data-address="$placeholder">
<h2>$apple</h2>
<p>$apple_text</p>
<p><a href="/setup.mobileconfig?address=$placeholder">$profile</a></p>
</section>
<h2>$by_hand</h2>
<table>
<tr><th></th><th>$host</th><th>$port</th><th>$security</th></tr>
$servers
</table>
<p>$login</p>
<section data-address="$placeholder">
<h2>$scan</h2>
<p>$scan_text</p>
%QR $url%
</section>
<p><a href="/">$webmail</a></p>
</body>
</html>
""")


def render(system: System, language: str) -> str:
    """The page as HTML.

    Beside the placeholders of `mailpod.model.clients`, `%QR URL%` stands where a code with that URL belongs.

    Args:
        system: whose page it is.
        language: one of `LANGUAGES`.
    """
    texts = {
        name: escape(Template(text).substitute(domain=system.domain, address=ADDRESS))
        for name, text in _TEXTS[language].items()
    }
    rows = [_row(texts["incoming"], server) for server in reading(system)]
    rows += [_row(texts["outgoing"], server) for server in sending(system)]
    return _PAGE.substitute(
        texts, language=language, placeholder=ADDRESS, servers="\n".join(rows), url=system.setup_page(ADDRESS)
    )


def _row(name: str, server: Server) -> str:
    security = "SSL/TLS" if server.implicit_tls else "STARTTLS"
    cells = "".join(f"<td>{text}</td>" for text in (server.host, server.port, security))
    return f"<tr><th>{name}</th>{cells}</tr>"
