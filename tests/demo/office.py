"""The office of the demo: who works there, and what they and their telephones do, by a fixed dice.

What people do is told as generators that yield the seconds until they go on.

SPDX-License-Identifier: MIT
"""

import collections
import csv
import itertools
import random

PILOT = "8000"  # of the voicemail system
COLUMNS = {"id": "id", "name": "name", "groups": "groups", "extension": "number", "sip_uri": "sip_uri",
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
Outsider = collections.namedtuple("Outsider", "name number at_switch", defaults=[False])
OUTSIDERS = [Outsider("J. Bloggs", "+442079460101"), Outsider("Acme Ltd", "+442079460155"),
             Outsider("City Hall", "+442079460710"), Outsider("M. Dupont", "+33199004217"),
             Outsider(None, "+442079460999")]
LINES = {"dialing": "busy", "ringing": "ringing", "connected": "busy", "held": "held", None: "idle"}
MEETINGS = ["Board room", "Room 4, until three", "Weekly planning", "With the auditors"]
TALKS = ["Spring catalogue", "New hires"]
UNTROUBLED = {"availability": "available", "activity": None, "note": None}


class Person:
    """What is true of one person: `rich` is what the person says, `telephony` what the line does."""

    def __init__(self, row):
        self.id, first, last, self.groups, self.number, *systems = row.split()
        self.name = f"{first} {last}"
        self.at_switch = bool(systems)  # else only the telephone system knows the line
        self.line = self.number if self.at_switch else "-"
        self.sip_uri = f"sip:{self.id}@example.com"
        self.voicemail = "7" + self.number[1:]
        self.rich = dict(UNTROUBLED)
        self.telephony = {"line": "idle", "dnd": False, "forward": None, "calls": []}
        self.occupied = False  # a spell is running


class Call:
    """Of two ends, each a Person or an Outsider. If the switch has the line of one, the call is made there too."""

    def __init__(self, office, caller, called):
        self.office, self.caller, self.called = office, caller, called
        self.made = None
        if caller.at_switch or called.at_switch:
            self.made = office.switch.call(caller.number, called.number, caller.name)
        self.tell("dialing", "ringing")

    def tell(self, caller, called):
        """In which state the call is at either end."""
        self.office.talk(self.caller, caller, "out", self.called)
        self.office.talk(self.called, called, "in", self.caller)

    def answer(self):
        if self.made:
            self.office.switch.answer(self.called.number, self.made)
        self.tell("connected", "connected")

    def hold(self, here):
        """What a telephone elsewhere holds is not told to the switch."""
        if here.at_switch:
            self.office.switch.hold(here.number, self.made)
        self.tell(*("held" if end is here else "connected" for end in (self.caller, self.called)))

    def retrieve(self, here):
        if here.at_switch:
            self.office.switch.retrieve(here.number, self.made)
        self.tell("connected", "connected")

    def transfer(self, to):
        """Who was called leaves, and it rings at a colleague at the switch."""
        self.made = self.office.switch.transfer(self.called.number, to.number, self.made)
        self.office.talk(self.called)
        self.called = to
        self.tell("dialing", "ringing")

    def end(self):
        if self.made:
            self.office.switch.hang_up(self.caller.number, self.made)
        self.tell(None, None)


class Office:
    """changed(person, domain) is called when something became true; play(generator) lets it run.

    What happens to lines is done at the switch first, as far as it has them.
    """

    def __init__(self, changed, play):
        self.dice = random.Random(4)
        self.changed, self.play = changed, play
        self.people = [Person(row) for row in PEOPLE.strip().splitlines()]
        self.outsiders = itertools.cycle(OUTSIDERS)
        self.switch = None

    def write_users(self, path):
        with open(path, "w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(COLUMNS)
            rows.writerows([getattr(person, name) for name in COLUMNS.values()] for person in self.people)

    def open(self, switch):
        """The day begins with something to see."""
        self.switch = switch
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

    # -- telephones

    def talk(self, person, state=None, direction=None, peer=None):
        """The one call of the person's line is in this state, or over."""
        if isinstance(person, Person):
            calls = [] if state is None else [{"state": state, "direction": direction, "peer": peer}]
            self.now(person, "telephony", line=LINES[state], calls=calls)

    def free(self):
        return [person for person in self.people if person.telephony["line"] == "idle"
                and not person.telephony["dnd"] and person.telephony["forward"] is None]

    def call(self):
        """Somebody here is called or calls: it rings, they talk, one may hold, or give the caller to a colleague."""
        free = self.free()
        if len(free) < 4:
            return
        here, peer = self.dice.sample(free, 2)
        if self.dice.random() < 0.6:
            peer = next(self.outsiders)
        call = Call(self, here, peer) if self.dice.random() < 0.3 else Call(self, peer, here)
        yield self.dice.uniform(1.5, 4)
        if self.dice.random() < 0.8:  # else nobody answers
            call.answer()
            yield self.dice.uniform(4, 10)
            yield from self.dice.choice([self.hold, self.hold, self.transfer, self.nothing_more])(call, here)
        call.end()

    def nothing_more(self, _call, _here):
        return iter(())

    def hold(self, call, here):
        call.hold(here)
        yield self.dice.uniform(2, 4)
        call.retrieve(here)
        yield self.dice.uniform(1, 4)

    def transfer(self, call, here):
        colleagues = [person for person in self.free() if person.at_switch]
        if here.at_switch and here is call.called and isinstance(call.caller, Outsider) and colleagues:
            call.transfer(self.dice.choice(colleagues))
            yield self.dice.uniform(1.5, 4)
            call.answer()
            yield self.dice.uniform(4, 10)

    def fault(self, person):
        if person.at_switch and person.telephony["line"] == "idle":
            self.switch.out_of_service(person.number)
            self.now(person, "telephony", line="offline")
            yield self.dice.uniform(8, 20)
            self.switch.back_in_service(person.number)
            self.now(person, "telephony", line="idle")

    def set_forward(self, person, target=None):
        if person.at_switch:
            self.switch.set_forward(person.number, on=target is not None, target=target)
            self.now(person, "telephony", forward=target)

    def set_dnd(self, person, on):
        if person.at_switch:
            self.switch.set_dnd(person.number, on)
            self.now(person, "telephony", dnd=on)

    def forward(self, person):
        if not person.at_switch:
            return
        self.set_forward(person, self.dice.choice(["+447700900142", "2011"]))
        yield self.dice.uniform(8, 30)
        self.set_forward(person)

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
        self.set_forward(person, self.dice.choice([PILOT, person.voicemail]))
        yield from self.is_for_a_while(person, "away", "lunch", "Back at one")
        self.set_forward(person)

    def dnd(self, person):
        self.set_dnd(person, True)
        yield from self.is_for_a_while(person, "dnd", None, "Quarterly report")
        self.set_dnd(person, False)
