"""Who may ask what, and who is shown what. SPDX-License-Identifier: MIT"""

import pytest

from presenced import NOBODY, RpcError, console_socket, people, until

# Every method, the permission that it needs, and parameters that are right.
METHODS = {
    "server.info": (None, {}),
    "server.stats": ("admin", {}),
    "presence.get": ("read", {"users": ["alice"]}),
    "presence.subscribe": ("read", {"users": ["alice"]}),
    "presence.unsubscribe": ("read", {}),
    "presence.explain": ("admin", {"user": "alice"}),
    "users.list": ("read", {}),
    "users.get": ("read", {"user": "alice"}),
    "sources.list": ("read", {}),
    "sources.probe": ("admin", {"name": "switch"}),
    "sources.restart": ("admin", {"name": "switch"}),
    "sources.stop": ("admin", {"name": "switch"}),
    "sources.start": ("admin", {"name": "switch"}),
    "events.subscribe": ("read", {"topics": ["users", "sources"]}),
    "log.level": ("admin", {"level": "info"}),
    "raw.subscribe": ("admin", {"on": True}),  # and calls: it shows everything
    "config.reload": ("admin", {}),
    "users.set": ("admin", {"user": "carol", "name": "Carol"}),
    "users.remove": ("admin", {"user": "carol"}),
    "users.rename": ("admin", {"user": "bob", "to": "robert"}),
    "users.import": ("admin", {"users": [{"id": "dora"}]}),
    "users.sync": ("admin", {"source": "switch"}),
    "notes.set": ("notes", {"user": "alice", "text": "back at three"}),
    "notes.clear": ("notes", {"user": "alice"}),
    "history.list": ("read", {"user": "alice"}),
    "requests.list": ("notes", {}),  # or admin
    "requests.accept": ("notes", {"id": 1}),
    "requests.deny": ("notes", {"id": 1}),
    "contacts.add": ("admin", {"source": "switch", "user": "alice"}),
    "contacts.remove": ("admin", {"source": "switch", "user": "alice"}),
}
# What is right is refused all the same: nothing waits, nobody asks, nobody is connected.
REFUSED = {"users.sync": -32004, "requests.accept": -32002, "requests.deny": -32002, "contacts.add": -32004,
           "contacts.remove": -32004}
SETS = [(), ("read",), ("calls",), ("notes",), ("admin",), ("read", "calls"), ("read", "notes"), ("read", "admin"),
        ("read", "calls", "notes", "admin")]
PEER, NAME, TARGET = "+442070846845", "A. Caller", "+442079460000"
TALKING = {"line": "busy", "dnd": False, "forward": {"kind": "phone", "target": TARGET},
           "calls": [{"state": "connected", "direction": "in", "peer": PEER, "name": NAME}]}


def socket_name(permissions):
    return "-".join(("c", *permissions))


def start_with_sockets(start, **config):
    consoles = [console_socket("presenced", ["read"])] + [console_socket(socket_name(one), one) for one in SETS]
    return start({"console": consoles} | config,
                 users=people("alice", "bob", extension="2001", groups="sales", voicemail="8123"))


@pytest.mark.parametrize("permissions", SETS, ids=socket_name)
def test_each_method_is_allowed_to_whom_it_should(start, as_root, permissions):
    daemon = start_with_sockets(start)
    for method, (needs, params) in METHODS.items():
        console = daemon.console(socket_name(permissions), uid=NOBODY)
        assert console.permissions == list(permissions)
        if method == "raw.subscribe" and "admin" in permissions and "calls" not in permissions:
            needs = "calls"
        allowed = needs is None or needs in permissions or (method == "requests.list" and "admin" in permissions)
        if allowed and method in REFUSED:
            assert console.error_of(method, **params).code == REFUSED[method], method
        elif allowed:
            console.call(method, **params)
        else:
            error = console.error_of(method, **params)
            assert (error.code, error.data) == (-32001, {"needs": needs}), method
        console.close()


def test_permission_is_looked_at_before_the_parameters(start, as_root):
    daemon = start_with_sockets(start)
    console = daemon.console("c", uid=NOBODY)

    assert console.error_of("presence.explain", nonsense=1).code == -32001
    assert console.error_of("no.such").code == -32601


def test_super_user_has_every_permission_on_every_socket(start, as_root):
    daemon = start_with_sockets(start)

    for permissions in SETS:
        assert daemon.console(socket_name(permissions)).permissions == ["read", "calls", "notes", "admin"]


def show_everything(daemon, permissions):
    """A console by nobody that asks everything that it may while calls come and go; it keeps the bytes."""
    feed = daemon.feed(truth={"alice": {"telephony": TALKING}})
    console = daemon.console(socket_name(permissions), uid=NOBODY, keep_bytes=True)
    if {"admin", "calls"} <= set(permissions):
        console.call("raw.subscribe", on=True)
    console.call("events.subscribe", topics=["users", "sources"])
    console.subscribe(users=["alice"])
    console.wait_overall("alice", "forwarded_to_phone")
    for _ in range(3):
        feed.set("alice", telephony=TALKING | {"forward": None})
        console.wait_overall("alice", "busy")
        feed.set("alice", telephony=TALKING)
        console.wait_overall("alice", "forwarded_to_phone")
    position = {"instance": console.instance, "seq": 0}
    console.subscribe(users=["alice"], since=position)
    for method, (_, params) in METHODS.items():
        try:
            console.call(method, **params)
        except RpcError:
            continue
    console.call("presence.get", users=["alice"], wait=1000)
    feed.close()
    return console


@pytest.mark.parametrize("permissions", [one for one in SETS if "read" in one], ids=socket_name)
def test_numbers_of_a_call_are_shown_to_whom_may_see_calls_and_to_nobody_else(start, as_root, permissions):
    daemon = start_with_sockets(start)

    console = show_everything(daemon, permissions)

    shown = [text in console.transcript for text in (PEER.encode(), NAME.encode(), TARGET.encode())]
    assert shown == [("calls" in permissions)] * 3


@pytest.mark.parametrize("permissions", [("read",), ("read", "admin")], ids=socket_name)
def test_addresses_are_shown_to_administrators_only(start, as_root, permissions):
    daemon = start_with_sockets(start)
    console = daemon.console(socket_name(permissions), uid=NOBODY)

    user = console.call("users.get", user="alice")["user"]
    listed = console.call("users.list")["users"][0]

    origins = user.pop("origins", None)
    assert user == listed
    assert (origins is not None) == ("admin" in permissions)
    assert user.get("addresses") == ({"extension": "2001", "voicemail": "8123"} if "admin" in permissions else None)


def test_all_with_demand_needs_admin_unless_everybody_is_watched_anyhow(start, as_root):
    daemon = start_with_sockets(start)
    reader = daemon.console("c-read", uid=NOBODY)
    error = reader.error_of("presence.subscribe", all=True)
    assert (error.code, error.data) == (-32001, {"needs": "admin"})
    reader.subscribe(all=True, demand=False)
    daemon.console("c-read-admin", uid=NOBODY).subscribe(all=True)

    daemon.reload(monitoring={"mode": "always"})

    reader.subscribe(all=True)
    assert set(reader.table) == {"alice", "bob"}


def test_only_peers_may_use_a_socket_that_names_them(start, as_root):
    daemon = start({"console": [
        console_socket("presenced", ["read"]),
        console_socket("uids", ["read"], peers={"uid": ["12345", "daemon"]}),
        console_socket("gids", ["read"], peers={"gid": ["23456", "23457"]}),
    ]}, users=people("alice"))

    for name, uid, groups in (("uids", 12345, ()), ("uids", 1, ()), ("gids", NOBODY, (23457,)), ("gids", 23456, ())):
        assert daemon.console(name, uid=uid, groups=groups).permissions == ["read"], (name, uid, groups)
    assert daemon.console("uids").permissions == ["read", "calls", "notes", "admin"]
    for name, uid, groups in (("uids", NOBODY, (12345,)), ("gids", NOBODY, (1,)), ("gids", 12345, ())):
        error = daemon.console_refused(name, uid=uid, groups=groups)
        assert error["code"] == -32001, (name, uid, groups)


def test_socket_file_has_the_group_and_the_mode_that_were_configured(start, as_root):
    daemon = start({"console": [
        console_socket("presenced", ["read"]),
        console_socket("grouped", ["read"], group="daemon", mode="0620"),
    ]})

    def made():
        status = (daemon.folder / "grouped.sock").stat()
        return (status.st_mode & 0o7777, status.st_gid) == (0o620, 1)

    until(made, "group daemon and mode 0620")
    assert daemon.console("grouped", uid=NOBODY, groups=(1,)).permissions == ["read"]
    with pytest.raises(PermissionError):
        daemon.socket("grouped.sock", uid=NOBODY)


def test_reload_of_a_socket_ends_what_it_gave_before(start, as_root):
    daemon = start({"console": [console_socket("presenced", ["read", "calls"])]}, users=people("alice"))
    console, administrator = daemon.console(uid=NOBODY), daemon.console()
    assert console.permissions == ["read", "calls"]

    daemon.reload(console=[console_socket("presenced", ["read"])])

    assert "connect again" in console.notification("server.closing")["reason"]
    assert daemon.console(uid=NOBODY).permissions == ["read"]
    assert administrator.call("users.list")["users"]  # root has every permission on every socket
