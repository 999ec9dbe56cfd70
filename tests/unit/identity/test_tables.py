from identity.tables import Account, Table


def test_a_line_is_found_by_its_first_word(tmp_path):
    path = tmp_path / "accounts"
    path.write_text("alice 300 none alice@club.test box@alice.club.test\nalicia 5 all alicia@club.test\n")
    table = Table(str(path))
    account = Account(*table.find("alice"))
    assert (account.name, account.per_hour, account.internet) == ("alice", 300, "none")
    assert account.owns("BOX+tag@alice.club.test")
    assert not account.owns("alicia@club.test")
    assert table.find("") == table.find("bob") == []


def test_a_new_table_holds_at_once(tmp_path):
    path = tmp_path / "accounts"
    path.write_text("alice\n")
    table = Table(str(path))
    assert table.find("alice")
    new = tmp_path / "new"
    new.write_text("bob\n")
    new.replace(path)
    assert (table.find("alice"), table.find("bob")) == ([], ["bob"])
