"""presencectl at a console socket that answers what the test has written: what it asks, what people read, exit status.

    presencectl --request--> Script --the answer of this method-->

SPDX-License-Identifier: MIT
"""

import calendar
import csv
import fcntl
import io
import json
import os
import pty
import socket
import struct
import subprocess
import termios
import threading
import time

import pytest

from presenced import BUILD, DEADLINE

NOTE = {"text": "back at three", "author": "reception", "at": "2026-11-20T12:00:00.000Z", "until": None}
HALVES = {"rich": {"status": "not_requested"},
          "telephony": {"status": "ok", "line": "busy", "technology": "tapi", "source": "switch"}}
ALICE = {"user": "alice", "seq": 7, "at": "2026-11-20T12:00:00.000Z", "overall": "busy"} | HALVES | {"note": NOTE}
BOB = ALICE | {"user": "bob", "note": None}
FOUR = {"added": 3, "changed": 1, "unchanged": 5, "removed": 0}


class Refusal(Exception):
    """An answer that is an error."""

    def __init__(self, code, message, **data):
        super().__init__(message)
        self.error = {"code": code, "message": message, "data": data}


class Script:
    """A console socket. `answers`: method -> result, or a function of the parameters that gives one."""

    def __init__(self, path):
        self.path, self.answers, self.asked = path, {}, []
        self.longest = 0  # bytes of a request
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                end, _ = self.listener.accept()
            except OSError:
                return
            with end, end.makefile("rb") as lines:
                for line in lines:
                    self.longest = max(self.longest, len(line))
                    end.sendall(json.dumps(self.answer(json.loads(line))).encode() + b"\n")

    def answer(self, request):
        method, params = request["method"], request.get("params")
        self.asked.append((method, params))
        head = {"jsonrpc": "2.0", "id": request["id"]}
        try:
            answer = self.answers[method]
            return head | {"result": answer(params) if callable(answer) else answer}
        except Refusal as refusal:
            return head | {"error": refusal.error}
        except KeyError:
            return head | {"error": {"code": -32601, "message": f"There is no method {method}."}}

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def ctl(self, *arguments, **options):
        """Exit status, output and errors; TZ is two hours east of Greenwich."""
        done = subprocess.run([BUILD / "presencectl", "-s", str(self.path), *map(str, arguments)], capture_output=True,
                              text=True, timeout=DEADLINE, check=False, env=os.environ | {"TZ": "XYZ-2"}, **options)
        return done.returncode, done.stdout, done.stderr


@pytest.fixture
def script(tmp_path):
    script = Script(tmp_path / "console.sock")
    yield script
    script.close()


def fine(outcome):
    status, out, err = outcome
    assert (status, err) == (0, ""), outcome
    return out


def lines_of(out):
    return [json.loads(line) for line in out.splitlines()]


# ---- notes -----------------------------------------------------------------------------------------------------------


def test_note_is_set_with_its_words_and_its_end(script):
    script.answers["notes.set"] = lambda params: {"note": NOTE | {"until": params.get("until")}}

    assert fine(script.ctl("note", "set", "alice", "back", "at", "three")) == 'note "back at three" (reception)\n'
    assert script.asked[-1] == ("notes.set", {"user": "alice", "text": "back at three"})

    out = fine(script.ctl("note", "set", "--author", "the desk", "--until", "2099-12-31 15:00", "alice", "x --y z"))
    assert script.asked[-1][1] == {"user": "alice", "text": "x --y z", "author": "the desk",
                                   "until": "2099-12-31T13:00:00.000Z"}
    assert out.endswith(", until 2099-12-31 15:00:00\n"), "in local time, as it was given"


def test_note_for_a_duration_ends_that_long_from_now(script):
    script.answers["notes.set"] = {"note": NOTE}
    before = time.time()

    fine(script.ctl("note", "set", "alice", "away", "--for", "1h30m"))

    until = script.asked[-1][1]["until"]
    stamp = calendar.timegm(time.strptime(until[:19], "%Y-%m-%dT%H:%M:%S"))
    assert before + 5399 <= stamp <= time.time() + 5401


@pytest.mark.parametrize("arguments, sentence", [
    (["set", "alice"], "Beside whom, and what?"),
    (["set", "--until", "12:00", "--for", "1h", "alice", "x"], "say the same"),
    (["set", "--until", "yesterday", "alice", "x"], "has passed"),
    (["set", "--until", "noon", "alice", "x"], 'is no time: expected RFC 3339'),
    (["set", "--for", "30", "alice", "x"], "is no duration"),
    (["set", "--for", "400d", "alice", "x"], "is no duration"),
    (["set", "--untill", "15:00", "alice", "x"], 'no option "--untill"'),
    (["set", "alice", b"\xff"], "not UTF-8"),
    (["set", "--author", b"\xff", "alice", "x"], "not UTF-8"),
    (["clear"], "takes one user"),
    (["clear", "alice", "bob"], "takes one user"),
    (["sing"], 'no command "sing"'),
    ([], "takes what to do"),
])
def test_note_that_is_wrong_is_not_sent(script, arguments, sentence):
    done = subprocess.run([BUILD / "presencectl", "-s", script.path, "note", *arguments], capture_output=True,
                          timeout=DEADLINE, check=False)

    assert done.returncode == 2 and sentence in done.stderr.decode(errors="replace"), done.stderr
    assert script.asked == []


def test_note_is_cleared(script):
    script.answers["notes.clear"] = {"cleared": True}
    assert fine(script.ctl("note", "clear", "alice")) == "The note is gone.\n"
    assert script.asked == [("notes.clear", {"user": "alice"})]
    script.answers["notes.clear"] = {"cleared": False}
    assert fine(script.ctl("note", "clear", "alice")) == "There was no note.\n"
    assert lines_of(fine(script.ctl("--json", "note", "clear", "alice"))) == [{"cleared": False}]


def test_a_refusal_is_printed_and_the_status_is_1(script):
    script.answers["notes.clear"] = lambda _: (_ for _ in ()).throw(Refusal(-32005, "Nothing can be kept: disk full."))

    assert script.ctl("note", "clear", "alice") == (1, "", "presencectl: Nothing can be kept: disk full.\n")


def test_notes_stand_beside_the_presence(script):
    script.answers |= {"presence.get": {"presences": [ALICE, BOB], "unknown": []},
                       "users.list": {"users": [{"id": "alice", "groups": []}, {"id": "bob", "groups": []}], "next": None},
                       "presence.explain": {"presence": ALICE, "states": [], "trace": [], "demand": []}}

    for arguments in (["get", "alice", "bob"], ["list"], ["explain", "alice"]):
        lines = [line for line in fine(script.ctl(*arguments)).splitlines() if "busy" in line]
        assert 'note "back at three" (reception)' in lines[0] and lines[0].rstrip().endswith("(reception)")
        assert all("note" not in line for line in lines[1:])


def test_there_is_no_column_for_notes_that_nobody_wrote(script):
    script.answers["presence.get"] = {"presences": [ALICE, BOB], "unknown": []}
    assert fine(script.ctl("get", "alice", "bob")).splitlines()[0].split()[-1] == "NOTE"
    script.answers["presence.get"] = {"presences": [BOB], "unknown": []}
    assert fine(script.ctl("get", "bob")).splitlines()[0].split()[-1] == "TELEPHONY"


def test_a_table_is_as_wide_as_the_terminal_at_most(script):
    script.answers["presence.get"] = {"presences": [ALICE, BOB], "unknown": []}
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", 24, 50, 0, 0))

    subprocess.run([BUILD / "presencectl", "-s", script.path, "get", "alice", "bob"], stdout=slave, timeout=DEADLINE,
                   check=True, env=os.environ | {"NO_COLOR": "1"})
    os.close(slave)
    lines = os.read(master, 65536).decode().splitlines()
    os.close(master)

    assert len(lines) == 3 and max(map(len, lines)) == 50, lines


# ---- history ---------------------------------------------------------------------------------------------------------


def moment(text):
    return f"2026-11-20T{text}:00.000Z"


def change(number, at, line, **more):
    return {"id": number, "kind": "change", "user": "alice", "seq": number, "at": moment(at),
            "overall": "busy" if line == "busy" else "available", "rich": {"status": "not_requested"},
            "telephony": {"status": "ok", "line": line, "technology": "tapi"}} | more


def history(pages, before=None, now="13:00", behind=()):
    """history.list that gives these lists of rows, one a page, and asked for the row behind the end, the first of these."""

    def answer(params):
        if params["limit"] == 1:
            return {"rows": list(behind)[:1], "before": None, "now": moment(now), "next": None}
        page = 0 if "after" not in params else 1 + [rows[-1]["id"] for rows in pages].index(params["after"])
        return {"rows": pages[page], "before": before if page == 0 else None, "now": moment(now),
                "next": pages[page][-1]["id"] if page + 1 < len(pages) else None}

    return answer


def test_history_shows_rows_and_how_long(script):
    script.answers["history.list"] = history(
        [[change(2, "10:30", "idle")],
         [change(3, "11:00", "busy", gap=True), {"id": 4, "kind": "started", "at": moment("12:00"),
                                                 "observed_until": moment("11:30")}],
         [change(5, "12:10", "busy", telephony={"status": "stale", "line": "busy"})]],
        before=change(1, "09:00", "busy"))

    out = fine(script.ctl("history", "--from", "2026-11-20 12:00", "--to", "2026-11-20T12:45:00Z", "alice"))

    assert script.asked[0] == ("history.list", {"user": "alice", "from": moment("10:00"), "to": moment("12:45"),
                                                "limit": 500})
    assert [params.get("after") for _, params in script.asked] == [None, 2, 4, None]
    assert script.asked[-1] == ("history.list", {"user": "alice", "from": moment("12:45"), "limit": 1})
    table, summary = out.split("\n\n")
    assert [line.split()[1] for line in table.splitlines() if line.startswith("2026")] == \
        ["11:00:00", "12:30:00", "13:00:00", "14:00:00", "14:10:00"], "local time, and first what was in force"
    assert "line busy (tapi)" in table and "not observed (lost rows)" in table
    assert "presenced started; observed until 2026-11-20 13:30:00" in table
    assert table.splitlines()[-1].rstrip().endswith("not observed (stale)")
    assert summary.splitlines() == [
        "alice from 2026-11-20 12:00:00 to 2026-11-20 14:45:00:",
        "overall       busy 1h; not observed 1h45m (stale 35m, daemon not running 30m, nothing since the start 10m, "
        "lost rows 30m)",
        "line          busy 1h; not observed 1h45m (stale 35m, daemon not running 30m, nothing since the start 10m, "
        "lost rows 30m)",
        "availability  not observed 2h45m (not_requested 1h35m, daemon not running 30m, nothing since the start 10m, "
        "lost rows 30m)"]


@pytest.mark.parametrize("behind, observed", [
    ((), 60),
    ([change(3, "12:30", "idle")], 60),
    ([change(3, "12:30", "idle", gap=True)], 0),
    ([{"id": 3, "kind": "started", "at": moment("12:30"), "observed_until": moment("10:40")}], 10),
    ([{"id": 3, "kind": "started", "at": moment("12:30"), "observed_until": None}], 0),
])
def test_what_comes_behind_the_end_may_say_that_less_was_observed(script, behind, observed):
    script.answers["history.list"] = history([[change(2, "10:30", "busy")]], behind=behind)

    *rows, summary = lines_of(
        fine(script.ctl("--json", "history", "--from", moment("10:00"), "--to", moment("11:30"), "alice")))

    assert [row["id"] for row in rows] == [2]
    assert summary["summary"]["line"] == ({"busy": observed * 60000} if observed else {})


def test_history_for_programs_is_rows_and_a_summary(script):
    rows = [change(2, "10:30", "idle"), {"id": 3, "kind": "stopped", "at": moment("11:00")}]
    script.answers["history.list"] = history([rows[:1], rows[1:]])

    *found, summary = lines_of(fine(script.ctl("--json", "history", "--from", moment("10:00"), "alice")))

    assert found == rows
    hour = 3600000
    assert summary == {"summary": {
        "from": moment("10:00"), "to": moment("13:00"), "overall": {"available": hour // 2}, "line": {"idle": hour // 2},
        "availability": {}, "unobserved": {"overall": hour * 5 // 2, "line": hour * 5 // 2, "availability": 3 * hour},
        "reasons": {"overall": {"nothing recorded yet": hour // 2, "daemon not running": 2 * hour},
                    "line": {"nothing recorded yet": hour // 2, "daemon not running": 2 * hour},
                    "availability": {"not_requested": hour // 2, "nothing recorded yet": hour // 2,
                                     "daemon not running": 2 * hour}}}}


def test_history_begins_today_unless_told_otherwise(script):
    script.answers["history.list"] = lambda params: {"rows": [], "before": None, "next": None, "now": "2099-01-01T00:00:00Z"}

    out = fine(script.ctl("history", "alice"))

    asked = script.asked[0][1]
    assert set(asked) == {"user", "from", "limit"} and asked["from"].endswith("T22:00:00.000Z"), "midnight two hours east"
    assert "nothing recorded yet" in out


def test_history_tells_other_rows_in_words(script):
    script.answers["history.list"] = history([[
        {"id": 1, "kind": "started", "at": moment("10:00"), "observed_until": None},
        {"id": 2, "kind": "renamed", "user": "alice", "from": "ali", "at": moment("10:10")},
        {"id": 3, "kind": "removed", "user": "alice", "at": moment("10:20")},
        {"id": 4, "kind": "stopped", "at": moment("10:30")}]])

    out = fine(script.ctl("history", "--from", "2026-11-20", "alice"))

    for words in ("before it nothing was observed", "until then called ali", "the user was removed", "presenced ended"):
        assert words in out, out


@pytest.mark.parametrize("arguments", [[], ["alice", "bob"], ["--from", "noon", "alice"], ["--to", "25:00", "alice"],
                                       ["--from", "2026-11-20", "--to", "2026-11-20", "alice"], ["--form", "alice"]])
def test_history_that_is_wrong_is_not_asked(script, arguments):
    assert script.ctl("history", *arguments)[0] == 2
    assert script.asked == []


# ---- users -----------------------------------------------------------------------------------------------------------


def user(one, **more):
    return {"id": one, "groups": [], "addresses": {}} | more


class Directory:
    """users.import and users.list as presenced-protocol(7) has them."""

    def __init__(self, users=(), page=2):
        self.users, self.page = {one["id"]: one for one in users}, page
        self.staged, self.lines = [], []

    def take(self, params):
        self.staged += params["users"]
        self.lines.append((len(params["users"]), {key for key in params if key != "users"}))
        if params.get("more"):
            return {"staged": len(self.staged)}
        staged, self.staged = self.staged, []
        self.users |= {one["id"]: one for one in staged}
        return {"added": len(staged), "changed": 0, "unchanged": 0, "removed": 0}

    def list(self, params):
        ids = sorted(one for one in self.users if one > params.get("after", ""))
        page = ids[:self.page]
        return {"users": [self.users[one] for one in page], "next": page[-1] if len(ids) > len(page) else None}


@pytest.fixture
def directory(script):
    directory = Directory()
    script.answers |= {"users.import": directory.take, "users.list": directory.list}
    return directory


PEOPLE = [user("alice", name='Alice "A", Müller', groups=["sales", "front desk"],
               addresses={"extension": "2001;2002", "line@switch2": "-", "sip_uri": "sip:alice@x"}),
          user("bob"), user("carol", addresses={"line@a,b": "x", "xmpp": " c@x "}), user("dora", name=" d ")]


def test_csv_is_imported(script, directory, tmp_path):
    (tmp_path / "users.csv").write_text("id,name,groups,line,line@switch2\nalice,Alice,a; b,,-\nbob,,,7,\n")

    assert fine(script.ctl("users", "import", tmp_path / "users.csv")) == "2 added, 0 changed, 0 unchanged, 0 removed\n"

    assert directory.users == {"alice": user("alice", name="Alice", groups=["a", "b"], addresses={"line@switch2": "-"}),
                               "bob": user("bob", addresses={"line": "7"})}
    assert directory.lines == [(2, set())]


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["csv", "json"])
def test_an_export_is_imported_as_the_same_users(script, directory, tmp_path, form):
    directory.users = before = {one["id"]: one for one in PEOPLE}

    status, out, err = script.ctl(*form, "users", "export", tmp_path / "file")
    assert (status, out) == (0, "") and "4 users written" in err
    assert fine(script.ctl(*form, "users", "export")) == (tmp_path / "file").read_text(), "the same to standard output"
    directory.users = {}
    fine(script.ctl("users", "import", tmp_path / "file"))

    assert directory.users == before


def test_export_has_the_columns_that_somebody_uses(script, directory):
    directory.users = {one["id"]: one for one in PEOPLE}

    rows = list(csv.reader(io.StringIO(fine(script.ctl("users", "export")))))

    assert rows[0] == ["id", "name", "groups", "extension", "sip_uri", "xmpp", "line@a,b", "line@switch2"]
    assert rows[1] == ["alice", 'Alice "A", Müller', "sales;front desk", "2001;2002", "sip:alice@x", "", "", "-"]


def test_export_without_addresses_is_no_export(script, directory, tmp_path):
    del (one := user("alice"))["addresses"]
    directory.users = {"alice": one}
    (tmp_path / "file").write_text("before")

    status, out, err = script.ctl("users", "export", tmp_path / "file")

    assert (status, out) == (1, "") and "permission admin" in err
    assert (tmp_path / "file").read_text() == "before", "a file is not lost to an error"
    assert script.ctl("users", "export", tmp_path / "no" / "file")[0] == 1


def test_export_loses_no_column_that_it_does_not_know(script, directory):
    directory.users = {"alice": user("alice", addresses={"telepathy": "1"})}

    status, out, err = script.ctl("users", "export")

    assert (status, out) == (1, "") and "telepathy" in err


@pytest.mark.parametrize("json_lines", [False, True])
def test_many_users_go_in_lines_of_500_and_512_kib(script, directory, tmp_path, json_lines):
    count = 1300
    users = [user(f"u{i}", name="ü" * (500 if i >= 700 else 1), addresses={"line": "x" * (1000 if i >= 700 else 1)})
             for i in range(count)]
    with open(tmp_path / "file", "w", encoding="utf-8") as file:
        if json_lines:
            file.writelines(json.dumps(one) + "\n" for one in users)
        else:
            file.writelines(["id,name,line\n", *(f"{one['id']},{one['name']},{one['addresses']['line']}\n" for one in users)])

    with open(tmp_path / "file", encoding="utf-8") as file:
        assert f"{count} added" in fine(script.ctl("users", "import", "--replace", "--force", "-", stdin=file))

    assert directory.users == {one["id"]: one for one in users}
    assert all(number <= 500 for number, _ in directory.lines) and script.longest <= 512 * 1024
    assert script.longest > 400 * 1024, "lines are as long as they may be"
    assert [keys for _, keys in directory.lines] == [{"more"}] * (len(directory.lines) - 1) + [{"replace", "force"}]


def test_import_for_nothing_says_so(script, directory, tmp_path):
    (tmp_path / "users.csv").write_text("id\nalice\n")

    assert fine(script.ctl("users", "import", "--dry-run", tmp_path / "users.csv")) == \
        "would be: 1 added, 0 changed, 0 unchanged, 0 removed\n"
    assert directory.lines == [(1, {"dry_run"})]
    assert lines_of(fine(script.ctl("--json", "users", "import", tmp_path / "users.csv")))[0]["added"] == 1


@pytest.mark.parametrize("text, sentence", [
    ("id,name\nalice,A\nb b,B\n", ':3: id "b b" holds a space'),
    ("id\nalice\nbob\nalice\n", "already given in line 2"),
    ("id,fax\nalice,1\n", 'unknown column "fax"'),
    ("", "the file is empty"),
    ('id\n"alice', "ends inside quotes"),
    ('{"id":"alice"}\n{"id":"b b"}\n', ':2: id "b b" holds a space'),
    ('{"id":"alice"}\n{"id":"bob","fax":"1"}\n', ':2: a user has no "fax"'),
    ('{"id":"alice"}\nbob\n', "line 2: not JSON"),
])
def test_a_file_with_an_error_is_not_used_at_all(script, directory, tmp_path, text, sentence):
    (tmp_path / "file").write_text(text)

    status, out, err = script.ctl("users", "import", tmp_path / "file")

    assert (status, out) == (1, "") and sentence in err, err
    assert directory.lines == [], "nothing but lines with `more` may have gone out"


def test_import_ends_when_the_daemon_refuses(script, tmp_path):
    def refuse(params):
        raise Refusal(-32602, 'User "u3": line is longer than 1024 bytes.', user="u3")

    script.answers["users.import"] = refuse
    (tmp_path / "file").write_text("id\n" + "".join(f"u{i}\n" for i in range(5000)))

    status, out, err = script.ctl("users", "import", tmp_path / "file")

    assert (status, out, err) == (1, "", 'presencectl: User "u3": line is longer than 1024 bytes.\n')
    assert len(script.asked) == 1


def test_import_of_what_cannot_be_read(script, tmp_path):
    assert script.ctl("users", "import", tmp_path / "nothing")[0] == 1
    status, _, err = script.ctl("users", "import", tmp_path)
    assert status == 1 and "cannot be read" in err, err
    assert script.asked == []


def test_import_shows_how_far_it_is_on_a_terminal(script, directory, tmp_path):
    (tmp_path / "file").write_text("id\n" + "".join(f"u{i}\n" for i in range(1200)))
    master, slave = pty.openpty()

    done = subprocess.run([BUILD / "presencectl", "-s", script.path, "users", "import", tmp_path / "file"], stderr=slave,
                          stdout=subprocess.PIPE, timeout=DEADLINE, check=False)
    os.close(slave)
    seen = os.read(master, 65536).decode()
    os.close(master)

    assert done.returncode == 0 and b"1200 added" in done.stdout
    assert seen == "\r500 users read\r1000 users read\r\x1b[K"


def test_columns_are_set_by_hand(script):
    script.answers["users.set"] = {"user": user("alice"), "changed": True}

    assert fine(script.ctl("users", "set", "alice", "name=A = B", "groups=a; b", "line=", "line@x=-")) == "alice: changed\n"
    assert script.asked == [("users.set", {"user": "alice", "name": "A = B", "groups": ["a", "b"],
                                           "addresses": {"line": None, "line@x": "-"}})]
    script.answers["users.set"] = {"user": user("alice"), "changed": False}
    assert fine(script.ctl("users", "set", "alice", "name=")) == "alice: is as it was\n"
    assert script.asked[-1][1] == {"user": "alice", "name": None}


def test_users_are_removed_and_renamed(script):
    def remove(params):
        if params["user"] == "carol":
            raise Refusal(-32006, "Nothing is set by hand of carol.", origins=["file"])
        return {"removed": params["user"] == "alice", "origins": [] if params["user"] == "alice" else ["file", "imp"]}

    script.answers |= {"users.remove": remove, "users.rename": {"user": user("alison")}}

    status, out, err = script.ctl("users", "remove", "alice", "carol", "bob")
    assert status == 1 and err == "presencectl: Nothing is set by hand of carol.\n"
    assert out == "alice: removed\nbob: nothing is set by hand any more; named by file, imp\n"
    assert fine(script.ctl("users", "rename", "alice", "alison")) == "now called alison\n"
    assert script.asked[-1] == ("users.rename", {"user": "alice", "to": "alison"})


def test_a_directory_that_was_refused_is_taken(script):
    script.answers["users.sync"] = FOUR | {"conflicts": 2}

    assert fine(script.ctl("users", "sync", "--force", "imp")) == \
        "3 added, 1 changed, 5 unchanged, 0 removed, 2 conflicts\n"
    assert script.asked == [("users.sync", {"source": "imp", "force": True})]
    fine(script.ctl("users", "sync", "imp"))
    assert script.asked[-1][1] == {"source": "imp"}


@pytest.mark.parametrize("arguments", [[], ["dance"], ["import"], ["import", "--force", "x"], ["export", "a", "b"],
                                       ["set", "alice"], ["set", "alice", "fax=1"], ["set", "alice", "id=bob"],
                                       ["set", "alice", "name=a", "name=b"], ["remove"], ["rename", "alice"],
                                       ["rename", "a", "b", "c"], ["sync"], ["sync", "--forse", "imp"]])
def test_users_used_wrongly_asks_nothing(script, arguments):
    status, out, err = script.ctl("users", *arguments)

    assert (status, out) == (2, "") and "Usage: presencectl users import" in err
    assert script.asked == []


# ---- requests and contacts -------------------------------------------------------------------------------------------


REQUESTS = [{"id": 3, "source": "imp", "address": "zoe@example.org", "at": "2026-11-20T12:00:00.000Z", "name": "Zoe",
             "text": "Let me see you"},
            {"id": 4, "source": "imp", "address": "max@example.org", "at": "2026-11-20T12:01:00.000Z"}]


def test_requests_are_listed(script):
    script.answers["requests.list"] = {"requests": REQUESTS, "next": None}

    for arguments in (["requests"], ["requests", "list"]):
        head, zoe, later = fine(script.ctl(*arguments)).splitlines()
        assert head.split() == ["ID", "SINCE", "SOURCE", "ADDRESS", "NAME", "TEXT"]
        assert zoe.split() == ["3", "2026-11-20", "14:00:00", "imp", "zoe@example.org", "Zoe", "Let", "me", "see", "you"]
        assert later.split()[-1] == "max@example.org"
    assert lines_of(fine(script.ctl("--json", "requests"))) == REQUESTS
    script.answers["requests.list"] = {"requests": [], "next": None}
    assert fine(script.ctl("requests")) == "Nobody waits for an answer.\n"
    assert fine(script.ctl("--json", "requests")) == ""


def test_requests_are_answered_one_by_one(script):
    def accept(params):
        if params["id"] == 9:
            raise Refusal(-32002, "There is no request 9.")
        return {"request": REQUESTS[0]}

    script.answers |= {"requests.accept": accept, "requests.deny": {"request": REQUESTS[1]}}

    status, out, err = script.ctl("requests", "accept", "9", "3")
    assert (status, out, err) == (1, "3: accepted zoe@example.org at source imp\n", "presencectl: There is no request 9.\n")
    assert fine(script.ctl("requests", "deny", "4")) == "4: denied max@example.org at source imp\n"
    assert script.asked[-1] == ("requests.deny", {"id": 4})
    count = len(script.asked)
    for arguments in (["accept"], ["deny", "4", "x"], ["deny", "-1"], ["list", "3"], ["3"]):
        assert script.ctl("requests", *arguments)[0] == 2, arguments
    assert len(script.asked) == count, "nothing is answered when one of the ids is none"


def test_contacts_are_added_and_removed(script):
    script.answers |= {"contacts.add": {"address": "zoe@example.org"}, "contacts.remove": {"address": "zoe@example.org"}}

    assert fine(script.ctl("contacts", "add", "imp", "zoe")) == "zoe@example.org was asked to show presence to us.\n"
    assert "not asked for any more" in fine(script.ctl("contacts", "remove", "imp", "zoe"))
    assert script.asked == [("contacts.add", {"source": "imp", "user": "zoe"}),
                            ("contacts.remove", {"source": "imp", "user": "zoe"})]
    for arguments in ([], ["add"], ["add", "imp"], ["ask", "imp", "zoe"]):
        assert script.ctl("contacts", *arguments)[0] == 2, arguments


# ---- status and reload -----------------------------------------------------------------------------------------------


STORE = {"status": "ok", "since": "2026-11-20T12:01:03.000Z", "file": "/var/lib/presenced/presenced.db", "commits": 17,
         "waiting": 0, "rows": 4, "rows_lost": 0}


@pytest.mark.parametrize("store, line", [
    ({}, "store: ok, /var/lib/presenced/presenced.db, 17 commits, 0 waiting"),
    ({"rows_lost": 12, "waiting": 3},
     "store: ok, /var/lib/presenced/presenced.db, 17 commits, 3 waiting; 12 rows of history were lost"),
    ({"status": "unavailable", "why": "disk full"},
     "store: UNAVAILABLE since 2026-11-20 14:01:03: disk full; changes are refused, presence goes on"),
    ({"status": "unavailable", "why": "disk full", "rows_lost": 1},
     "store: UNAVAILABLE since 2026-11-20 14:01:03: disk full; changes are refused, presence goes on; "
     "1 rows of history were lost"),
    ({"status": "returning"},
     "store: returning since 2026-11-20 14:01:03; the disk is back and is being brought up to date; changes are still "
     "refused"),
])
def test_status_says_how_the_store_is(script, store, line):
    script.answers |= {"server.info": {"version": "1", "protocol": 1}, "sources.list": {"sources": []},
                       "server.stats": {"uptime_ms": 1000, "store": STORE | store, "notes": 5, "requests": 2}}

    out = fine(script.ctl("status"))

    assert line in out.splitlines(), out
    assert "5 notes; 2 requests wait for an answer (presencectl requests)" in out


def test_status_of_a_trouble_of_today_has_no_date(script):
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
    script.answers |= {"server.info": {"version": "1", "protocol": 1}, "sources.list": {"sources": []},
                       "server.stats": {"uptime_ms": 1000, "store": STORE | {"status": "unavailable", "since": stamp}}}

    out = fine(script.ctl("status"))

    local = time.strftime("%H:%M:%S", time.gmtime(calendar.timegm(time.strptime(stamp, "%Y-%m-%dT%H:%M:%S.000Z")) + 7200))
    assert f"store: UNAVAILABLE since {local};" in out or local > "23:59", out


def test_status_of_a_daemon_without_a_store_has_no_line(script):
    script.answers |= {"server.info": {"version": "1", "protocol": 1}, "sources.list": {"sources": []},
                       "server.stats": {"uptime_ms": 1000}}

    assert "store" not in fine(script.ctl("status"))


def test_reload_says_what_became_of_the_users(script):
    script.answers["config.reload"] = {"warnings": [], "users": FOUR}

    assert fine(script.ctl("reload")) == \
        "users: 3 added, 1 changed, 5 unchanged, 0 removed\nThe configuration was read again.\n"
    fine(script.ctl("reload", "--force"))
    assert script.asked == [("config.reload", None), ("config.reload", {"force": True})]
    assert script.ctl("reload", "hard")[0] == 2
