"""The office of the demo: who works there, and what they and their telephones do, by a fixed dice.

What people do is told as generators that yield the seconds until they go on.

SPDX-License-Identifier: MIT
"""

import csv
import datetime
import itertools
import random

PILOT = "8000"  # of the voicemail system
COLUMNS = {"id": "id", "name": "name", "groups": "groups", "extension": "extension", "sip_uri": "sip_uri",
           "line@switch": "line", "voicemail": "voicemail"}  # of users.csv, and where they are in a Person
PEOPLE = """
anna    Anna Berg     sales;reception  2001  switch
ben     Ben Okafor    sales            2002  switch
carla   Carla Ruiz    sales;board      2003  switch
david   David Cohen   support          2004  switch
emma    Emma Larsen   support          2005  switch
farid   Farid Nazari  support          2006
grace   Grace Lin     engineering      2007
hugo    Hugo Martin   engineering      2008  switch
ivan    Ivan Petrov   engineering      2009
julia   Julia Weiss   board            2010
kofi    Kofi Mensah   reception        2011
walter  Walter Stone  warehouse        2012  switch
"""
OUTSIDE = [("J. Bloggs", "+442079460101"), ("Acme Ltd", "+442079460155"), ("City Hall", "+442079460710"),
           ("M. Dupont", "+33199004217"), (None, "+442079460999")]
MEETINGS = ["Board room", "Room 4, until three", "Weekly planning", "With the auditors"]
TALKS = ["Spring catalogue", "New hires"]
UNTROUBLED = {"availability": "available", "activity": None, "note": None}


def now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Person:
    """What is true of one person: `rich` is what the person says, `telephony` what the line does."""

    def __init__(self, row):
        self.id, first, last, self.groups, self.extension, *systems = row.split()
        self.name = f"{first} {last}"
        self.at_switch = bool(systems)  # else only the telephone system knows the line
        self.line = self.extension if self.at_switch else "-"
        self.sip_uri = f"sip:{self.id}@example.com"
        self.voicemail = "7" + self.extension[1:]
        self.rich = dict(UNTROUBLED)
        self.telephony = {"line": "idle", "dnd": False, "forward": None, "calls": []}
        self.occupied = False  # a spell is running


class Office:
    """changed(person, domain) is called when something became true; play(generator) lets it run."""

    def __init__(self, changed, play):
        self.dice = random.Random(4)
        self.changed, self.play = changed, play
        self.people = [Person(row) for row in PEOPLE.strip().splitlines()]
        self.outside = itertools.cycle(OUTSIDE)
        self.by_line = {person.line: person for person in self.people if person.at_switch}

    def write_users(self, path):
        with open(path, "w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(COLUMNS)
            rows.writerows([getattr(person, name) for name in COLUMNS.values()] for person in self.people)

    def open(self):
        """The day begins with something to see."""
        anna, ben, carla, david, emma, farid, *_ = self.people
        for person, spell in ((anna, self.meeting), (ben, self.lunch), (carla, self.forward), (david, self.dnd),
                              (emma, self.fault), (farid, self.idle)):
            self.play(spell(person))
        self.play(self.call())
        self.play(self.repeat(1.0, 3.0, self.call))
        self.play(self.repeat(1.0, 3.0, self.spell))

    def repeat(self, least, most, story):
        while True:
            yield self.dice.uniform(least, most)
            self.play(story())

    def now(self, person, domain, **facts):
        getattr(person, domain).update(facts)
        self.changed(person, domain)

    def switch(self, person, **facts):
        """What only the switch can know of a line: forwards and do-not-disturb."""
        if person.at_switch:
            self.now(person, "telephony", **facts)

    def facts(self, line):
        """What the switch says of a line."""
        person = self.by_line.get(line)
        return {"status": "not_found"} if person is None else person.telephony

    # -- telephones

    def talk(self, person, line, state=None, direction=None, peer=None):
        """The person's line, and its one call with `peer` (name, number)."""
        call = {"state": state, "direction": direction, "since": now()}
        if peer is not None:
            call |= {"peer": peer[1]} | ({"name": peer[0]} if peer[0] else {})
        self.now(person, "telephony", line=line, calls=[] if state is None else [call])

    def call(self):
        """Somebody inside or outside calls somebody here: it rings, they talk, one may hold."""
        free = [p for p in self.people if p.telephony["line"] == "idle" and not p.telephony["dnd"]
                and p.telephony["forward"] is None]
        if len(free) < 4:
            return
        called, caller = self.dice.sample(free, 2)
        inside = self.dice.random() < 0.4
        peer = (caller.name, caller.extension) if inside else next(self.outside)

        def both(line, state, line_out, state_out):
            self.talk(called, line, state, "in", peer)
            if inside:
                self.talk(caller, line_out, state_out, "out", (called.name, called.extension))

        both("ringing", "ringing", "busy", "dialing")
        yield self.dice.uniform(1.5, 4)
        if self.dice.random() < 0.8:  # else nobody answers
            both("busy", "connected", "busy", "connected")
            yield self.dice.uniform(4, 10)
            if self.dice.random() < 0.4:
                both("held", "held", "busy", "connected")
                yield self.dice.uniform(2, 4)
                both("busy", "connected", "busy", "connected")
                yield self.dice.uniform(1, 4)
        both("idle", None, "idle", None)

    def fault(self, person):
        if person.at_switch and person.telephony["line"] == "idle":
            self.now(person, "telephony", line="offline")
            yield self.dice.uniform(8, 20)
            self.now(person, "telephony", line="idle")

    def forward(self, person):
        if not person.at_switch:
            return
        target = self.dice.choice(["+447700900142", "2011"])
        self.now(person, "telephony", forward={"target": target})
        yield self.dice.uniform(8, 20)
        self.now(person, "telephony", forward=None)

    # -- people

    def spell(self):
        """Something happens to somebody who has nothing else to do."""
        story = self.dice.choice([self.meeting, self.meeting, self.presentation, self.lunch, self.dnd, self.idle,
                                  self.gone, self.fault, self.forward])
        idle = [p for p in self.people if not p.occupied and p.telephony["forward"] is None]
        return story(self.dice.choice(idle)) if len(idle) > 4 else iter(())

    def is_for_a_while(self, person, availability, activity=None, note=None):
        person.occupied = True
        self.now(person, "rich", availability=availability, activity=activity, note=note)
        yield self.dice.uniform(8, 20)
        self.now(person, "rich", **UNTROUBLED)
        person.occupied = False

    def meeting(self, person):
        return self.is_for_a_while(person, "busy", "meeting", self.dice.choice(MEETINGS))

    def presentation(self, person):
        return self.is_for_a_while(person, "dnd", "presentation", self.dice.choice(TALKS))

    def idle(self, person):
        return self.is_for_a_while(person, "available_idle")

    def gone(self, person):
        return self.is_for_a_while(person, "offline")

    def lunch(self, person):
        """Calls go to the voicemail system, or to the own mailbox: presenced knows both."""
        self.switch(person, forward={"target": self.dice.choice([PILOT, person.voicemail])})
        yield from self.is_for_a_while(person, "away", "lunch", "Back at one")
        self.switch(person, forward=None)

    def dnd(self, person):
        self.switch(person, dnd=True)
        yield from self.is_for_a_while(person, "dnd", None, "Quarterly report")
        self.switch(person, dnd=False)
