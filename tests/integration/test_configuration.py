"""Configuration: what is wrong is said, all of it, and a reload changes what changed. SPDX-License-Identifier: MIT"""

import os
import re
import signal
import socket
import subprocess

import pytest

from presenced import (BUSY, DEADLINE, IDLE, NOBODY, PROGRAM, RpcError, console_socket, feed_source, people, until)

# Each wrong value of the file below: line, column, key, and words that must be in its message.
WRONG_YAML = """\
console:
  - socket: presenced.sock
    permissions: [read, wirte]
    mode: "999"
  - {permissions: [read]}
monitoring: {mode: sometimes, linger: 5 minutes}
hold: soon
verify: {rate: 10, busy: 5ms}
rules:
  rich: {winning: nobody-there}
  telephony: {order: [tapi, smoke-signals]}
  on_the_phone_is_dnd: perhaps
limits: {connections: 0}
log: {level: loud}
colour: red
users: users.csv
sources:
  - {name: switch, type: telepathy}
  - {name: sip, type: feed, socket: a.feed}
  - {name: one, type: feed, socket: b.feed, technology: smoke, speed: 9}
  - {name: one, type: feed, socket: c.feed}
  - {type: feed, socket: d.feed}
  - {name: pbx, type: sip, server: [a, "b c"], resolvers: q, uri: alice, listen: 0, telephony_uri: "{x}"}
  - {name: trunk, type: sip, server: a, uri: , user: "", ca_file: ~, transport: tcp}
  - {name: void, type: sip, server: [], uri: "sip:a@b", failback: 5ms, domain: "sip:x"}
  - {name: empty, type: sip, server: "", uri: "sip:a@b"}
  - {name: staff, type: sip, server: a, uri: "sip:a@b", directory: {use: true}}
  - {name: hr, type: feed, socket: e.feed, directory: {use: yes, match: [upn, colour], key: id}}
  - {name: hq, type: feed, socket: f.feed, directory: {match: upn}}
  - {name: it, type: feed, socket: g.feed, directory: {match: [groups]}}
history: {enabled: on, retention: 59m, calls: 1, keep: 1d}
"""
EXPECTED = [
    (3, 25, "console[0].permissions", ["wirte", "read, calls, notes"]),
    (4, 11, "console[0].mode", ["999", "0660"]),
    (5, 5, "console[1]", ["socket is missing"]),
    (6, 20, "monitoring.mode", ["sometimes", "on-demand", "always"]),
    (6, 39, "monitoring.linger", ["5 minutes", "duration"]),
    (7, 7, "hold", ["soon", "duration"]),
    (8, 16, "verify.rate", ["10", "10/s"]),
    (8, 26, "verify.busy", ["5ms", "1s"]),
    (10, 19, "rules.rich.winning", ["nobody-there"]),
    (11, 22, "rules.telephony.order", ["smoke-signals"]),
    (12, 24, "rules.on_the_phone_is_dnd", ["perhaps", "true or false"]),
    (13, 23, "limits.connections", ["0", "1"]),
    (14, 14, "log.level", ["loud", "error", "debug"]),
    (15, 1, "colour", ["unknown key", "sources"]),
    (18, 26, "sources[0]", ["telepathy", "feed"]),
    (19, 5, "sources[1]", ["sip", "technology"]),
    (20, 57, "sources[2].technology", ["smoke", "tapi"]),
    (20, 64, "sources[2].speed", ["unknown key"]),
    (21, 5, "sources[3]", ["two sources", "one"]),
    (22, 5, "sources[4]", ["name is missing"]),
    (23, 36, "sources[5].server", ["b c", "a host"]),
    (23, 59, "sources[5].resolvers", ["q", "numeric"]),
    (23, 67, "sources[5].uri", ["alice", "sip:user@domain"]),
    (23, 82, "sources[5].listen", ["0", "a port"]),
    (23, 100, "sources[5].telephony_uri", ["{x}"]),
    (24, 46, "sources[6].uri", ["found nothing"]),
    (24, 54, "sources[6].user", ['""', "a text"]),
    (24, 67, "sources[6].ca_file", ["found nothing", "a file"]),
    (25, 37, "sources[7].server", ["an empty list"]),
    (25, 67, "sources[7].failback", ["5 ms", "1s"]),
    (25, 80, "sources[7].domain", ["sip:x", "example.com"]),
    (26, 38, "sources[8].server", ["an empty text"]),
    (27, 74, "sources[9].directory.use", ["this type of source has no directory"]),
    (28, 61, "sources[10].directory.use", ["yes", "true or false"]),
    (28, 73, "sources[10].directory.match", ["colour", "extension", "upn", "voicemail"]),
    (28, 88, "sources[10].directory.key", ["unknown key", "use, match"]),
    (29, 63, "sources[11].directory.match", ["a single value", "a list of texts"]),
    (30, 63, "sources[12].directory.match", ["groups", "extension"]),
    (31, 20, "history.enabled", ["on", "true or false"]),
    (31, 35, "history.retention", ["59m", "1h", "3650d"]),
    (31, 47, "history.calls", ["1", "true or false"]),
    (31, 50, "history.keep", ["unknown key", "retention"]),
]


def test_every_error_is_named_with_its_place_at_once(start):
    daemon = start(start=False)
    daemon.file.write_text(WRONG_YAML, encoding="utf-8")

    status, output = daemon.check_config()

    assert status == 1
    lines = output.splitlines()
    for line, column, key, words in EXPECTED:
        found = [text for text in lines if re.match(rf"{re.escape(str(daemon.file))}:{line}:\d+: {re.escape(key)}:", text)]
        assert found, f"nothing of {key} in line {line}:\n{output}"
        assert found[0].startswith(f"{daemon.file}:{line}:{column}:"), f"{key} stands in column {column}: {found[0]}"
        assert all(word in found[0] for word in words), (words, found[0])
    assert len(lines) == len(EXPECTED), f"and nothing else:\n{output}"


@pytest.mark.parametrize("text, line", [
    ("hold: [1", 2), ("users: users.csv\n\thold: 1s\n", 2), ("hold: 1s\nhold: 2s\n", 2), ("- a\n- b\n", 1),
    ("hold: 1s\n---\nhold: 2s\n", None), ("console: {socket: x}\n", 1), ("hold: {a: b}\n", 1),
    ("rules: {rich: {order: sip}}\n", 1), ("sources:\n  - 7\n", 2),
], ids=repr)
def test_file_of_the_wrong_shape_is_refused_with_its_line(start, text, line):
    daemon = start(start=False)
    daemon.file.write_text(text, encoding="utf-8")

    status, output = daemon.check_config()

    assert status == 1
    assert re.match(rf"{re.escape(str(daemon.file))}:{line or '[23]'}:\d+: ", output), output


def test_good_file_is_good(start):
    daemon = start(start=False)

    status, output = daemon.check_config()

    assert (status, "good" in output) == (0, True), output


def test_file_that_is_not_there_is_a_sentence(start):
    daemon = start(start=False)
    daemon.file.unlink()

    status, output = daemon.check_config()

    assert status == 1
    assert output.strip() == f"{daemon.file}: cannot be read: No such file or directory"


@pytest.mark.parametrize("text, line, words", [
    (b'id,name\nalice,"A\nbob,B\n', 2, ["quotes"]),
    (b'id,name\nalice,A"B"\n', 2, ["CSV"]),
    (b"id,name\nalice,A\nbob,B\nalice,C\n", 4, ["alice", "line 2"]),
    (b"id,colour\nalice,red\n", 1, ["colour", "extension"]),
    (b"name,extension\nAlice,2001\n", 1, ["no column id"]),
    (b"id,name\n,A\n", 2, ["id"]),
    (b"id,name\nalice,A\n\xff\xfe,B\n", 3, ["UTF-8"]),
    (b"id,name\nalice\n", 2, ["found 1 fields", "expected 2"]),
    (b"id,name\nalice,A,B\n", 2, ["found 3 fields", "expected 2"]),
    (b"id,id\nalice,bob\n", 1, ["id", "twice"]),
    (b"id\nal ice\n", 2, ["id"]),
    (b"id\nal\x07ice\n", 2, ["id"]),
    (b"id\nal\x00ice\n", 2, ["NUL"]),
    (b"id\n" + b"x" * 129 + b"\n", 2, ["128"]),
    (b"id,id@switch\nalice,a\n", 1, ["id@switch"]),
    (b"id,line@sw\xffitch\nalice,a\n", 1, ["line@sw?itch"]),
    (b"id,line@a b\nalice,a\n", 1, ["line@a b"]),
    (b"", 1, ["empty"]),
], ids=lambda value: repr(value)[:40])
def test_wrong_users_are_named_with_file_and_line(start, text, line, words):
    daemon = start(start=False)
    (daemon.folder / "users.csv").write_bytes(text)

    status, output = daemon.check_config()

    assert status == 1
    assert output.startswith(f"{daemon.folder}/users.csv:{line}: "), output
    assert all(word in output for word in words), output


def test_all_wrong_users_are_named_at_once_and_counted_beyond_a_bound(start):
    daemon = start(start=False)
    (daemon.folder / "users.csv").write_text("id,name\n" + "x\n" * 1000, encoding="utf-8")

    status, output = daemon.check_config()

    assert status == 1
    lines = output.splitlines()
    assert [line.split(":")[1] for line in lines[:3]] == ["2", "3", "4"]
    assert "more errors" in lines[-1]


def test_users_are_read_as_spreadsheets_write_them(start):
    daemon = start(start=False)
    (daemon.folder / "users.csv").write_bytes(
        '\ufeffname,id,groups\r\n"Müller, ""Jo""",jo,"a;b"\r\n\r\nX,x,\r\n'.encode())
    daemon.start()

    page = daemon.console().call("users.list")["users"]

    assert page == [{"id": "jo", "name": 'Müller, "Jo"', "groups": ["a", "b"], "addresses": {}},
                    {"id": "x", "name": "X", "groups": [], "addresses": {}}]


def test_bad_file_changes_nothing_and_says_why(start):
    daemon = start(users=people("alice"))
    feed = daemon.feed(truth={"alice": {"telephony": BUSY}})
    console = daemon.console()
    console.subscribe(users=["alice"])
    console.wait_overall("alice", "busy")

    with pytest.raises(RpcError) as told:
        daemon.reload(users=people("bob"), hold="soon", sources=[])
    assert told.value.code == -32602
    assert any("hold" in line and "soon" in line and ":" in line for line in told.value.data["errors"])
    daemon.write_config(hold="15s", sources=[feed_source("switch")])
    (daemon.folder / "users.csv").write_text("id\na b\n", encoding="utf-8")
    with pytest.raises(RpcError) as told:
        daemon.reload()
    assert told.value.data["errors"][0].startswith(f"{daemon.folder}/users.csv:2: ")

    assert [user["id"] for user in console.call("users.list")["users"]] == ["alice"]
    assert console.source()["status"] == "up"
    assert feed.lines == [{"watch": "alice"}]
    assert console.table["alice"] == console.presence("alice")


def test_reload_that_changes_the_rules_composes_anew(start):
    daemon = start(users=people("alice"))
    daemon.feed(truth={"alice": {"telephony": BUSY}})
    console = daemon.console()
    console.subscribe(users=["alice"])
    console.wait_overall("alice", "busy")

    daemon.reload(rules={"on_the_phone_is_dnd": True})
    console.wait_overall("alice", "dnd")
    daemon.reload(rules={})
    console.wait_overall("alice", "busy")


def test_reload_that_changes_who_wins_composes_anew(start):
    daemon = start(users=people("alice"), sources=[feed_source("cups", "sip"), feed_source("imp", "xmpp")])
    daemon.feed("cups", truth={"alice": {"rich": {"availability": "away"}}})
    daemon.feed("imp", truth={"alice": {"rich": {"availability": "dnd"}}})
    console = daemon.console()
    console.subscribe(users=["alice"])
    console.wait_overall("alice", "away")

    daemon.reload(rules={"rich": {"winning": "imp"}})

    console.wait_overall("alice", "dnd")


def test_reload_that_changes_one_source_keeps_the_connection_of_the_other(start):
    daemon = start(users=people("alice"), sources=[feed_source("switch"), feed_source("imp", "xmpp")])
    switch = daemon.feed("switch", truth={"alice": {"telephony": IDLE}})
    imp = daemon.feed("imp", truth={"alice": {"rich": {"availability": "away"}}})
    console = daemon.console()
    console.subscribe(users=["alice"])
    console.wait_overall("alice", "away")

    daemon.reload(sources=[feed_source("switch"), feed_source("imp", "sfb")])

    imp.wait(lambda: imp.gone, "the changed source lets its program go")
    again = daemon.feed("imp", truth={"alice": {"rich": {"availability": "dnd"}}})
    presence = console.wait_overall("alice", "dnd")
    assert presence["rich"]["technology"] == "sfb"
    assert switch.lines == [{"watch": "alice"}] and not switch.gone
    assert again.watched == {"alice"}


def test_reload_that_changes_the_directory_of_a_source_keeps_its_connection(start):
    daemon = start(users=people("alice"), sources=[feed_source("switch")])
    feed = daemon.feed(truth={"alice": {"telephony": BUSY}})
    console = daemon.console()
    console.subscribe(users=["alice"])
    console.wait_overall("alice", "busy")

    for directory in ({"use": True, "match": ["extension"]}, {"use": True, "match": ["extension", "upn"]}, {"use": False}):
        assert daemon.reload(sources=[feed_source("switch", directory=directory)])["warnings"] == []

    assert console.source()["status"] == "up"
    assert feed.lines == [{"watch": "alice"}] and not feed.gone


def test_source_without_a_directory_may_say_that_it_is_not_used(start):
    daemon = start(start=False)
    daemon.write_config(sources=[{"name": "pbx", "type": "sip", "server": "a", "uri": "sip:a@b",
                                  "directory": {"use": False, "match": ["extension"]}}])

    status, output = daemon.check_config()

    assert (status, "good" in output) == (0, True), output


@pytest.mark.parametrize("history", [{}, {"enabled": False}, {"retention": "1h", "calls": False}, {"retention": "3650d"}],
                         ids=repr)
def test_history_is_configured(start, history):
    daemon = start(start=False)
    daemon.write_config(history=history)

    status, output = daemon.check_config()

    assert (status, "good" in output) == (0, True), output


def test_source_that_is_removed_disabled_or_added_by_a_reload(start):
    daemon = start(users=people("alice"), sources=[feed_source("switch")])
    daemon.feed(truth={"alice": {"telephony": IDLE}})
    console = daemon.console()
    console.subscribe(users=["alice"])
    console.wait_overall("alice", "available")

    daemon.reload(sources=[feed_source("switch", enabled=False), feed_source("pbx", "sip")])
    console.wait(lambda: console.table["alice"]["telephony"]["status"] == "requesting", "pbx is asked instead")
    assert console.source()["status"] == "disabled"
    daemon.feed("pbx", truth={"alice": {"telephony": BUSY}})
    console.wait_overall("alice", "busy")

    daemon.reload(sources=[])
    console.wait(lambda: console.table["alice"]["telephony"]["status"] == "server_not_configured", "none is left")
    assert console.call("sources.list") == {"sources": []}


def test_source_without_a_required_option_is_not_configured_and_the_others_work(start):
    daemon = start(users=people("alice"), sources=[{"name": "new", "type": "feed"}, feed_source("switch")])
    daemon.feed(truth={"alice": {"telephony": BUSY}})
    console = daemon.console()
    console.subscribe(users=["alice"])

    console.wait_overall("alice", "busy")
    assert console.source("new")["status"] == "not_configured"
    assert any("socket" in warning for warning in daemon.reload()["warnings"])
    error = console.error_of("sources.start", name="new")
    assert error.code == -32004


SWITCH = {"name": "switch", "type": "tapi"}
# Options of a telephone switch that are wrong, alone or beside another one, one a line; the option that is blamed, and
# words of the error.
WRONG_SWITCH = [
    (["server: pbx", "transport: udp"], "transport", ["udp", "tcp or tls"]),
    (["protocol: bridge", "socket: b.sock", "transport: udp"], "transport", ["udp", "tcp or tls"]),
    (["server: [pbx, 'a b']"], "server", ["a b", "a host"]),
    (["server: pbx", "protocol: tapi"], "protocol", ["tapi", "csta or bridge"]),
    (["server: pbx", "session: perhaps"], "session", ["perhaps", "auto, yes or no"]),
    (["server: pbx", "password: a", "password_file: b"], "password_file", ["both", "one of them"]),
    (["protocol: bridge", "listen: 4722", "password_file: b", "password: a"], "password_file", ["both", "one of them"]),
    (["server: pbx", "session_info: <user>{user}</user"], "session_info", ["expected XML", "line 1"]),
    (["server: pbx", "session_info: <a><b></a>"], "session_info", ["expected XML", "mismatched tag"]),
    (["server: pbx", "session_info: <acx:a/>"], "session_info", ["expected XML", "prefix"]),
    (["server: pbx", "password_file: b", "session: no"], "session", ["found no", "password"]),
    (["server: pbx", "listen: 4722"], "listen", ["protocol bridge"]),
    (["server: pbx", "socket: b.sock"], "socket", ["protocol bridge"]),
    (["protocol: bridge", "socket: b.sock", "server: pbx"], "server", ["protocol csta"]),
    (["protocol: bridge", "socket: b.sock", "user: a"], "user", ["protocol csta"]),
    (["protocol: bridge", "socket: b.sock", "transport: tls"], "transport", ["tls", "Unix socket"]),
    (["server: pbx", "user: presenced", "session: no"], "session", ["found no", "user"]),
    (["server: pbx", "session_duration: 9s"], "session_duration", ["9s", "10s", "1d"]),
    (["server: pbx", "in_flight: 0"], "in_flight", ["0", "1"]),
    (["server: pbx", "rate: 0/s"], "rate", ["0/s", "1/s"]),
    (["server: pbx", "rate: 100"], "rate", ["100", "/s"]),
    (["server: pbx", "keepalive: 4s"], "keepalive", ["4s", "5s", "10m"]),
    (["server: pbx", "poll: 2d"], "poll", ["2d", "1d"]),
    (["server: pbx", "key_file: k.pem"], "key_file", ["cert_file"]),
    (["server: pbx", "tls_min: '1.3'", "tls_max: '1.2'"], "tls_min", ["1.3", "1.2"]),
    (["server: pbx", "directory: {use: true}"], "directory.use", ["has no directory"]),
    (["protocol: bridge", "listen: 4722", "socket: b.sock", "password: a"], "socket", ["both", "one of them"]),
    (["protocol: bridge", "listen: 4722"], "listen", ["whoever can reach it", "password_file"]),
    (["protocol: bridge", "listen: here:4722", "password: a"], "listen", ["here:4722", "a port"]),
    (["protocol: bridge", "listen: 0", "password: a"], "listen", ["0", "a port"]),
    (["protocol: bridge", "listen: 192.0.2.1", "password: a"], "listen", ["192.0.2.1", "a port"]),
    (["protocol: bridge", "listen: 4722", "password: a", "transport: tls"], "listen", ["certificate", "cert_file"]),
    (["protocol: bridge", "socket: b.sock", 'mode: "660"'], "mode", ["660", "0660"]),
]


def switch_yaml(options):
    return "sources:\n  - name: switch\n    type: tapi\n" + "".join(f"    {line}\n" for line in options)


@pytest.mark.parametrize("options, blamed, words", WRONG_SWITCH, ids=repr)
def test_each_wrong_combination_of_a_switch_is_an_error_at_its_line(start, options, blamed, words):
    daemon = start(start=False)
    daemon.file.write_text(switch_yaml(options), encoding="utf-8")
    line = 4 + [option.split(":")[0] for option in options].index(blamed.split(".")[0])

    status, output = daemon.check_config()

    assert status == 1
    assert re.fullmatch(rf"{re.escape(str(daemon.file))}:{line}:\d+: sources\[0\]\.{blamed}: .*\n", output), output
    assert all(word in output for word in words), (words, output)


def test_switch_cannot_tell_of_the_person(start):
    daemon = start(start=False)
    daemon.file.write_text(switch_yaml(["server: pbx", "domains: [rich, telephony]"]), encoding="utf-8")

    status, output = daemon.check_config()

    assert (status, output.count("\n")) == (1, 1)
    assert output.startswith(f"{daemon.file}:2:5: sources[0]: domains: a source of type tapi"), output


@pytest.mark.parametrize("options", [
    ["server: pbx"], ["server: [pbx1, 'pbx2:8800', '[2001:db8::1]:4721']", "transport: tls", "failback: 0s"],
    ["server: pbx", "session: no"], ["server: pbx", "session: yes", "user: a", "password_file: b", "poll: 60s"],
    ["server: pbx", "user: a", "session_info: '<a>{user}</a>'", "session_version: v1"],
    ["protocol: bridge", "listen: 4722", "password_file: b"], ["protocol: bridge", "socket: b.sock"],
    ["protocol: bridge", "listen: '[::1]:4722'", "password: a", "transport: tls", "cert_file: c.pem"],
    ["protocol: bridge", "socket: b.sock", "password: a", "group: nobody-there", 'mode: "0600"'],
], ids=repr)
def test_switch_is_configured(start, options):
    daemon = start(start=False)
    daemon.file.write_text(switch_yaml(options), encoding="utf-8")

    status, output = daemon.check_config()

    assert (status, output.count("\n"), "is good" in output) == (0, 1, True), output


@pytest.mark.parametrize("options, missing", [({}, "server"), ({"protocol": "bridge"}, "listen or socket")],
                         ids=repr)
def test_switch_without_the_place_where_it_is_is_not_configured(start, options, missing):
    daemon = start(users=[{"id": "alice", "line": "2001"}],
                   sources=[SWITCH | options, feed_source("other", addresses="line")])
    daemon.feed("other", truth={"2001": {"telephony": BUSY}})
    console = daemon.console()
    console.subscribe(users=["alice"])

    console.wait_overall("alice", "busy")
    assert console.source("switch")["status"] == "not_configured"
    assert missing in console.source("switch")["why"]
    assert any(f"sources[0]: {missing} is missing" in warning for warning in daemon.reload()["warnings"])
    assert missing in str(console.error_of("sources.start", name="switch"))


def test_sighup_reads_the_file_again(start):
    daemon = start(users=people("alice"))
    console = daemon.console()
    console.subscribe(users=["bob"])

    daemon.write_users(people("bob"))
    daemon.process.send_signal(signal.SIGHUP)

    console.wait(lambda: "bob" in console.table, "bob")
    daemon.file.write_text("hold: soon\n", encoding="utf-8")
    daemon.process.send_signal(signal.SIGHUP)
    until(lambda: "soon" in daemon.log_text(), "the log says why not")
    assert console.presence("bob")


def test_reload_is_answered_when_the_users_are_in_the_directory(start):
    daemon = start(users=people("alice"))
    console = daemon.console()
    many = people(*(f"u{n:05}" for n in range(20000)))
    daemon.write_users(many)

    console.call("config.reload")

    assert console.call("server.stats")["users"] == len(many)
    assert console.call("presence.get", users=["alice", "u19999"])["unknown"] == ["alice"]


def test_reload_while_another_one_is_under_way_is_told_to_try_again(start):
    daemon = start(users=people("alice"))
    one, two = daemon.console(), daemon.console()
    daemon.write_users(people(*(f"u{n:05}" for n in range(20000))))
    first = one.request("config.reload")
    seen = []

    def refused():
        try:
            two.call("config.reload")
        except RpcError as error:
            seen.append(error)
        return seen or daemon.log_text().count("daemon reloaded") > 1

    until(refused, "the second is refused, or both are over")
    one.answer(first)
    assert all(error.code == -32004 for error in seen), seen


def test_console_socket_that_a_reload_adds_and_removes(start):
    daemon = start({"console": [console_socket("presenced", ["read"])]}, users=people("alice"))
    staying = daemon.console()

    daemon.reload(console=[console_socket("presenced", ["read"]), console_socket("second", ["read"])])
    until(lambda: (daemon.folder / "second.sock").exists(), "the second socket")
    daemon.console("second").barrier()
    daemon.reload(console=[console_socket("presenced", ["read"])])

    until(lambda: not (daemon.folder / "second.sock").exists(), "the second socket is gone")
    staying.barrier()


def test_socket_that_another_daemon_has_is_a_sentence(start):
    daemon = start()
    other = start({"console": [console_socket("presenced", ["read"]) | {"socket": str(daemon.folder / "presenced.sock")}],
                   "sources": []}, start=False)

    process = other.spawn("-c", str(other.file))

    assert process.wait(DEADLINE) == 1
    assert f"cannot listen at {daemon.folder}/presenced.sock: another program listens there" in other.log_text()
    daemon.console().barrier()


def test_socket_file_that_nobody_listens_at_is_replaced(start):
    daemon = start(start=False)
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(daemon.folder / "presenced.sock"))

    daemon.start()

    daemon.console().barrier()


def test_daemon_that_was_killed_can_be_started_again(start):
    daemon = start(users=people("alice"))
    daemon.console().barrier()
    daemon.kill()

    daemon.start()

    daemon.console().barrier()
    daemon.feed().wait(lambda: True, "connected")


def test_file_that_is_no_socket_is_not_replaced(start):
    daemon = start(start=False)
    (daemon.folder / "presenced.sock").write_text("precious", encoding="utf-8")

    process = daemon.spawn("-c", str(daemon.file))

    assert process.wait(DEADLINE) == 1
    assert "not a socket" in daemon.log_text()
    assert (daemon.folder / "presenced.sock").read_text(encoding="utf-8") == "precious"


def test_sockets_are_removed_at_the_end(start):
    daemon = start(users=people("alice"))

    daemon.stop()

    assert [file.name for file in daemon.folder.iterdir() if file.is_socket()] == []


def test_relative_paths_belong_to_the_folder_of_the_file(start):
    daemon = start(start=False)

    done = subprocess.run([PROGRAM, "--check-config", daemon.file.name], cwd=daemon.folder, capture_output=True,
                          timeout=DEADLINE, check=False)
    assert done.returncode == 0, done.stderr
    done = subprocess.run([PROGRAM, "--check-config", f"{daemon.folder.name}/{daemon.file.name}"],
                          cwd=daemon.folder.parent, capture_output=True, timeout=DEADLINE, check=False)
    assert done.returncode == 0, done.stderr


def test_daemon_runs_as_nobody_in_a_folder_of_its_own(start, as_root):
    daemon = start(users=people("alice"), start=False)
    for path in (daemon.folder, *daemon.folder.iterdir()):
        os.chown(path, NOBODY, NOBODY)

    process = subprocess.Popen([PROGRAM, "-c", daemon.file], user=NOBODY, group=NOBODY, extra_groups=[],
                               stderr=subprocess.DEVNULL)
    try:
        daemon.process = process
        until(daemon.listens, "it listens")
        assert daemon.console(uid=NOBODY).permissions == ["read", "calls", "notes", "admin"]
        assert daemon.console(uid=12345).permissions == ["read"]
    finally:
        daemon.stop()
