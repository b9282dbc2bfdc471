"""A file that is damaged, at the start or while the daemon runs: presence goes on, and everything known is written anew.

SEED  repeats a random test; it is printed

SPDX-License-Identifier: MIT
"""

import os
import random
import shutil

import pytest

from disk_world import USERS, Office, overwrite_header, overwrite_pages
from store_world import counts, everything, store, try_call, wait_store

WORDS = ("malformed", "not a database", "corrupt", "damaged")
LARGE = 4000  # users, so that not all of the file is in a cache
DAMAGES = [overwrite_header, overwrite_pages]


@pytest.fixture
def rng():
    seed = int(os.environ.get("SEED", random.randrange(2**32)))
    print(f"SEED={seed}")
    return random.Random(seed)


def files(office):
    return [file for file in office.state.iterdir() if file.name.startswith("presenced.db")]


def move_away(office, good):
    del good
    (office.daemon.folder / "damaged").mkdir()
    for file in files(office):
        file.rename(office.daemon.folder / "damaged" / file.name)


def restore(office, good):
    """As an administrator does: the damaged one goes, the copy comes."""
    for file in files(office):
        file.unlink()
    copy = office.state / "copy"
    shutil.copy(good, copy)
    copy.rename(office.database)


def delete(office, good):
    del good
    for file in files(office):
        file.unlink()


def stopped(office):
    """A daemon in order, ended, and a good copy of its file."""
    office.daemon.stop()
    assert all(file.stat().st_size == 0 for file in files(office) if file.name.endswith("-wal")), "all is in the file"
    good = office.daemon.folder / "good.db"
    shutil.copy(office.database, good)
    return good


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_before_the_start_and_restored(start, rng, damage):
    office = Office(start)
    office.write(0, 40)
    known = everything(office.console)
    good = stopped(office)
    damage(office.database, rng)

    office.start_again()

    office.check_fails(*WORDS)
    assert "note" not in office.console.presence("u1"), "nobody knows"
    assert "name" not in office.console.call("users.get", user="u1")["user"]
    restore(office, good)
    office.check_returns()
    office.console.call("notes.clear", user="u49")
    assert everything(office.console) == known
    office.watcher.wait(lambda: office.watcher.table["u1"].get("note") == known["u1"][1], "consoles are told of the notes")
    office.check_kept(known)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("remedy", [move_away, delete])
def test_damaged_before_the_start_and_taken_away(start, rng, damage, remedy):
    office = Office(start)
    office.write(0, 10)
    stopped(office)
    damage(office.database, rng)
    office.start_again()
    office.check_unavailable(*WORDS)
    before = office.database.read_bytes()
    office.check_goes_on()
    assert office.database.read_bytes() == before, "what is damaged is left for somebody to look at"

    remedy(office, None)

    office.check_returns()
    assert office.console.presence("u1")["note"] is None, "known to be none"
    office.write(20, 10)
    office.check_kept()


def test_an_empty_file_is_a_new_one(start):
    office = Office(start)
    stopped(office)
    office.database.write_bytes(b"")
    office.start_again()
    wait_store(office.console)
    office.write(0, 5)
    office.check_kept()


@pytest.mark.parametrize("remedy", [move_away, restore, delete])
def test_pages_damaged_while_it_runs(start, rng, remedy):
    office = Office(start)
    for first in range(0, LARGE, 1000):
        users = [{"id": f"p{n}", "name": "P" * 600, "groups": [f"g{n}"]} for n in range(first, first + 1000)]
        assert counts(office.console.call("users.import", users=users))["added"] == 1000
    office.write(0, 40)
    good = stopped(office)
    office.start_again()
    office.write(40, 10)
    known = len(everything(office.console))

    overwrite_pages(office.database, rng)

    for n in rng.sample(range(LARGE), LARGE):
        answer = try_call(office.console, "users.set", user=f"p{n}", name=f"{n} " + "Q" * 600)
        if not isinstance(answer, dict):
            assert answer.code == -32005 and answer.data["why"], answer
            break
    else:
        raise AssertionError("a file without a good page was used to the end")
    office.check_fails(*WORDS)
    remedy(office, good)
    office.check_returns()
    assert len(everything(office.console)) == known
    assert office.console.presence("u1")["note"]["text"] == "note 1", "from before the damage"
    office.check_kept()


def test_a_header_damaged_while_it_runs_loses_nothing_that_was_acknowledged(start, rng):
    """SQLite may not look at the header again, and writes it anew sooner or later: it is noticed or made good."""
    office = Office(start)
    office.write(0, 40)
    stopped(office)
    office.start_again()

    overwrite_header(office.database, rng)

    for n in range(200):
        answer = try_call(office.console, "users.set", user=f"new{n}", name="N" * 1000)
        assert isinstance(answer, dict) or answer.code == -32005, answer
        office.console.call("server.info")
    office.check_goes_on()
    if store(office.console)["status"] != "ok":
        move_away(office, None)
        office.check_returns()
    assert set(USERS) <= set(everything(office.console))
    office.check_kept()
