"""A small client of CSTA XML for the tests of the simulated switch: it shares no table with it, and folds for itself.

SPDX-License-Identifier: MIT
"""

import re
import socket
import ssl
import struct
import time
import xml.etree.ElementTree as ET

ED3 = "http://www.ecma-international.org/standards/ecma-323/csta/ed3"
SESSION = "http://www.ecma-international.org/standards/ecma-354/appl_session"


class Closed(Exception):
    """The switch closed the connection."""


def name_of(element):
    return element.tag.split("}")[-1]


def find(element, path):
    """The element at a path of local names, the last ones of it, or None."""
    for name in path.split("/"):
        element = next((inner for inner in element.iter() if name_of(inner) == name), None)
        if element is None:
            return None
    return element


def text(element, path, default=None):
    found = find(element, path)
    return default if found is None else "".join(found.itertext()).strip()


def digits(device):
    """A device without its decoration."""
    if device is None:
        return None
    inside = re.search("<(.*?)>", device)
    device = inside[1] if inside else device
    return re.sub("^(tel|sip):", "", device).split("@")[0].split(":")[0]


def call_of(connection):
    """The callID in a connection, however it is spelt."""
    return next("".join(e.itertext()) for e in connection.iter() if name_of(e).lower() == "callid")


class Client:
    """One connection; events are collected while answers are waited for."""

    def __init__(self, switch, namespace=ED3):
        self.namespace, self.next_id, self.buffer = namespace, 1, b""
        self.sock = socket.create_connection(("127.0.0.1", switch.port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if switch.transport == "tls":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self.sock = context.wrap_socket(self.sock)
        self.events, self.asked, self.inbox, self.answer_status = [], [], [], True
        self.devices, self.refs, self.raw_ids = {}, {}, []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    # ---- frames

    def send_raw(self, data):
        self.sock.sendall(data)

    def send(self, document, invoke_id):
        body = document.encode() if isinstance(document, str) else document
        self.send_raw(struct.pack(">HH4s", 0, len(body) + 8, invoke_id.encode()) + body)

    def document(self, name, inner="", namespace=None):
        return f'<{name} xmlns="{namespace or self.namespace}">{inner}</{name}>'

    def frame(self, timeout=10):
        """The next frame: (invoke id, bytes)."""
        end = time.monotonic() + timeout
        while len(self.buffer) < 8 or len(self.buffer) < struct.unpack(">H", self.buffer[2:4])[0]:
            self.sock.settimeout(max(0.001, end - time.monotonic()))
            try:
                data = self.sock.recv(1 << 16)
            except ConnectionError as error:
                raise Closed from error
            if not data:
                raise Closed
            self.buffer += data
        zero, length, invoke_id = struct.unpack(">HH4s", self.buffer[:8])
        assert zero == 0 and length >= 8, self.buffer[:20]
        body, self.buffer = self.buffer[8:length], self.buffer[length:]
        return invoke_id.decode(), body

    def turn(self, timeout=10):
        """Take one frame: an event, a request of the switch, or an answer, which is returned as (id, element)."""
        invoke_id, body = self.frame(timeout)
        root = ET.fromstring(body)
        name = name_of(root)
        if name.endswith("Event"):
            self.raw_ids.append(invoke_id)
            self.events.append(root)
            device = self.refs.get(text(root, "monitorCrossRefID"))
            if device:
                self.devices[device].apply(root)
        elif name.endswith("Response") or name == "CSTAErrorCode":
            self.inbox.append((invoke_id, root))
        else:
            self.asked.append((invoke_id, root))
            if name in ("SystemStatus", "MonitorStop") and self.answer_status:
                self.send(self.document(name + "Response"), invoke_id)

    def post(self, name, inner="", namespace=None, invoke_id=None):
        """Send a request; gives its invoke id."""
        if invoke_id is None:
            invoke_id = f"{self.next_id:04d}"
            self.next_id = self.next_id % 9998 + 1
        self.send(self.document(name, inner, namespace), invoke_id)
        return invoke_id

    def answer(self, invoke_id, timeout=10):
        while True:
            for entry in self.inbox:
                if entry[0] == invoke_id:
                    self.inbox.remove(entry)
                    return entry[1]
            self.turn(timeout)

    def request(self, name, inner="", namespace=None):
        return self.answer(self.post(name, inner, namespace))

    def sync(self):
        """Everything that the switch sent before now has been read."""
        return text(self.request("RequestSystemStatus"), "systemStatus")

    def until(self, condition, timeout=10):
        """Read until the condition holds."""
        while not condition():
            self.turn(timeout)

    def closed(self, timeout=10):
        """Read until the switch closes."""
        try:
            while True:
                self.turn(timeout)
        except Closed:
            return True

    # ---- requests

    def start(self, user=None, password=None, version=None, duration=180):
        who = f"<user>{user}</user><password>{password}</password>" if user else ""
        wanted = f"<requestedSessionDuration>{duration}</requestedSessionDuration>"
        return self.request("StartApplicationSession", "<applicationInfo><applicationID>test</applicationID>"
                            f"<applicationSpecificInfo>{who}</applicationSpecificInfo></applicationInfo>"
                            f"<requestedProtocolVersions><protocolVersion>{version or self.namespace}</protocolVersion>"
                            f"</requestedProtocolVersions>{wanted}", SESSION)

    def refresh(self, session, duration=180):
        return self.request("ResetApplicationSessionTimer", f"<sessionID>{session}</sessionID>"
                            f"<requestedSessionDuration>{duration}</requestedSessionDuration>", SESSION)

    def monitor(self, device):
        answer = self.request("MonitorStart", f"<monitorObject><deviceObject>{device}</deviceObject></monitorObject>")
        reference = text(answer, "monitorCrossRefID")
        if reference:
            self.refs[reference] = str(device)
            self.devices[str(device)] = Fold(str(device))
        return reference or error_of(answer)

    def stop(self, reference):
        return self.request("MonitorStop", f"<monitorCrossRefID>{reference}</monitorCrossRefID>")

    def poll(self, device):
        """The facts as a client learns them that only asks: {"line", "dnd", "forwards", "calls"}."""
        fold = Fold(device)
        answer = self.request("SnapshotDevice", f"<snapshotObject>{device}</snapshotObject>")
        if name_of(answer) == "CSTAErrorCode":
            assert error_of(answer) == "systemResourceAvailability/deviceOutOfService"
            fold.in_service = False
        else:
            self._collect(answer, fold)
        fold.dnd = text(self.request("GetDoNotDisturb", f"<device>{device}</device>"), "doNotDisturbOn") == "true"
        for item in self.request("GetForwarding", f"<device>{device}</device>").iter():
            if name_of(item) == "forwardListItem" and text(item, "forwardStatus") == "true":
                fold.forwards[text(item, "forwardingType")] = digits(text(item, "forwardDN"))
        return fold.facts()

    def _collect(self, answer, fold):
        data = find(answer, "snapshotData")
        if data is None:
            reference, done = text(answer, "serviceCrossRefID"), False
            while not done:
                self.until(lambda: any(name_of(e) == "SnapshotDeviceData" for _, e in self.asked))
                part = next(entry for entry in self.asked if name_of(entry[1]) == "SnapshotDeviceData")
                self.asked.remove(part)
                assert text(part[1], "serviceCrossRefID") == reference
                fold.snapshot(part[1])
                done = text(part[1], "lastSegment") == "true"
        else:
            fold.snapshot(data)


def error_of(answer):
    """category/error of a CSTAErrorCode, or the definedError of a refusal."""
    if name_of(answer) == "CSTAErrorCode":
        return f"{name_of(answer[0])}/{answer[0].text}"
    return text(answer, "definedError")


SIMPLE = {"callPending": "initiated", "callOriginated": "connected", "callDelivered": "connected",
          "callEstablished": "connected", "callReceived": "alerting", "callReceivedOnHold": "alerting",
          "callEstablishedHeld": "hold", "callDeliveredHeld": "hold", "callEstablishedOnHold": "connected",
          "callQueued": "connected", "callFailed": "connected", "callQueuedHeld": "hold", "callFailedHeld": "hold"}


class Fold:
    """What one monitor's events add up to."""

    # event: [(element that names a device, state if that is the monitored one)]
    RULES = {"ServiceInitiated": [("initiatingDevice", "initiated")], "Originated": [("callingDevice", "connected")],
             "Offered": [("offeredDevice", "alerting")],
             "Delivered": [("alertingDevice", "alerting"), ("callingDevice", "connected")],
             "Established": [("answeringDevice", "connected"), ("callingDevice", "connected")],
             "Held": [("holdingDevice", "hold")], "Retrieved": [("retrievingDevice", "connected")],
             "Queued": [("queue", "queued"), ("callingDevice", "connected")], "Diverted": [("divertingDevice", "null")],
             "Failed": [("failingDevice", "fail"), ("callingDevice", "connected")],
             "ConnectionCleared": [("releasingDevice", "null")], "NetworkReached": [], "DigitsDialed": [],
             "CallInformation": []}

    def __init__(self, device):
        self.device, self.calls, self.dnd, self.forwards, self.in_service = device, {}, False, {}, True

    def facts(self):
        states = set(self.calls.values())
        line = ("offline" if not self.in_service else "busy" if states & {"connected", "initiated", "fail"}
                else "ringing" if "alerting" in states else "held" if "hold" in states else "idle")
        return {"line": line, "dnd": self.dnd, "forwards": dict(self.forwards),
                "calls": sorted(self.calls.items()) if self.in_service else []}

    def snapshot(self, data):
        for info in data.iter():
            if name_of(info) == "snapshotDeviceResponseInfo":
                simple = text(info, "simpleCallState")
                self.calls[call_of(find(info, "connectionIdentifier"))] = (
                    SIMPLE[simple] if simple else text(info, "localConnectionState"))

    def apply(self, event):
        name = name_of(event).removesuffix("Event").replace("Transferred", "Transfered")
        if name in ("DoNotDisturb", "Forwarding", "OutOfService", "BackInService"):
            self._device_event(name, event)
        elif name == "CallCleared":
            self.calls.pop(call_of(event), None)
        elif name in ("Transfered", "Conferenced"):
            self._joined(name, event)
        elif not name.startswith("Agent"):
            self._call_event(name, event)

    def _device_event(self, name, event):
        if name == "DoNotDisturb":
            self.dnd = text(event, "doNotDisturbOn") == "true"
        elif name == "Forwarding":
            self.forwards.pop(text(event, "forwardingType"), None)
            if text(event, "forwardStatus") == "true":
                self.forwards[text(event, "forwardingType")] = digits(text(event, "forwardTo"))
        else:
            self.in_service = name == "BackInService"
            self.calls = {} if not self.in_service else self.calls

    def _call_event(self, name, event):
        connection = next((e for e in event if name_of(e).lower().endswith("connection")), None)
        if connection is None:
            return
        call = call_of(connection)
        state = text(event, "localConnectionInfo")
        if state is None:
            state = next((to for element, to in self.RULES[name] if digits(text(event, element)) == self.device), None)
        if state is None:
            state = self.calls.get(call)
        if state in (None, "null"):
            self.calls.pop(call, None)
        else:
            self.calls[call] = state

    def _joined(self, name, event):
        old = [self.calls.pop(call_of(e), None) for e in event if name_of(e) in ("primaryOldCall", "secondaryOldCall")]
        state = text(event, "localConnectionInfo")
        if state == "null" or not state and name == "Transfered" and digits(
                text(event, "transferringDevice")) == self.device:
            return
        for item in event.iter():
            if name_of(item) == "connectionListItem" and digits(text(item, "newConnection/deviceID")) == self.device:
                had = [one for one in old if one]
                self.calls[call_of(find(item, "newConnection"))] = state or (
                    had[0] if len(had) == 1 else "connected")
