"""Who we are to a simulated SIP server that asks for a password. SPDX-License-Identifier: MIT"""

import pytest

from sip_world import (SipServer, begin, certificates, cups, details, pause, person, requests_for, say, serve,
                       statuses_seen, uri, wait_source, wait_status, wait_why, watching)

from sip_digest import Digest  # after sip_world, which knows the way

__all__ = ["certificates", "serve"]  # fixtures


DIGESTS = {"MD5": {}, "SHA-256": {"algorithms": ("SHA-256",)}, "both": {"algorithms": ("SHA-256", "MD5")},
           "proxy": {"proxy": True}, "rfc2069": {"qop": False}, "proxy-2069": {"proxy": True, "qop": False},
           "options": {"methods": ("OPTIONS", "SUBSCRIBE")}}


@pytest.mark.parametrize("kind, transport", [*((kind, "udp") for kind in DIGESTS), ("both", "tls"), ("proxy", "tcp")])
def test_digest(serve, start, kind, transport):
    server = serve(transport)
    server.require_digest({"watcher": "secret"}, **DIGESTS[kind])
    _, console = watching(start, server, "ann", "bob", password="secret")

    assert cups(console)["status"] == "up"
    assert server.counters["challenge"] <= 6
    assert server.violations == []


@pytest.mark.parametrize("stale", [True, False])
@pytest.mark.parametrize("uses", [1, 3])
def test_nonce_that_is_used_up(serve, start, uses, stale):
    server = serve()
    server.max_expires = 3
    server.require_digest({"watcher": "secret"}, uses=uses, stale=stale)
    names = [f"u{n}" for n in range(8)]
    _, console = watching(start, server, *names, password="secret")

    server.wait(lambda: all(len([r for r in requests_for(server, name) if r.to.tag]) >= 1 for name in names),
                "each is refreshed", 10)

    assert cups(console)["status"] == "up" and details(console)["failures"] == 0
    assert all(set(statuses_seen(console, name)) <= {"ok"} for name in names)
    assert server.violations == []


def with_credentials(server):
    return [r for r in server.requests if r.count("authorization") or r.count("proxy-authorization")]


@pytest.mark.parametrize("methods", [("SUBSCRIBE",), ("OPTIONS", "SUBSCRIBE")])
def test_wrong_password_is_forbidden_and_not_tried_again_and_again(serve, start, methods):
    server = serve()
    server.require_digest({"watcher": "secret"}, tolerate=True, methods=methods)
    _, console = begin(start, server, [person("ann")], {"hold": "1s"}, password="wrong")

    found = wait_source(console, "forbidden", "password_file")
    assert "watcher" in found["why"] and "tried again in" in found["why"]
    count = len(server.requests)

    pause(3)

    assert len(server.requests) == count, "it is left alone"
    assert len(with_credentials(server)) <= 3
    wait_why(console, "ann", "error", "password_file")
    assert server.violations == []


class FarAway(SipServer):
    """Its answers take a while, as over a wide area network."""

    def _after_faults(self, transaction, phase, serve):
        def go_on():
            super(FarAway, self)._after_faults(transaction, phase, serve)

        if transaction.request.method == "OPTIONS":
            go_on()
        else:
            self._loop.after(0.3, go_on)


def test_wrong_password_is_not_tried_once_for_each_user(serve, start):
    """Many servers lock an account after a few wrong attempts."""
    server = serve("udp", FarAway)
    server.require_digest({"watcher": "secret"}, tolerate=True)
    _, console = begin(start, server, [person(f"u{n}") for n in range(40)], password="wrong")

    wait_source(console, "forbidden", "password_file")

    server.wait(lambda: server.counters[401] >= len(server.requests) - 1, "all is answered")
    assert len(with_credentials(server)) <= 5, f"{len(with_credentials(server))} wrong attempts within one second"
    assert server.violations == []


def test_no_password_is_said(serve, start):
    server = serve()
    server.require_digest({"watcher": "secret"})
    _, console = begin(start, server, [person("ann")])

    wait_source(console, "forbidden", "set user and password_file")

    assert with_credentials(server) == []
    assert server.violations == []


def test_corrected_password_file_heals_at_the_reload(serve, start, tmp_path):
    server = serve()
    server.require_digest({"watcher": "secret"}, tolerate=True)
    say(server, "ann", "busy")
    (tmp_path / "password").write_text("wrong\n", encoding="utf-8")
    daemon, console = begin(start, server, [person("ann")], password_file=str(tmp_path / "password"))
    wait_source(console, "forbidden")

    (tmp_path / "password").write_text("secret\n", encoding="utf-8")
    daemon.reload()

    console.wait_overall("ann", "busy", 5)
    assert cups(console)["status"] == "up"
    assert server.violations == []


def test_password_file_that_is_gone_at_the_reload_is_said_and_stops_nothing(serve, start, tmp_path):
    server = serve()
    (tmp_path / "password").write_text("secret\n", encoding="utf-8")
    daemon, console = watching(start, server, "ann", password_file=str(tmp_path / "password"))

    (tmp_path / "password").unlink()

    warnings = daemon.reload()["warnings"]
    assert len(warnings) == 1 and "cups" in warnings[0] and "cannot be read" in warnings[0], warnings
    assert cups(console)["status"] == "up"
    assert set(statuses_seen(console, "ann")) <= {"ok"}


def test_request_that_fits_into_no_datagram_is_said(serve, start):
    _, console = begin(start, serve(), [person("ann")], uri="sip:" + "w" * 1250 + "@example.test")

    wait_source(console, "connection_error", "would not fit into a datagram")


def test_password_that_becomes_wrong_while_all_works(serve, start):
    server = serve()
    server.max_expires = 4
    server.require_digest({"watcher": "secret"})
    _, console = watching(start, server, "ann", password="secret")

    server.require_digest({"watcher": "other"}, tolerate=True)

    wait_source(console, "forbidden", "password_file", 10)
    wait_status(console, "ann", "stale")
    assert server.violations == []


@pytest.mark.parametrize("proxy", [False, True])
def test_realm_that_changes_is_answered_with_the_next_connection(serve, start, proxy):
    server = serve("tcp")
    server.require_digest({"watcher": "secret"}, proxy=proxy)
    _, console = watching(start, server, "ann", password="secret")
    before = len(server.requests)
    say(server, "ann", "away", notify=False)

    server.require_digest({"watcher": "secret"}, proxy=proxy, realm="elsewhere.test")
    server.close_connections()

    console.wait_overall("ann", "away", 5)
    assert cups(console)["status"] == "up" and details(console)["connections"] == 2
    given = server.requests[-1].header("proxy-authorization" if proxy else "authorization")
    assert 'realm="elsewhere.test"' in given
    assert len([request for request in server.requests[before:] if request.method == "SUBSCRIBE"]) <= 4
    assert set(statuses_seen(console, "ann")) <= {"ok", "stale"}
    assert server.violations == []


def test_realm_that_changes_while_all_works_is_answered(serve, start):
    """Over UDP nothing but the next refresh tells of it."""
    server = serve()
    server.max_expires = 4
    server.require_digest({"watcher": "secret"})
    _, console = watching(start, server, "ann", "bob", password="secret")

    server.require_digest({"watcher": "secret"}, realm="elsewhere.test")

    server.wait(lambda: all(any('realm="elsewhere.test"' in request.header("authorization")
                                for request in requests_for(server, name)) for name in ("ann", "bob")), "new answers")
    say(server, "ann", "away")
    console.wait_overall("ann", "away")
    assert cups(console)["status"] == "up" and details(console)["connections"] == 1
    assert set(statuses_seen(console, "ann") + statuses_seen(console, "bob")) <= {"ok"}
    assert server.violations == []


class OwnRealms(SipServer):
    """Each address has a realm of its own, with the same password."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.offers = {}

    def _authorized(self, transaction):
        request = transaction.request
        if request.method != "SUBSCRIBE":
            return True
        realm = self.canonical(request.uri, request)
        self.digest = self.offers.setdefault(realm, Digest({"watcher": "secret"}, realm, nonces={}))
        if f'realm="{realm}"' in request.header("authorization"):
            return super()._authorized(transaction)
        self._respond(transaction, 401, self.digest.challenge())
        return False


def test_who_is_refused_with_credentials_is_not_let_in_by_them(serve, start):
    """So the realm of that refusal is not the server's own: the challenge of another one is answered, and again."""
    server = serve("tcp", OwnRealms)
    server.misbehave("status", user="watcher", code=403)
    _, console = watching(start, server, "ann", password="secret")
    assert cups(console)["status"] == "up"
    assert [request.count("authorization") for request in requests_for(server, "watcher")] == [0, 1]
    say(server, "ann", "away", notify=False)

    server.close_connections()

    console.wait_overall("ann", "away", 5)
    assert set(statuses_seen(console, "ann")) <= {"ok", "stale"}
    assert server.violations == []
