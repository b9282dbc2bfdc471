"""Notes that console users write about a user, for all of them. SPDX-License-Identifier: MIT"""

import os
import pwd
import time

import pytest

from presenced import IDLE, NOBODY, console_socket, people, until
from store_world import ADMIN, ENDS, ctl, history_model, note_of, now_ms, timestamp


def start_office(start, **config):
    return start(ADMIN | config, users=people("alice", "bob"))


def wait_note(console, text, user="alice"):
    """Until the console has been told of this text (None: no note); the note."""
    def told():
        note = console.table[user]["note"]
        return (note and note["text"]) == text
    console.wait(told, f"note of {user}: {text}")
    return console.table[user]["note"]


def test_a_note_is_published_to_all_consoles_and_changes_nothing_else(start):
    daemon = start_office(start)
    daemon.feed(truth={"alice": {"telephony": IDLE}})
    writer, reader, observer = daemon.console(), daemon.console(), daemon.console()
    reader.subscribe(users=["alice"])
    reader.wait_overall("alice", "available")
    observer.subscribe(all=True, demand=False)
    before = reader.table["alice"]
    assert before["note"] is None
    begin = now_ms()

    said = writer.call("notes.set", user="alice", text="back at three", author="reception")["note"]

    assert said == {"text": "back at three", "author": "reception", "at": said["at"], "until": None}
    assert begin <= history_model.ms(said["at"]) <= now_ms()
    for console in (reader, observer):
        assert wait_note(console, "back at three") == said
    after = reader.table["alice"]
    assert after["seq"] > before["seq"]
    assert {key: after[key] for key in ("overall", "rich", "telephony")} == {
        key: before[key] for key in ("overall", "rich", "telephony")}
    assert list(after)[-2:] == ["telephony", "note"], "it stands last"
    assert reader.presence("alice") == after
    assert reader.call("presence.explain", user="alice")["presence"] == after
    assert reader.presence("bob")["note"] is None


def test_a_note_is_replaced_and_cleared(start):
    daemon = start_office(start)
    console = daemon.console()
    console.subscribe(users=["alice"], demand=False)
    assert console.call("server.stats")["notes"] == 0
    console.call("notes.set", user="alice", text="one")
    wait_note(console, "one")

    console.call("notes.set", user="alice", text="two", until=timestamp(now_ms() + 3_600_000))
    assert wait_note(console, "two")["until"] is not None
    assert console.call("server.stats")["notes"] == 1

    assert console.call("notes.clear", user="alice") == {"cleared": True}
    assert wait_note(console, None) is None
    assert console.call("notes.clear", user="alice") == {"cleared": False}
    assert console.call("server.stats")["notes"] == 0


def test_the_same_note_by_the_same_author_is_no_error(start):
    console = start_office(start).console()
    first = console.call("notes.set", user="alice", text="here")["note"]
    second = console.call("notes.set", user="alice", text="here")["note"]
    assert second["text"] == first["text"] and second["author"] == first["author"]
    assert note_of(console, "alice") == second


def test_author_is_the_account_that_is_connected(start, as_root):
    daemon = start({"console": [console_socket("presenced", ["read", "notes"])]}, users=people("alice"))
    strange = next(uid for uid in range(40000, 60000) if not any(one.pw_uid == uid for one in pwd.getpwall()))
    for uid, author in ((os.geteuid(), pwd.getpwuid(os.geteuid()).pw_name), (NOBODY, pwd.getpwuid(NOBODY).pw_name),
                        (strange, f"uid {strange}")):
        console = daemon.console(uid=uid)
        assert console.call("notes.set", user="alice", text="here")["note"]["author"] == author
        assert console.call("notes.set", user="alice", text="here", author="her office")["note"]["author"] == "her office"
        console.close()


def test_notes_need_their_permission_to_be_written_and_only_read_to_be_seen(start, as_root):
    daemon = start({"console": [console_socket("presenced", ["read"]), console_socket("desk", ["read", "notes"]),
                                console_socket("others", ["read", "calls", "admin"])]}, users=people("alice"))
    desk = daemon.console("desk", uid=NOBODY)
    note = desk.call("notes.set", user="alice", text="here")["note"]

    for name in ("presenced", "others"):
        console = daemon.console(name, uid=NOBODY)
        for method, params in (("notes.set", {"user": "alice", "text": "gone"}), ("notes.clear", {"user": "alice"})):
            error = console.error_of(method, **params)
            assert (error.code, error.data) == (-32001, {"needs": "notes"})
        assert note_of(console, "alice") == note
    assert desk.call("notes.clear", user="alice") == {"cleared": True}


@pytest.mark.parametrize("field, params", [
    ("text", {"text": ""}), ("text", {}), ("text", {"text": "a" * 1025}), ("text", {"text": "ä" * 513}),
    ("text", {"text": "a\nb"}), ("text", {"text": "\u007f"}), ("text", {"text": 7}),
    ("author", {"text": "a", "author": ""}), ("author", {"text": "a", "author": "b" * 257}),
    ("author", {"text": "a", "author": "b\tc"}), ("author", {"text": "a", "author": []}),
    ("until", {"text": "a", "until": "2020-01-01T00:00:00.000Z"}), ("until", {"text": "a", "until": "soon"}),
    ("until", {"text": "a", "until": 1}), ("user", {"user": "", "text": "a"}),
], ids=repr)
def test_what_is_no_note_is_refused_and_the_old_one_stays(start, field, params):
    console = start_office(start).console()
    note = console.call("notes.set", user="alice", text="here")["note"]

    error = console.error_of("notes.set", **{"user": "alice"} | params)

    assert (error.code, error.data) == (-32602, {"field": field})
    assert note_of(console, "alice") == note


@pytest.mark.parametrize("text", ["x", "a" * 1024, "é" * 512, "🙂" * 256, '"\\/ {"a":1}', " "], ids=repr)
def test_every_text_comes_back_as_it_was_written(start, text):
    daemon = start_office(start)
    console = daemon.console()
    note = console.call("notes.set", user="alice", text=text, author=text[:64])["note"]
    assert (note["text"], note["author"]) == (text, text[:64])
    daemon.kill()
    daemon.start()
    assert note_of(daemon.console(), "alice") == note


def test_nobody_has_no_note(start):
    console = start_office(start).console()
    assert console.error_of("notes.set", user="zoe", text="here").code == -32002
    assert console.error_of("notes.clear", user="zoe").code == -32002
    assert console.call("server.stats")["notes"] == 0


# ---- the end of a note ----------------------------------------------------------------------


def test_a_note_ends_by_itself_for_all_consoles(start):
    daemon = start_office(start)
    consoles = [daemon.console() for _ in range(3)]
    for console in consoles:
        console.subscribe(all=True, demand=False)
    end = now_ms() + 1500
    consoles[0].call("notes.set", user="alice", text="in a minute", until=timestamp(end))
    consoles[0].call("notes.set", user="bob", text="later", until=timestamp(end + 3_600_000))

    for console in consoles:
        assert wait_note(console, "in a minute")["until"] == timestamp(end)
        wait_note(console, None)
        assert end <= history_model.ms(console.table["alice"]["at"]) <= end + 5000
        assert wait_note(console, "later", "bob")


def test_a_note_written_again_has_its_own_end(start):
    console = start_office(start).console()
    console.subscribe(users=["alice"], demand=False)
    end = now_ms() + 1000
    console.call("notes.set", user="alice", text="short", until=timestamp(end))
    console.call("notes.set", user="alice", text="long")

    until(lambda: now_ms() > end + 500, "the first end is over")
    console.barrier()

    assert note_of(console, "alice")["text"] == "long"
    assert console.table["alice"]["note"]["text"] == "long"


# ---- restarts -------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ENDS)
def test_notes_are_there_after_a_restart_and_end_in_time(start, end):
    daemon = start_office(start)
    console = daemon.console()
    over = now_ms() + 5000
    alice = console.call("notes.set", user="alice", text="until soon", until=timestamp(over))["note"]
    bob = console.call("notes.set", user="bob", text="for ever", author="somebody")["note"]

    end(daemon)

    console = daemon.console()
    console.subscribe(all=True, demand=False)
    if now_ms() < over - 500:
        assert console.table["alice"]["note"] == alice
    assert console.table["bob"]["note"] == bob
    wait_note(console, None)
    assert now_ms() >= over
    assert note_of(console, "bob") == bob


def test_a_note_that_ended_while_the_daemon_was_down_is_gone(start):
    daemon = start_office(start)
    console = daemon.console()
    end = now_ms() + 700
    console.call("notes.set", user="alice", text="short", until=timestamp(end))
    console.call("notes.set", user="bob", text="long", until=timestamp(end + 3_600_000))
    daemon.kill()
    until(lambda: now_ms() > end, "its end")

    daemon.start()

    console = daemon.console()
    console.subscribe(all=True, demand=False)
    assert console.table["alice"]["note"] is None
    assert console.table["bob"]["note"]["text"] == "long"
    assert console.call("server.stats")["notes"] == 1


@pytest.mark.parametrize("end", ENDS)
def test_a_note_that_was_cleared_does_not_come_back(start, end):
    daemon = start_office(start)
    console = daemon.console()
    console.call("notes.set", user="alice", text="here")
    assert console.call("notes.clear", user="alice") == {"cleared": True}

    end(daemon)

    assert note_of(daemon.console(), "alice") is None


def test_notes_survive_a_reload(start):
    daemon = start_office(start)
    console = daemon.console()
    note = console.call("notes.set", user="alice", text="here")["note"]
    daemon.reload(users=people("alice", "bob", "carol", name="New Name"))
    assert note_of(console, "alice") == note


# ---- presencectl ----------------------------------------------------------------------------


def test_presencectl_sets_and_clears_notes(start):
    daemon = start_office(start)
    console = daemon.console()

    assert ctl(daemon, "note", "set", "--for", "1h", "--author", "the desk", "alice", "back", "at", "three")[0] == 0
    note = note_of(console, "alice")
    assert (note["text"], note["author"]) == ("back at three", "the desk")
    assert abs(history_model.ms(note["until"]) - time.time() * 1000 - 3_600_000) < 60_000
    for command in (["get", "alice"], ["list"]):
        assert "back at three" in ctl(daemon, *command)[1], command
    end = timestamp(now_ms() + 60_000)
    assert ctl(daemon, "note", "set", "--until", end, "alice", "soon")[0] == 0
    assert note_of(console, "alice")["until"] == end
    assert ctl(daemon, "note", "clear", "alice")[0] == 0
    assert note_of(console, "alice") is None
    assert ctl(daemon, "note", "set", "zoe", "here")[0] == 1
    assert ctl(daemon, "note", "set", "alice")[0] == 2
