"""The telephone system of the demo: a real Kamailio on loopback, and what is published to it.

A presence document (PIDF, RPID) says what a person says, a dialog document (dialog-info) what the line does.

SPDX-License-Identifier: MIT
"""

import itertools
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "peers"))

import kamailio  # noqa: E402
import publisher  # noqa: E402

kamailio.PROGRAM = os.environ.get("KAMAILIO") or kamailio.PROGRAM
DOMAIN = "example.com"
TIMEOUT = 5.0  # for an answer to PUBLISH, which takes a millisecond
EXPIRES = 86400  # longer than anybody looks
WORDS = {"busy": ["busy"], "dnd": ["dnd"], "away": ["away"]}  # the others need none
STATES = {"ringing": "early", "dialing": "early", "connected": "confirmed", "held": "confirmed"}
DIRECTIONS = {"in": "recipient", "out": "initiator"}


class Failed(Exception):
    """Kamailio does not do what it should; the text says why."""


class Ended(Exception):
    """The demo was told to end while Kamailio was being started."""


class Server(kamailio.Kamailio):
    """ended() says whether the demo was told to end; that is asked while it starts."""

    def __init__(self, ended):
        self.ended_early = ended
        super().__init__(domain=DOMAIN, max_expires=EXPIRES, shared_memory=64)

    def answers(self):
        if self.ended_early():
            raise Ended
        return super().answers()


def presence_document(person):
    rich = person.rich
    words = WORDS.get(rich["availability"], []) + ([rich["activity"]] if rich["activity"] else [])
    basic = "closed" if rich["availability"] == "offline" else "open"
    return publisher.pidf(person.sip_uri, basic, words, rich["note"], idle=rich["availability"] == "available_idle")


def dialog_document(person, version):
    """What the telephone itself knows: calls, but neither forwards nor do-not-disturb."""
    dialogs = [{"id": "call", "state": STATES[call["state"]], "direction": DIRECTIONS[call["direction"]],
                "held": call["state"] == "held", "remote": f"sip:{call['peer'].number}@{DOMAIN}",
                "display": call["peer"].name}
               for call in person.telephony["calls"]]
    return publisher.dialog_info(f"sip:{person.number}@{DOMAIN}", version, dialogs)


class Pbx:
    """Kamailio can be killed and started again; then everything is published anew."""

    def __init__(self, people, ended):
        self.people = people
        self.server = Server(ended)
        self.address = f"{kamailio.HOST}:{self.server.port}"
        self.versions = itertools.count(1)
        self.publisher = None  # while it runs

    def start(self):
        try:
            self.server.start()
        except Ended:
            self.server.kill()  # while it starts it does not listen to anything milder
            raise
        except OSError as error:
            raise Failed(f"Kamailio cannot be started: {error}") from None
        except kamailio.Failed as error:
            raise self.failed(str(error).partition(":\n")[0]) from None
        self.publisher = publisher.Publisher(kamailio.HOST, self.server.port, DOMAIN, TIMEOUT)
        self.publish((person, domain) for person in self.people for domain in ("rich", "telephony"))

    def kill(self):
        self.publisher.close()
        self.publisher = None
        self.server.kill()

    def check(self):
        """It may have died by itself."""
        if self.publisher is not None and self.server.process.poll() is not None:
            raise self.failed(f"Kamailio ended with {self.server.process.returncode}")

    def publish(self, changes):
        """(person, domain) of what has changed; nothing while Kamailio is away."""
        self.check()
        if self.publisher is None:
            return
        documents = [(person.id, presence_document(person), "presence") if domain == "rich" else
                     (person.number, dialog_document(person, next(self.versions)), "dialog")
                     for person, domain in changes]
        try:
            self.publisher.publish_many(documents, expires=EXPIRES)
        except (publisher.Refused, publisher.Unanswered) as error:
            raise self.failed(f"Kamailio does not take a document: {error}") from None

    def failed(self, sentence):
        lines = self.server.log_text().splitlines()[-15:]
        return Failed("\n".join([sentence, "The end of the log of Kamailio:", *lines]))

    def close(self):
        if self.publisher is not None:
            self.publisher.close()
            self.publisher = None
        self.server.close()
