"""The language of the console socket, spoken well and badly. SPDX-License-Identifier: MIT"""

import html
import json
import re
import socket
import subprocess
import sys
import time

import pytest

import validate
from presenced import BUSY, DEADLINE, IDLE, NOBODY, TESTS, people

INFO = b'{"jsonrpc":"2.0","id":1,"method":"server.info"}\n'
MIB = 1024 * 1024


@pytest.fixture
def daemon(start):
    return start(users=people("alice", "bob", groups="sales"))


def answer_to(daemon, line):
    """The answer to one line, after which the connection must work as before."""
    console = daemon.console()
    console.send_bytes(line + b"\n")
    answer = console.next_message()
    assert console.call("server.info")["name"] == "presenced"
    return answer


def error_to(daemon, line):
    answer = answer_to(daemon, line)
    assert "error" in answer, answer
    return answer["error"]


@pytest.mark.parametrize("line", [
    b"hello", b"{", b'{"jsonrpc":"2.0","id":1,"method":"server.info"', b"'x'", b"\x00", b"{}{}", b"nul",
    b'{"jsonrpc":"2.0","id":1,"method":"server.info"}\x00', b'{"jsonrpc":"2.0","id":1,"method":"server.\xff\xfe"}',
    b'{"jsonrpc":"2.0","id":1,"method":"server.\xed\xa0\x80"}', b'{"jsonrpc":"2.0","id":1,"method":"\\ud800"}',
], ids=repr)
def test_what_is_not_json_is_answered_with_32700(daemon, line):
    answer = answer_to(daemon, line)

    assert answer["error"]["code"] == -32700
    assert answer["id"] is None


@pytest.mark.parametrize("line", [
    b"[]", b"1", b'"server.info"', b"null", b"true", b"{}", b'{"id":1}', b'{"jsonrpc":"2.0","id":1}',
    b'[{"jsonrpc":"2.0","id":1,"method":"server.info"}]',
    b'{"jsonrpc":"1.0","id":1,"method":"server.info"}', b'{"jsonrpc":2.0,"id":1,"method":"server.info"}',
    b'{"jsonrpc":"2.0","id":1,"method":7}', b'{"jsonrpc":"2.0","id":1,"method":"server.info","params":[]}',
    b'{"jsonrpc":"2.0","id":1,"method":"server.info","params":"x"}', b'{"jsonrpc":"2.0","id":[],"method":"server.info"}',
    b'{"jsonrpc":"2.0","id":{},"method":"server.info"}', b'{"jsonrpc":"2.0","id":true,"method":"server.info"}',
], ids=repr)
def test_json_that_is_not_a_request_is_answered_with_32600(daemon, line):
    assert error_to(daemon, line)["code"] == -32600


@pytest.mark.parametrize("line", [
    b'{"jsonrpc":"2.0","id":1,"id":2,"method":"server.info"}',
    b'{"jsonrpc":"2.0","id":1,"method":"server.info","params":' + b'{"a":' * 40 + b"1" + b"}" * 41,
], ids=["key twice", "too deep"])
def test_json_that_is_refused_for_safety_is_an_error(daemon, line):
    assert error_to(daemon, line)["code"] in (-32700, -32600)


@pytest.mark.parametrize("identifier", ["1", '"a text"', "0", "-1", "1.5", '"\\u00e9"', '""', "null", "9007199254740991"])
def test_id_is_repeated_as_it_was(daemon, identifier):
    answer = answer_to(daemon, b'{"jsonrpc":"2.0","id":%s,"method":"server.info"}' % identifier.encode())

    assert answer["id"] == json.loads(identifier)
    assert "result" in answer


def test_unknown_method_is_answered_with_32601(daemon):
    for method in ("no.such", "presence.Get", "", "server.info "):
        assert daemon.console().error_of(method).code == -32601


@pytest.mark.parametrize("method, params, field", [
    ("presence.get", {}, "users"),
    ("presence.get", {"users": "alice"}, "users"),
    ("presence.get", {"users": [1]}, "users"),
    ("presence.get", {"users": ["alice"], "wait": -1}, "wait"),
    ("presence.get", {"users": ["alice"], "wait": 10001}, "wait"),
    ("presence.get", {"users": ["alice"], "wait": 1.5}, "wait"),
    ("presence.get", {"users": ["alice"], "wait": "1"}, "wait"),
    ("presence.get", {"users": ["alice"], "nonsense": 1}, "nonsense"),
    ("presence.get", {"user": "alice"}, "user"),
    ("presence.subscribe", {}, "users"),
    ("presence.subscribe", {"users": [], "groups": []}, "users"),
    ("presence.subscribe", {"all": False}, "users"),
    ("presence.subscribe", {"all": "yes"}, "all"),
    ("presence.subscribe", {"all": True, "demand": 1}, "demand"),
    ("presence.subscribe", {"groups": {"a": 1}}, "groups"),
    ("presence.subscribe", {"all": True, "since": 7}, "since"),
    ("presence.subscribe", {"all": True, "since": {}}, "since"),
    ("presence.subscribe", {"all": True, "since": {"instance": "x"}}, "since"),
    ("presence.subscribe", {"all": True, "since": {"instance": "x", "seq": -1}}, "since"),
    ("presence.subscribe", {"all": True, "since": {"instance": "x", "seq": "1"}}, "since"),
    ("presence.unsubscribe", {"users": []}, "users"),
    ("presence.explain", {}, "user"),
    ("presence.explain", {"user": "x" * 129}, "user"),
    ("users.list", {"limit": 0}, "limit"),
    ("users.list", {"limit": 1001}, "limit"),
    ("users.get", {"user": ""}, "user"),
    ("sources.stop", {"name": 1}, "name"),
    ("sources.stop", {}, "name"),
    ("events.subscribe", {"topics": ["news"]}, "topics"),
    ("events.subscribe", {}, "topics"),
    ("log.level", {"level": "loud"}, "level"),
    ("raw.subscribe", {}, "on"),
    ("server.info", {"x": None}, "x"),
])
def test_wrong_parameter_is_named(daemon, method, params, field):
    error = daemon.console().error_of(method, **params)

    assert (error.code, error.data) == (-32602, {"field": field}), error


def test_parameter_that_is_null_counts_as_left_out(daemon):
    console = daemon.console()

    assert console.call("presence.get", users=["alice"], wait=None)["unknown"] == []
    assert console.error_of("presence.get", users=None).data == {"field": "users"}


def test_nothing_that_does_not_exist_can_be_asked_for(daemon):
    console = daemon.console()

    assert console.error_of("presence.explain", user="zoe").data == {"user": "zoe"}
    assert console.error_of("users.get", user="zoe").data == {"user": "zoe"}
    for method in ("sources.start", "sources.stop", "sources.restart", "sources.probe"):
        error = console.error_of(method, name="zoe")
        assert (error.code, error.data) == (-32002, {"source": "zoe"})


def test_empty_lines_and_carriage_returns_are_ignored(daemon):
    console = daemon.console()

    console.send_bytes(b"\n\r\n\n" + INFO.replace(b"\n", b"\r\n"))

    assert console.next_message()["id"] == 1


@pytest.mark.parametrize("line", [b"x" * (MIB + 1), b"x" * MIB + b"\n", b" " * (3 * MIB) + b"\n"],
                         ids=["no end", "one byte too long", "3 MiB"])
def test_line_that_is_too_long_is_answered_and_the_connection_is_closed(daemon, line):
    console = daemon.console()

    try:
        console.send_bytes(line)
    except (BrokenPipeError, ConnectionResetError):
        pass

    answer = console.next_message()
    assert (answer["error"]["code"], answer["error"]["data"]) == (-32003, {"limit": "1048576"})
    assert console.next_message()["method"] == "server.closing"
    assert not console.read_some(time.monotonic() + DEADLINE)


def test_line_of_exactly_one_mebibyte_is_read(daemon):
    console = daemon.console()

    console.send_bytes(INFO[:-1] + b" " * (MIB - len(INFO)) + b"\n")

    assert console.next_message()["id"] == 1


def requests(count):
    return b"".join(b'{"jsonrpc":"2.0","id":%d,"method":"server.info"}\n' % n for n in range(count))


def test_100_requests_in_one_write_are_answered_in_order(daemon):
    console = daemon.console()

    console.send_bytes(requests(100))

    assert [console.next_message()["id"] for _ in range(100)] == list(range(100))


def test_100_requests_in_writes_of_one_byte_are_answered_in_order(daemon):
    console = daemon.console()

    for byte in requests(100):
        console.send_bytes(bytes([byte]))

    assert [console.next_message()["id"] for _ in range(100)] == list(range(100))


def test_requests_without_id_are_executed_and_not_answered(daemon):
    console = daemon.console()

    console.send_bytes(b'{"jsonrpc":"2.0","method":"no.such"}\n'
                       b'{"jsonrpc":"2.0","method":"presence.get"}\n'
                       b'{"jsonrpc":"2.0","method":"server.info"}\n'
                       b'{"jsonrpc":"2.0","method":"presence.get","params":{"users":["alice"],"wait":50}}\n'
                       b'{"jsonrpc":"2.0","method":"presence.subscribe","params":{"users":["alice"]}}\n')

    console.wait(lambda: console.synced, "presence.synced")
    assert list(console.table) == ["alice"]
    console.call("server.info")


def test_answers_come_in_the_order_of_the_requests_though_the_first_takes_longer(daemon):
    console = daemon.console()

    get = console.request("presence.get", users=["alice"], wait=1000)
    info = console.request("server.info")

    assert console.answer(get)["presences"][0]["telephony"]["status"] == "requesting"
    assert console.answer(info)["name"] == "presenced"


def test_requests_behind_a_synchronisation_are_answered_after_it(daemon):
    console = daemon.console()

    first = console.request("presence.subscribe", all=True)
    second = console.request("presence.subscribe", users=["alice"])
    info = console.request("server.info")

    console.answer(first)
    console.seq, console.synced = 0, False
    console.answer(second)
    assert [line["method"] for line in console.notifications][-1] == "presence.synced"
    console.seq, console.synced = 0, False
    console.answer(info)


def test_half_closed_connection_is_answered_and_then_closed(daemon):
    console = daemon.console()
    get = console.request("presence.get", users=["alice"], wait=300)
    info = console.request("server.info")
    console.socket.shutdown(socket.SHUT_WR)

    assert console.answer(get)["unknown"] == []
    assert console.answer(info)["name"] == "presenced"
    assert not console.read_some(time.monotonic() + DEADLINE)


def test_console_that_leaves_while_it_waits_harms_nobody(daemon):
    console = daemon.console()
    console.request("presence.get", users=["alice", "bob"], wait=10000)
    console.request("sources.probe", name="switch")
    console.close()

    assert daemon.console().call("server.info")["name"] == "presenced"


def test_more_than_1000_users_in_one_get_is_a_limit(daemon):
    console = daemon.console()
    ids = [f"u{n}" for n in range(1001)]

    assert len(console.call("presence.get", users=ids[:1000])["unknown"]) == 1000
    error = console.error_of("presence.get", users=ids)

    assert (error.code, error.data) == (-32003, {"limit": "1000"})


def test_more_users_and_groups_than_one_set_may_have_is_a_limit(start):
    console = start({"limits": {"users_per_set": 5}}).console()

    console.subscribe(users=["a", "b", "c"], groups=["d", "e"])
    error = console.error_of("presence.subscribe", users=["a", "b", "c"], groups=["d", "e", "f"])

    assert error.code == -32003
    assert error.data["limit"] in ("5", "limits.users_per_set")


def test_more_connections_than_allowed_are_told_why_and_closed(start):
    daemon = start({"limits": {"connections": 3}})
    consoles = [daemon.console() for _ in range(3)]

    assert daemon.console_refused()["code"] == -32003

    consoles[0].close()
    consoles[1].barrier()
    daemon.console().close()


def test_more_connections_of_one_account_than_allowed_are_told_why_and_closed(start, as_root):
    daemon = start({"limits": {"connections_per_uid": 2}})
    consoles = [daemon.console(uid=NOBODY) for _ in range(2)]

    assert daemon.console_refused(uid=NOBODY)["code"] == -32003

    daemon.console(uid=12345).barrier()
    for _ in range(5):
        daemon.console().barrier()
    consoles[0].close()
    consoles[1].barrier()
    daemon.console(uid=NOBODY).barrier()


def test_daemon_says_goodbye_when_it_stops(start):
    daemon = start()
    console = daemon.console()

    daemon.stop()

    assert console.next_message()["method"] == "server.closing"
    assert not console.read_some(time.monotonic() + DEADLINE)


def example_of_the_manual():
    page = (TESTS.parent / "man" / "presenced-protocol.7").read_text(encoding="utf-8")
    text = re.search(r'BEGIN EXAMPLE console\.py\n\.Bd[^\n]*\n(.*?)\n\.Ed\n', page, re.S).group(1)
    return html.unescape(text).replace("\\e", "\\").replace("\\&", "").replace("\\-", "-") + "\n"


def test_python_example_of_the_manual_prints_each_change(daemon):
    feed = daemon.feed(truth={"alice": {"telephony": IDLE, "rich": {"availability": "away", "note": "lunch"}}})
    program = subprocess.Popen([sys.executable, "-c", example_of_the_manual(), daemon.folder / "presenced.sock",
                                "alice"], stdout=subprocess.PIPE, text=True)
    try:
        feed.wait_watched("alice")
        lines = iter(program.stdout.readline, "")
        assert any(line == "alice away lunch\n" for line in lines)
        feed.set("alice", telephony=BUSY)
        assert any(line == "alice busy lunch\n" for line in lines)
        daemon.stop()
        assert program.wait(DEADLINE) == 0
    finally:
        program.kill()
        program.wait()
        program.stdout.close()


def test_every_schema_is_used_by_these_tests():
    names = {name for name in validate.schema_files() if name.endswith(".result.json")}

    assert names == {f"{method}.result.json" for method in __import__("test_permissions").METHODS}


def test_id_that_is_too_long_is_refused_and_the_next_answer_stands_alone(start):
    console = start(users=people("alice")).console()
    console.send_bytes(json.dumps({"jsonrpc": "2.0", "id": "x" * 5000, "method": "server.info"}).encode() + b"\n")

    refused = console.next_message()
    assert refused["id"] is None and refused["error"]["code"] == -32600
    assert console.call("server.info")["name"] == "presenced"


def test_console_that_leaves_while_a_bad_configuration_is_read_harms_nobody(start):
    daemon = start(users=people("alice"))
    daemon.file.write_text("nonsense: [")
    for _ in range(20):
        console = daemon.console()
        console.request("config.reload")
        console.close()

    assert daemon.console().call("users.list")["users"]


def test_recorder_that_leaves_while_it_waits_for_users_harms_nobody(start):
    daemon = start({"monitoring": {"linger": "1s"}}, users=people(*[f"u{i}" for i in range(200)]))
    for _ in range(10):
        console = daemon.console(checked=0)
        console.call("raw.subscribe", on=True)
        console.request("presence.get", users=[f"u{i}" for i in range(200)], wait=5000)
        console.close()

    assert daemon.console().call("users.list")["users"]


def test_follower_of_events_that_reads_late_is_told_of_everybody(start):
    ids = [f"u{i}" for i in range(5000)]
    daemon = start(users=people(*ids))
    late = daemon.console(checked=0)
    late.call("events.subscribe", topics=["users"])

    daemon.reload(users=people(*ids, groups="g" * 300))

    told = set()
    while told != set(ids):
        told.add(late.notification("users.changed")["user"])
