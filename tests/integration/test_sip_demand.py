"""A large directory at a real Kamailio, which holds subscriptions for those who are wanted, and only while they are.

DEMAND_USERS  people in the directory (default 2000); every 20th is wanted

SPDX-License-Identifier: MIT
"""

import os

from presenced import until
from sip_world import ADMIN, DOMAIN, person, source_at, uri, wait_source

from kamailio import Kamailio  # sip_world knows the way to peers

USERS = int(os.environ.get("DEMAND_USERS", "2000"))
NAMES = [f"p{n}" for n in range(USERS)]
WANTED = NAMES[::20]
LINGER = {"monitoring": {"mode": "on-demand", "linger": "2s"}}


def test_exactly_those_who_are_wanted_are_subscribed_to_and_none_after_linger(start):
    with Kamailio(domain=DOMAIN) as kamailio:
        daemon = start({"console": ADMIN} | LINGER, users=[person(name) for name in NAMES],
                       sources=[source_at(kamailio.port, "udp", domains=["rich"])])
        admin = daemon.console()
        wait_source(admin, "up")
        assert admin.call("server.stats")["users"] == USERS
        observer = daemon.console(checked=0.01)
        observer.subscribe(all=True, demand=False)
        admin.call("presence.get", users=NAMES[:1000])
        assert len(observer.table) == USERS
        assert not kamailio.subscriptions(), "nobody asks"

        wanted = {("presence", uri(name)): 1 for name in WANTED}
        console = daemon.console()
        console.subscribe(users=WANTED)
        until(lambda: len(kamailio.subscriptions()) >= len(WANTED), "a subscription for each")
        console.wait(lambda: all(console.table[name]["rich"]["status"] == "ok" for name in WANTED), "an answer about each")
        assert dict(kamailio.subscriptions()) == wanted
        again = daemon.console()
        again.subscribe(users=WANTED[:10])
        console.close()
        wanted = {("presence", uri(name)) for name in WANTED[:10]}
        until(lambda: set(kamailio.subscriptions()) == wanted, "those of the other one")
        again.close()
        until(lambda: not kamailio.subscriptions(), "none after linger")
        assert admin.call("server.stats")["watched"] == 0
        assert {presence["rich"]["status"] for presence in admin.call("presence.get", users=WANTED[:1000])["presences"]} == {
            "not_requested"}


def test_everybody_is_subscribed_to_where_that_is_configured(start):
    with Kamailio(domain=DOMAIN) as kamailio:
        daemon = start({"console": ADMIN, "monitoring": {"mode": "always"}}, users=[person(name) for name in WANTED],
                       sources=[source_at(kamailio.port, "udp", domains=["rich"])])
        wait_source(daemon.console(), "up")
        until(lambda: dict(kamailio.subscriptions()) == {("presence", uri(name)): 1 for name in WANTED}, "all of them")
        daemon.reload(**LINGER)
        until(lambda: not kamailio.subscriptions(), "none, since nobody asks")
