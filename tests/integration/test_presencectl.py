"""presencectl at a real daemon: what people read, and the exit status. SPDX-License-Identifier: MIT"""

import json
import subprocess

import pytest

from presenced import BUILD, BUSY, DEADLINE, console_socket, feed_source, people, until

ADMIN = {"console": [console_socket("presenced", ["read", "calls", "notes", "admin"])]}
MEETING = {"availability": "busy", "activity": "meeting", "note": "Board room"}


def ctl(daemon, *arguments):
    """Exit status, output and errors."""
    done = subprocess.run([BUILD / "presencectl", "-s", str(daemon.folder / "presenced.sock"), *arguments],
                          capture_output=True, text=True, timeout=DEADLINE, check=False)
    return done.returncode, done.stdout, done.stderr


def row_of(output, user):
    return next(line for line in output.splitlines() if line.startswith(user))


@pytest.fixture
def office(start):
    """alice is in a meeting and on the phone, bob is known and nothing else, carol's source is not there."""
    daemon = start(ADMIN, users=people("alice", "bob"), sources=[feed_source("switch"), feed_source("away")])
    daemon.feed(truth={"alice": {"telephony": BUSY, "rich": MEETING}, "bob": {"telephony": {}, "rich": {}}})
    console = daemon.console()
    console.subscribe(users=["alice", "bob"])
    console.wait_overall("alice", "busy")
    console.wait(lambda: console.table["bob"]["telephony"]["status"] == "ok", "a word about bob")
    return daemon


def test_list_shows_each_half_in_words(office):
    status, out, _ = ctl(office, "list")

    assert status == 0
    alice, bob = row_of(out, "alice"), row_of(out, "bob")
    assert 'busy, meeting "Board room" (tapi)' in alice and "line busy, connected somebody (tapi)" in alice, alice
    assert bob.count("nothing known") == 2, "no facts are not an empty column: " + bob


def test_list_by_word_source_and_id(office):
    for arguments, expected in ((("--telephony", "busy"), ["alice"]), (("--rich", "meeting"), ["alice"]),
                                (("--match", "b*"), ["bob"]), (("--source", "switch"), ["alice"]),
                                (("--source", "away"), []), (("--rich", "dnd"), [])):
        _, out, err = ctl(office, "--json", "list", *arguments)
        assert [json.loads(line)["user"] for line in out.splitlines()] == expected, (arguments, out, err)


def test_get_says_by_its_status_whether_somebody_exists(office):
    assert ctl(office, "get", "alice")[0] == 0
    status, _, err = ctl(office, "get", "zoe")
    assert status == 1 and "zoe" in err, err


def test_status_gives_the_bound_of_sources_that_are_up(office):
    status, out, _ = ctl(office, "status")

    assert status == 0
    assert "at source switch" in out
    assert "at source away" not in out, "nothing is believed of a source that is not there"


def test_explain_names_what_decided(office):
    status, out, _ = ctl(office, "explain", "alice")
    assert status == 0 and "decided" in out and "a console, process" in out, out
    assert "nothing known" in ctl(office, "explain", "bob")[1]
    assert ctl(office, "explain", "zoe")[0] == 1


def test_source_is_stopped_and_started(office):
    assert ctl(office, "source", "switch", "stop")[0] == 0
    assert "stopped" in ctl(office, "status")[1]
    assert ctl(office, "source", "switch", "start")[0] == 0
    until(lambda: "stopped" not in ctl(office, "status")[1], "a source that runs")
    assert ctl(office, "source", "nobody", "stop")[0] == 1


def test_wrong_use_and_no_daemon_have_their_own_status(office):
    assert ctl(office, "explain")[0] == 2
    assert ctl(office, "dance")[0] == 2
    office.stop()
    status, _, err = ctl(office, "status")
    assert status == 3 and "presenced.sock" in err, err
