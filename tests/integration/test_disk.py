"""A disk that is full, read-only or not there never stops presence; nothing is acknowledged that is not kept, and the store
comes back by itself. SPDX-License-Identifier: MIT"""

import shutil

import pytest

from disk_world import AGAIN, Disk, Filler, Office
from presenced import people, until
from store_world import (ADMIN, ENDS, ctl, everything, history, kill_and_start, note_of, stop_and_start, store, try_call,
                         wait_store)


@pytest.fixture
def small_disk(start):
    """small_disk(kib, ..) gives an Office whose state is on a disk of its own, which is there before it starts."""
    disks = []

    def run(kib, **config):
        daemon_start = start

        def started(*arguments, **options):
            daemon = daemon_start(*arguments, start=False, **options)
            disks.append(Disk(daemon.folder / "state", kib))
            daemon.start()
            return daemon

        office = Office(started, config=config)
        office.disk = disks[-1]
        return office

    yield run
    for disk in disks:
        disk.remove()


# ---- full -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kib, history_kept", [(1024, False), (16384, True)], ids=["1 MiB", "16 MiB with history"])
def test_a_full_disk(small_disk, kib, history_kept):
    office = small_disk(kib, history={"enabled": history_kept})
    office.write(0, 30)
    filler = Filler(office.state)

    office.write_until_refused()

    office.check_fails("full", "space")
    status, out, _ = ctl(office.daemon, "status")
    assert status == 0 and "store" in out and "unavailable" in out.lower(), out
    known = everything(office.console)
    filler.stop()
    office.check_returns()
    assert {one: row for one, row in everything(office.console).items() if one != "u49"} == {
        one: row for one, row in known.items() if one != "u49"}
    if history_kept:
        seq = office.console.presence("u7")["seq"]
        rows = until(lambda: (rows := history(office.console, "u7"))[-1].get("seq") == seq and rows, "its rows")
        assert not any("gap" in row for row in rows), "they could wait"
    office.check_kept()


def test_a_disk_that_is_full_from_the_start(small_disk):
    office = small_disk(1024, history={"enabled": False})
    office.write(0, 10)
    known = everything(office.console)
    office.daemon.stop()
    filler = Filler(office.state)

    office.start_again()

    office.check_goes_on()
    office.write_until_refused()
    office.check_fails("full", "space")
    filler.stop()
    office.check_returns()
    now = everything(office.console)
    assert set(now) == set(known) and now["u9"][1] is not None
    office.check_kept()


# ---- read-only ------------------------------------------------------------------------------


def test_a_disk_that_can_only_be_read(small_disk):
    """The kernel lets nobody make a disk read-only while a file on it is being written, so it is so from the start."""
    office = small_disk(4096)
    office.write(0, 10)
    known = everything(office.console)
    office.daemon.stop()
    office.disk.remount("ro")

    office.start_again()

    office.check_fails("read-only", "readonly", "read only")
    office.disk.remount("rw")
    office.check_returns()
    office.console.call("notes.clear", user="u49")
    assert everything(office.console) == known, "what was on the disk is known again"
    office.watcher.wait(lambda: office.watcher.table["u3"].get("note") == known["u3"][1], "consoles are told of the notes")
    office.check_kept(known)


# ---- not there ------------------------------------------------------------------------------


def test_a_folder_that_is_missing_is_made(start):
    office = Office(start)
    wait_store(office.console)
    assert office.state.is_dir() and office.database.exists()
    office.write(0, 5)
    office.check_kept()


def test_a_folder_whose_folder_is_missing_is_used_when_that_is_there(start):
    office = Office(start, config={"state": "nowhere/state"})
    office.check_goes_on()
    (office.daemon.folder / "nowhere").mkdir(exist_ok=True)
    office.check_returns()
    office.write(0, 5)
    office.check_kept()


def test_a_file_in_the_place_of_the_folder(start):
    def blocked(*arguments, **options):
        daemon = start(*arguments, start=False, **options)
        (daemon.folder / "state").write_text("in the way", encoding="utf-8")
        daemon.start()
        return daemon

    office = Office(blocked)

    office.check_fails("folder", "directory")
    (office.state).unlink()
    office.check_returns()
    office.write(0, 5)
    office.check_kept()


def test_a_folder_that_vanishes_takes_nothing_with_it_that_was_acknowledged(start):
    office = Office(start)
    office.write(0, 30)
    shutil.rmtree(office.state)

    for n in range(20):
        answer = try_call(office.console, "notes.set", user=f"u{n}", text="after it vanished")
        assert isinstance(answer, dict) or answer.code == -32005, answer
    office.check_goes_on()
    until(office.database.exists, "it is made again", AGAIN)
    office.check_returns()
    office.check_kept()


# ---- somebody else's ------------------------------------------------------------------------


@pytest.mark.parametrize("end", ENDS)
def test_the_state_of_another_daemon_is_left_alone_until_that_one_ends(start, end):
    first = Office(start)
    first.write(0, 10)
    second = Office(start, config={"state": str(first.state)})

    second.check_fails("another", "in use", "locked")

    first.write(10, 10)
    assert store(first.console)["status"] == "ok"
    known = everything(first.console)
    end_only(first.daemon, end)
    second.check_returns()
    second.console.call("notes.clear", user="u49")
    assert everything(second.console) == known
    assert note_of(second.console, "u11")["text"] == "note 11"
    second.check_kept(known)


def end_only(daemon, end):
    """What `end` does, without starting it again."""
    if end is stop_and_start:
        daemon.stop()
    else:
        daemon.kill()
        daemon.process = None


def test_two_that_start_at_once_agree_on_one(start):
    """Whoever comes first has it; the other one says so, and serves presence."""
    daemons = [start(ADMIN, users=people("alice"), start=False) for _ in range(2)]
    daemons[1].write_config(state=str(daemons[0].folder / "state"))
    for daemon in daemons:
        daemon.process = daemon.spawn("-c", str(daemon.file))
    consoles = []
    for daemon in daemons:
        until(daemon.listens, "it listens")
        consoles.append(daemon.console())

    def one_each():
        return sorted(store(console)["status"] for console in consoles) == ["ok", "unavailable"]

    until(one_each, "one has it")
    owner = next(n for n, console in enumerate(consoles) if store(console)["status"] == "ok")
    consoles[owner].call("notes.set", user="alice", text="of the owner")
    assert consoles[1 - owner].error_of("notes.set", user="alice", text="of the other").code == -32005
    end_only(daemons[owner], kill_and_start)
    wait_store(consoles[1 - owner], deadline=AGAIN)
    assert note_of(consoles[1 - owner], "alice")["text"] == "of the owner"
