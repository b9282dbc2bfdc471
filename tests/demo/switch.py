"""The telephone switch of the demo: a simulated one that speaks CSTA, and knows the lines of some.

SPDX-License-Identifier: MIT
"""

import pathlib
import sys

for folder in ("peers", "sim"):
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / folder))

import csta_switch  # noqa: E402
import kamailio  # noqa: E402

USER, PASSWORD = "presenced", "only for the demo"


class Switch(csta_switch.CstaSwitch):
    """Colleagues whose lines are not here are reached like anybody outside. The telephones go on while it is stopped:
    what stops is the link for computers."""

    def __init__(self, people, outsiders):
        self.reserved = kamailio.hold_port()  # so that nobody else listens there while it is stopped
        super().__init__(extensions={person.number: person.name for person in people if person.at_switch},
                         session="required", user=USER, password=PASSWORD, port=self.reserved.getsockname()[1],
                         dialect={"devices": "name"})
        self.address = f"127.0.0.1:{self.port}"
        self.model.names.update({one.number: one.name for one in [*people, *outsiders] if one.name})

    def close(self):
        self.stop()
        self.reserved.close()
