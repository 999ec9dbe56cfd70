import re
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.system import signing_keys

from mailpod.model.names import ROLES, account_name
from mailpod.model.records import MIN_QUOTA, Account, Alias, System
from mailpod.model.tables import expand, render

SYSTEM = System(domain="example.org", instance="mailpod", ipv6_subnet="fd00::/64")
FIRST = datetime(2024, 1, 1, tzinfo=UTC)
ALICE = Account(
    id="a1",
    name="alice",
    created=FIRST + timedelta(days=1),
    stack="classic",
    ssh_keys=("ssh-ed25519 AAAA alice",),
)
BOB = Account(id="b1", name="bob", created=FIRST, stack="dovecot")
SIGNERS = {"example.org": signing_keys(1), "alice.example.org": signing_keys(2)}
IDS = {"a1", "b1", "gone", *(f"1d{number}" for number in range(8))}


def rendered(accounts=(ALICE, BOB), aliases=()):
    return render(SYSTEM, accounts, aliases, {account.id: f"secret of {account.id}" for account in accounts}, SIGNERS)


def alias(local_part, *targets):
    """An alias of accounts, by id, and of whatever else it is to stand for."""
    own = tuple(target for target in targets if target.partition("+")[0] in IDS)
    return Alias(local_part=local_part, accounts=own, targets=tuple(one for one in targets if one not in own))


def pairs(table):
    return dict(line.split(" ", 1) for line in table.splitlines())


def test_the_exact_tables_of_two_accounts_and_an_alias():
    tables = rendered(aliases=[alias("contact", "a1", "b1", "x@y.example")])
    assert tables["postfix/recipients"] == "box@alice.example.org OK\nbox@bob.example.org OK\n"
    assert tables["postfix/aliases"] == (
        "abuse@alice.example.org box@bob.example.org\n"
        "abuse@bob.example.org box@bob.example.org\n"
        "abuse@example.org box@bob.example.org\n"
        "abuse@mail.example.org box@bob.example.org\n"
        "alice@example.org box@alice.example.org\n"
        "bob@example.org box@bob.example.org\n"
        "contact@example.org alice@example.org, bob@example.org, x@y.example\n"
        "hostmaster@example.org box@bob.example.org\n"
        "noc@example.org box@bob.example.org\n"
        "postmaster@alice.example.org box@bob.example.org\n"
        "postmaster@bob.example.org box@bob.example.org\n"
        "postmaster@example.org box@bob.example.org\n"
        "postmaster@mail.example.org box@bob.example.org\n"
        "security@example.org box@bob.example.org\n"
        "webmaster@example.org box@bob.example.org\n"
    )
    assert tables["postfix/transport"] == (
        "alice.example.org relay:[alice.mailpod.internal]:25\n"
        "bob.example.org relay:[bob.mailpod.internal]:25\n"
        "example.org error:5.1.1 No such account here\n"
        ".example.org error:5.1.1 No such account here\n"
    )
    assert tables["postfix/senders"] == (
        "alice@example.org alice\nbox@alice.example.org alice\nbob@example.org bob\nbox@bob.example.org bob\n"
    )
    assert tables["postfix/access"] == ""
    assert tables["identity/accounts"] == (
        "alice 300 all alice@example.org box@alice.example.org"
        " mailer-daemon@alice.example.org postmaster@alice.example.org\n"
        "bob 300 all bob@example.org box@bob.example.org mailer-daemon@bob.example.org postmaster@bob.example.org\n"
    )
    assert tables["dovecot/logins"] == (
        "alice:::::::host=alice.mailpod.internal hostip=fd00::a1\n"
        "alice@example.org:::::::host=alice.mailpod.internal hostip=fd00::a1\n"
        "box@alice.example.org:::::::host=alice.mailpod.internal hostip=fd00::a1\n"
        "_a1:::::::host=alice.mailpod.internal hostip=fd00::a1\n"
        "bob:::::::host=bob.mailpod.internal hostip=fd00::b1\n"
        "bob@example.org:::::::host=bob.mailpod.internal hostip=fd00::b1\n"
        "box@bob.example.org:::::::host=bob.mailpod.internal hostip=fd00::b1\n"
        "_b1:::::::host=bob.mailpod.internal hostip=fd00::b1\n"
    )
    # Only bob's server takes Sieve scripts.
    assert tables["dovecot/sieve"] == (
        "alice:::::::nologin\n"
        "alice@example.org:::::::nologin\n"
        "box@alice.example.org:::::::nologin\n"
        "_a1:::::::nologin\n"
        "bob:::::::proxy host=bob.mailpod.internal hostip=fd00::b1\n"
        "bob@example.org:::::::proxy host=bob.mailpod.internal hostip=fd00::b1\n"
        "box@bob.example.org:::::::proxy host=bob.mailpod.internal hostip=fd00::b1\n"
        "_b1:::::::proxy host=bob.mailpod.internal hostip=fd00::b1\n"
    )
    assert tables["postfix/limited"] == tables["quota/accounts"] == ""
    # printf %s 'secret of a1' | openssl dgst -sha256 -binary | base64
    assert tables["dovecot/relay"] == (
        "alice:{SHA256}+4yuWOMoxpn1nGe5QA9V/AARIuuilwdEP8TmmTIUQno=\n"
        "bob:{SHA256}OfqG259B8zgHfWaGWGnvkBsjR1lWI5kAU2PnFJC50s8=\n"
    )
    assert tables["ssh/jump_keys"] == (
        'restrict,port-forwarding,permitopen="alice.example.org:22",'
        'permitopen="alice.mailpod.internal:22" ssh-ed25519 AAAA alice\n'
    )
    assert tables["roundcube/identities"] == (
        "_a1 procmail alice alice@example.org box@alice.example.org\n"
        "_b1 sieve bob bob@example.org box@bob.example.org\n"
    )


def test_the_accounts_of_an_alias_write_as_it_where_that_is_allowed():
    """Those it names itself, whatever else it stands for; not those of an alias that it stands for."""
    inner = alias("inner", "b1")
    contact = alias("contact", "a1+tag", "gone", "inner", "x@y.example")
    tables = rendered(aliases=[inner, contact.model_copy(update={"send": True})])
    assert "contact@example.org alice\n" in tables["postfix/senders"]
    assert tables["identity/accounts"].splitlines()[0].endswith(" contact@example.org")
    assert "contact@example.org" not in tables["identity/accounts"].splitlines()[1]
    team = alias("team", "b1", "a1").model_copy(update={"send": True})
    assert "team@example.org alice, bob\n" in rendered(aliases=[team])["postfix/senders"]
    assert "contact" not in rendered(aliases=[contact])["postfix/senders"]


def test_the_webmail_is_told_which_deleted_accounts_can_come_back():
    """So that it can drop what belonged to any other, and a new alice is not taken for the old one."""
    old = ALICE.model_copy(update={"id": "a0", "deleted": FIRST})
    tables = render(SYSTEM, (ALICE,), (), {"a1": "secret"}, {}, kept=(old,))
    assert tables["roundcube/identities"] == "_a1 procmail alice alice@example.org box@alice.example.org\n_a0\n"
    assert "_a0" not in tables["dovecot/logins"]


def test_the_same_state_gives_the_same_tables_in_whatever_order():
    assert rendered((BOB, ALICE)) == rendered((ALICE, BOB))


def test_main_knows_which_addresses_lead_to_one_account_with_a_quota():
    """Short, canonical, role and alias, but not an alias of several, nor one that leads elsewhere."""
    bob = BOB.model_copy(update={"quota": MIN_QUOTA})
    shared = [alias("team", "a1", "b1"), alias("sales", "b1+sales"), alias("shop", "sales")]
    shared.append(alias("out", "x@y.example"))
    tables = rendered((ALICE, bob), shared)
    hosts = ("alice.example.org", "bob.example.org", "example.org", "mail.example.org")
    roles = {f"{role}@{host}" for role in ("abuse", "postmaster") for host in hosts}
    others = {f"{name}@example.org" for name in ("bob", "sales", "shop", *ROLES)}
    limited = {"box@bob.example.org", *roles, *others}
    assert pairs(tables["postfix/limited"]) == dict.fromkeys(limited, "limited")
    # printf %s 'quota secret of b1' | sha256sum
    token = "267c25aedfed8b0dea350d2115d6d7d17ec8b498dccd532be8bf224550146aa0"
    assert pairs(tables["quota/accounts"]) == dict.fromkeys(limited, f"bob.mailpod.internal {token}")


def test_without_accounts_only_the_roles_are_answered_with_later():
    tables = rendered(accounts=())
    assert tables["postfix/access"] == "".join(
        f"{role}@{host} 450 4.3.0 No account exists yet; try again later\n"
        for role in ("postmaster", "abuse")
        for host in ("example.org", "mail.example.org")
    )
    for table in ("postfix/recipients", "postfix/aliases", "postfix/senders", "dovecot/logins", "dovecot/relay"):
        assert tables[table] == ""
    assert tables["roundcube/identities"] == tables["ssh/jump_keys"] == ""


def test_a_role_somebody_claimed_is_theirs_at_every_subdomain():
    table = expand(SYSTEM, (ALICE, BOB), [alias("postmaster", "a1")])
    for host in ("example.org", "mail.example.org", "alice.example.org", "bob.example.org"):
        assert table[f"postmaster@{host}"] == ("alice@example.org",)
    assert table["abuse@example.org"] == ("box@bob.example.org",)


def test_a_role_outside_is_reached_before_there_is_an_account():
    tables = rendered(accounts=(), aliases=[alias("postmaster", "x@y.example")])
    assert pairs(tables["postfix/aliases"])["postmaster@example.org"] == "x@y.example"
    assert "postmaster@" not in tables["postfix/access"], "it exists and is put off all the same"


def test_targets_that_are_gone_are_left_out():
    table = expand(SYSTEM, (ALICE,), [alias("team", "a1", "gone"), alias("old", "gone")])
    assert table["team@example.org"] == ("alice@example.org",)
    assert "old@example.org" not in table


def test_who_gets_the_name_of_an_account_that_was_deleted_does_not_get_its_place_in_an_alias():
    newcomer = ALICE.model_copy(update={"id": "a2"})
    table = expand(SYSTEM, (BOB, newcomer), [alias("contact", "a1", "b1"), alias("postmaster", "a1")])
    assert table["contact@example.org"] == ("bob@example.org",)
    assert table["postmaster@example.org"] == ("box@bob.example.org",)


def test_a_target_keeps_its_tag():
    table = expand(SYSTEM, (ALICE,), [alias("lists", "a1+lists", "inner+x", "o+p@y.example"), alias("inner", "a1")])
    assert table["lists@example.org"] == ("alice+lists@example.org", "inner+x@example.org", "o+p@y.example")


def test_a_key_of_two_accounts_opens_both():
    """sshd(8) goes by the first line that holds the key."""
    shared = BOB.model_copy(update={"ssh_keys": ("ssh-ed25519 BBBB bob", "ssh-ed25519 AAAA the same key")})
    assert rendered((ALICE, shared))["ssh/jump_keys"] == (
        'restrict,port-forwarding,permitopen="alice.example.org:22",permitopen="alice.mailpod.internal:22",'
        'permitopen="bob.example.org:22",permitopen="bob.mailpod.internal:22" ssh-ed25519 AAAA alice\n'
        'restrict,port-forwarding,permitopen="bob.example.org:22",permitopen="bob.mailpod.internal:22"'
        " ssh-ed25519 BBBB bob\n"
    )


def test_a_role_whose_targets_are_all_gone_falls_to_the_oldest_account():
    assert expand(SYSTEM, (ALICE,), [alias("abuse", "gone")])["abuse@example.org"] == ("box@alice.example.org",)


def test_an_alias_of_an_alias_that_reaches_nobody_is_left_out():
    """Else main accepts a message that it must bounce."""
    table = expand(SYSTEM, (ALICE,), [alias("inner", "gone"), alias("outer", "inner"), alias("both", "inner", "a1")])
    assert "inner@example.org" not in table
    assert "outer@example.org" not in table
    assert table["both@example.org"] == ("alice@example.org",)


NAMES = ["alice", "bob", "carol", "7", "a-b", "x" * 63]
SHARED = ["contact", "team", "sales", "postmaster", "abuse", "first.last"]
OUTSIDE = ["x@y.example", "Some.One+tag@sub.example.com"]


@st.composite
def states(draw):
    """Accounts, and aliases of them, of each other without a circle, of outside addresses and of accounts long gone."""
    accounts = [
        Account(
            id=f"1d{number}",
            name=name,
            created=FIRST + timedelta(seconds=draw(st.integers(0, 3))),
            quota=draw(st.sampled_from([0, MIN_QUOTA])),
            frozen=draw(st.sampled_from([None, FIRST])),
            ssh_keys=draw(st.sampled_from([(), ("ssh-ed25519 K one", "ssh-rsa L two")])),
        )
        for number, name in enumerate(draw(st.lists(st.sampled_from(NAMES), unique=True)))
    ]
    aliases, known = [], [*(f"1d{number}" for number in range(len(NAMES))), "1d1+tag", *OUTSIDE]
    for local_part in draw(st.lists(st.sampled_from(SHARED), unique=True)):
        targets = draw(st.lists(st.sampled_from(known), min_size=1, max_size=4, unique=True))
        aliases.append(alias(local_part, *targets))
        known.append(local_part)
    return accounts, aliases


def reached(table, accounts, address, depth=0):
    """Where main delivers a message for `address`, as Postfix expands it."""
    assert depth < 20
    if address not in table and address.endswith("example.org"):
        address = re.sub(r"\+[^@]*", "", address)
    if address in {account.canonical("example.org") for account in accounts}:
        return {address}
    if address in table:
        return {end for target in table[address] for end in reached(table, accounts, target, depth + 1)}
    return {address} if not address.endswith("example.org") else {None}


@given(states())
def test_every_address_of_every_account_always_reaches_it_alone(state):
    accounts, aliases = state
    table = expand(SYSTEM, accounts, aliases)
    for account in accounts:
        own = account.canonical("example.org")
        assert own not in table
        assert reached(table, accounts, account.short("example.org")) == {own}


@given(states())
def test_main_knows_which_accounts_an_address_leads_to(state):
    accounts, aliases = state
    table = expand(SYSTEM, accounts, aliases)
    owners = {account.canonical("example.org"): account.name for account in accounts}
    readers = {line.split()[0]: line.split()[1:] for line in rendered(*state)["identity/readers"].splitlines()}
    for address in {*table, *owners}:
        names = sorted(owners[end] for end in reached(table, accounts, address) if end in owners)
        assert readers.get(address, []) == names


@given(states())
def test_what_is_accepted_reaches_somebody(state):
    accounts, aliases = state
    table = expand(SYSTEM, accounts, aliases)
    for address in table:
        assert None not in reached(table, accounts, address), f"{address} is accepted and then bounced"


@given(states())
def test_roles_reach_somebody_as_soon_as_there_is_an_account(state):
    accounts, aliases = state
    table = expand(SYSTEM, accounts, aliases)
    hosts = ["mail.example.org", *(account.fqdn("example.org") for account in accounts)]
    if accounts:
        assert all(f"{role}@example.org" in table for role in ROLES)
        assert all(f"{role}@{host}" in table for role in ("postmaster", "abuse") for host in hosts)


ADDRESS = r"[^\s@,:]+@[a-z0-9.-]+"
SERVER = r"host=[a-z0-9-]+\.mailpod\.internal hostip=[0-9a-f:]+"
LINES = {
    "postfix/recipients": rf"{ADDRESS} OK",
    "postfix/aliases": rf"{ADDRESS} {ADDRESS}(, {ADDRESS})*",
    "postfix/transport": (
        r"[a-z0-9.-]+ (relay:\[[a-z0-9-]+\.mailpod\.internal\]:25|frozen:\[127\.0\.0\.1\]:10028|error:5\.1\.1 .+)"
    ),
    "postfix/frozen": rf"{ADDRESS} frozen:\[127\.0\.0\.1\]:10028",
    "postfix/senders": rf"{ADDRESS} [a-z0-9-]+(, [a-z0-9-]+)*",
    "postfix/limited": rf"{ADDRESS} limited",
    "quota/accounts": rf"{ADDRESS} [a-z0-9-]+\.mailpod\.internal [0-9a-f]{{64}}",
    "identity/accounts": rf"[a-z0-9-]+ [0-9]+ (none|mail|all)( {ADDRESS}){{4,}}",
    "identity/readers": rf"{ADDRESS}( [a-z0-9-]+)+",
    "postfix/access": rf"{ADDRESS} 450 4\.3\.0 .+",
    "dovecot/logins": rf"(_?[a-z0-9-]+|{ADDRESS}):::::::{SERVER}",
    "dovecot/sieve": rf"(_?[a-z0-9-]+|{ADDRESS}):::::::(nologin|proxy {SERVER})",
    "dovecot/relay": r"[a-z0-9-]+:\{SHA256\}[A-Za-z0-9+/]{43}=",
    "ssh/jump_keys": r'restrict,port-forwarding(,permitopen="[a-z0-9.*-]+:22")+ ssh-[a-z0-9]+ \w+( \w+)?',
    "rspamd/keys": r"[0-9a-f]{64}|[a-z0-9.-]+ (rsa|ed25519)-[0-9-]+ [A-Za-z0-9+/]+=*",
    "roundcube/identities": rf"_[a-z0-9]+( (procmail|sieve) [a-z0-9-]+ {ADDRESS} {ADDRESS})?",
}


@given(states())
def test_every_line_of_every_table_is_well_formed_and_no_key_comes_twice(state):
    tables = rendered(*state)
    assert tables.keys() == LINES.keys()
    for name, text in tables.items():
        assert text == "" or text.endswith("\n")
        lines = text.splitlines()
        assert all(re.fullmatch(LINES[name], line) for line in lines), name
        if name not in {"ssh/jump_keys", "rspamd/keys"}:
            keys = [re.split(r"[ \t]|:::|:\{", line)[0] for line in lines]
            assert len(keys) == len(set(keys)), name


@given(states())
def test_secrets_are_not_in_the_tables(state):
    assert "secret of" not in "".join(rendered(*state).values())


def test_the_names_these_tests_use_can_be_accounts():
    assert [account_name(name) for name in NAMES] == NAMES


def test_the_signer_has_the_keys_that_sign_by_domain_in_the_order_of_the_signatures():
    rotated = signing_keys(1).announced(signing_keys(3)).begun(FIRST).announced(signing_keys(4))
    tables = render(SYSTEM, (), (), {}, {"example.org": rotated, "alice.example.org": signing_keys(2)})
    lines = [line.split() for line in tables["rspamd/keys"].splitlines()[1:]]
    assert [line[:2] for line in lines] == [
        ["example.org", "rsa-3"],
        ["example.org", "ed25519-3"],
        ["alice.example.org", "rsa-2"],
        ["alice.example.org", "ed25519-2"],
    ]


def test_the_signers_table_has_another_first_line_whenever_the_rest_is_another():
    def first(keys):
        return render(SYSTEM, (), (), {}, {"example.org": keys})["rspamd/keys"].splitlines()[0]

    assert first(signing_keys(1)) == first(signing_keys(1)) != first(signing_keys(2))
