"""Documents of the simulated switch: how its dialect writes them, and how a client's request is read and judged.

SPDX-License-Identifier: MIT
"""

import dataclasses
import re
import xml.etree.ElementTree as ET
from xml.sax.saxutils import escape

from csta_truth import UNKNOWN

CSTA = "http://www.ecma-international.org/standards/ecma-323/csta/ed"
SESSION = "http://www.ecma-international.org/standards/ecma-354/appl_session"
ED3 = CSTA + "3"
EDITIONS = tuple(CSTA + edition for edition in "23456")
# (the other side's state, ours): what a simpleCallState can say; the rest is said as compoundCallState
SIMPLE = {("null", "initiated"): "callPending", ("null", "connected"): "callOriginated",
          ("alerting", "connected"): "callDelivered", ("alerting", "hold"): "callDeliveredHeld",
          ("connected", "alerting"): "callReceived", ("connected", "connected"): "callEstablished",
          ("connected", "hold"): "callEstablishedHeld", ("hold", "alerting"): "callReceivedOnHold",
          ("hold", "connected"): "callEstablishedOnHold", ("queued", "connected"): "callQueued",
          ("queued", "hold"): "callQueuedHeld", ("fail", "connected"): "callFailed", ("fail", "hold"): "callFailedHeld"}
# name: children in order; ? may be missing
REQUESTS = {
    "MonitorStart": ("monitorObject", "requestedMonitorFilter?", "monitorType?", "requestedMonitorMediaClass?"),
    "MonitorStop": ("monitorCrossRefID",),
    "SnapshotDevice": ("snapshotObject",),
    "GetDoNotDisturb": ("device",),
    "GetForwarding": ("device",),
    "SetDoNotDisturb": ("device", "doNotDisturbOn", "callOrigination?", "callingDeviceList?"),
    "SetForwarding": ("device", "forwardingType?", "activateForward", "forwardDN?", "ringCount?", "ringDuration?"),
    "GetAgentState": ("device", "acdGroup?"),
    "RequestSystemStatus": (),
    "SystemStatus": ("sysStatRegisterID?", "systemStatus"),
    "SystemRegister": ("requestTypes", "requestedStatusFilter?"),
    "SystemRegisterCancel": ("sysStatRegisterID",),
    "GetSwitchingFunctionDevices": (),
    "StartApplicationSession": ("applicationInfo", "requestedProtocolVersions", "requestedSessionDuration?"),
    "ResetApplicationSessionTimer": ("sessionID", "requestedSessionDuration"),
    "StopApplicationSession": ("sessionID", "sessionEndReason"),
    "SystemStatusResponse": (),
    "MonitorStopResponse": (),
}
INSIDE = {
    "requestTypes": ("systemStatus?", "requestSystemStatus?", "switchingFunctionCapsChanged?",
                     "switchingFunctionDevicesChanged?"),
    "applicationInfo": ("applicationID", "applicationSpecificInfo?"),
}
SESSION_REQUESTS = ("StartApplicationSession", "ResetApplicationSessionTimer", "StopApplicationSession")
BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


def local(name):
    """The name of an element without its namespace."""
    return name.rpartition("}")[2]


def plain(device):
    """The number in a deviceID, however it is written."""
    device = device.strip()
    inside = re.search(r"<([^>]*)>", device)
    device = inside.group(1) if inside else device
    device = re.sub(r"^(tel|sips?):", "", device, flags=re.I)
    device = re.split(r"[;!&/%@]", device)[0]
    return re.sub(r"[-\s.()]", "", device.split(":")[0])


@dataclasses.dataclass
class Dialect:
    """How this switch writes. All of it is right somewhere.

    namespace     None: none at all; prefix: e.g. ns3
    local_info    whether events carry localConnectionInfo
    snapshot      compound, simple, segmented (SnapshotDeviceData follow), empty (claims no call, always), bare
                  (a serviceCrossRefID alone, and nothing follows)
    transferred   TransferedEvent or TransferredEvent
    devices       plain, name (N<201>Ann), tel, sip, avaya (201:CM1::0)
    bare_devices  the number as text in the device's element, without deviceIdentifier
    call_id       callID or callId; split_call_ids: each device knows a call by another callID
    forward_to    whether ForwardingEvent tells type, target and count
    event_id      9999, or None: events are numbered
    declaration   whether documents begin with <?xml ...?>
    """
    namespace: str = ED3
    prefix: str = ""
    local_info: bool = True
    snapshot: str = "compound"
    transferred: str = "TransferedEvent"
    devices: str = "plain"
    bare_devices: bool = False
    call_id: str = "callID"
    split_call_ids: bool = False
    forward_to: bool = True
    event_id: str = "9999"
    declaration: bool = False


class Writer:
    """Writes documents in a dialect; knows the names of the model's numbers."""

    def __init__(self, dialect, model):
        self.dialect, self.model = dialect, model

    def e(self, name, content=""):
        prefix = self.dialect.prefix
        if prefix:
            name = f"{prefix}:{name}"
        return f"<{name}>{content}</{name}>" if content != "" else f"<{name}/>"

    def t(self, name, value):
        return self.e(name, escape(str(value)))

    def document(self, name, content="", namespace=None):
        dialect = self.dialect
        prefix, colon = dialect.prefix, ":" if dialect.prefix else ""
        space = namespace or dialect.namespace or ("urn:none" if prefix else None)
        xmlns = f' xmlns{colon}{prefix}="{space}"' if space else ""
        name = prefix + colon + name
        head = '<?xml version="1.0" encoding="UTF-8"?>' if dialect.declaration else ""
        return f"{head}<{name}{xmlns}>{content}</{name}>" if content != "" else f"{head}<{name}{xmlns}/>"

    def session(self, name, content=""):
        return self.document(name, content, SESSION)

    def error(self, category, error):
        return self.document("CSTAErrorCode", self.t(category, error))

    # ---- devices and connections

    def number(self, number):
        """A number as this switch writes a deviceID."""
        how = self.dialect.devices
        if how == "name":
            return f"N<{number}>{self.model.names.get(number, '')}"
        if how == "tel":
            return f"tel:{number}"
        if how == "sip":
            return f"sip:{number}@pbx"
        if how == "avaya" and number in self.model.devices:
            return f"{number}:CM1::0"
        return number

    def device(self, name, number):
        if number is None:
            return self.e(name, self.e("restricted"))
        if number is UNKNOWN:
            return self.e(name, self.e("notKnown"))
        text = escape(self.number(number))
        return self.e(name, text if self.dialect.bare_devices else self.e("deviceIdentifier", text))

    def call(self, call_id, seer):
        """The callID as the seer's monitor knows it."""
        return escape(f"{call_id}-{seer}" if self.dialect.split_call_ids else call_id)

    def connection(self, name, call_id, number, seer):
        device = "" if number is None else self.t("deviceID", self.number(number))
        return self.e(name, self.e(self.dialect.call_id, self.call(call_id, seer)) + device)

    # ---- events

    def event_name(self, event):
        return self.dialect.transferred if event.name == "Transfered" else event.name + "Event"

    def event_body(self, event, seer):
        """What lies between monitorCrossRefID and localConnectionInfo."""
        parts = []
        for name, kind, value in event.fields:
            if kind == "connection":
                parts.append(self.connection(name, event.call.id, value, seer))
            elif kind == "device":
                parts.append(self.device(name, value))
            elif kind == "redirection":
                parts.append(self.e(name, self.e("notRequired")) if value is None else
                             self.e(name, self.t("numberDialed", self.number(value))))
            elif kind == "number":
                if self.dialect.forward_to or name != "forwardTo":
                    parts.append(self.t(name, self.number(value)))
            elif kind == "old":
                parts.append(self.connection(name, value[0], value[1], seer))
            elif kind == "list":
                parts.append(self.e(name, "".join(self._item(item, seer) for item in value)))
            elif self.dialect.forward_to or name not in ("forwardingType", "ringCount"):
                parts.append(self.t(name, value))
        return "".join(parts)

    def _item(self, item, seer):
        new, number, old = item
        return self.e("connectionListItem", self.connection("newConnection", new.id, number, seer)
                      + self.connection("oldConnection", old, number, seer)
                      + self.e("endpoint", self.e("notKnown") if number is None else
                               self.t("deviceID", self.number(number))))

    def event(self, event, reference, body, state):
        tail = self.e("localConnectionInfo", state) if state and self.dialect.local_info else ""
        if event.cause:
            tail += self.e("cause", event.cause)
        return self.document(self.event_name(event), self.t("monitorCrossRefID", reference) + body + tail)

    # ---- answers

    def seen(self, number, seen):
        """One call in a snapshot."""
        compound = [seen.state, *(seen.others or (["null"] if seen.state in ("connected", "initiated") else []))]
        simple = SIMPLE.get((seen.others[0] if seen.others else "null", seen.state)) if len(compound) == 2 else None
        if self.dialect.snapshot == "simple" and simple:
            state = self.e("simpleCallState", simple)
        else:
            state = self.e("compoundCallState", "".join(self.e("localConnectionState", one) for one in compound))
        endpoint = "" if seen.endpoint in (UNKNOWN, None) else self.device("endpointDevice", seen.endpoint)
        connection = self.connection("connectionIdentifier", seen.call_id, number, number)
        return self.e("snapshotDeviceResponseInfo", connection + endpoint + self.e("localCallState", state))

    def snapshot(self, number, seen, cross_ref):
        """The response to SnapshotDevice, and the documents that follow it."""
        how = self.dialect.snapshot
        items = [] if how == "empty" else [self.seen(number, one) for one in seen]
        if how == "bare":
            return self.document("SnapshotDeviceResponse", self.t("serviceCrossRefID", cross_ref)), []
        if how != "segmented":
            return self.document("SnapshotDeviceResponse", self.e(
                "crossRefIDorSnapshotData", self.e("snapshotData", "".join(items)))), []
        reference = self.t("serviceCrossRefID", cross_ref)
        response = self.document("SnapshotDeviceResponse", self.e("crossRefIDorSnapshotData", reference))
        items = items or [""]
        return response, [self.document("SnapshotDeviceData", reference + self.t("segmentID", index)
                                        + self.e("lastSegment", "true" if index == len(items) else "false")
                                        + self.e("snapshotData", item)) for index, item in enumerate(items, 1)]

    def forwarding(self, device):
        items = []
        for kind, forward in device.forwards.items():
            item = self.e("forwardingType", kind) + self.e("forwardStatus", "true" if forward.on else "false")
            if forward.number:
                item += self.t("forwardDN", self.number(forward.number))
            if forward.rings:
                item += self.t("ringCount", forward.rings)
            items.append(self.e("forwardListItem", item))
        return self.document("GetForwardingResponse", self.e("forwardingList", "".join(items)))

    def agent(self, device):
        info = self.e("agentInfo", self.e("agentInfoItem", self.e("agentState", device.agent)))
        entry = (self.t("agentID", "A" + device.number)
                 + self.e("loggedOn", "false" if device.agent == "agentNull" else "true") + info)
        return self.document("GetAgentStateResponse", self.e("agentStateList", self.e("agentStateEntry", entry)))


class Document:
    """A document of the client. Raises ValueError with a sentence if it cannot be read."""

    def __init__(self, body):
        if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
            raise ValueError("a document has a document type declaration")
        try:
            self.root = ET.fromstring(body)
        except (ET.ParseError, ValueError, LookupError) as error:
            raise ValueError(f"not well-formed XML: {error}: {body[:80]!r}") from error
        self.namespace, _, self.name = self.root.tag.lstrip("{").rpartition("}")
        self.answer = self.name.endswith(("Response", "PosResponse", "NegResponse")) or self.name == "CSTAErrorCode"

    def text(self, name, default=None):
        """The text of the first element of that local name, wherever it is."""
        found = next((element for element in self.root.iter() if local(element.tag) == name), None)
        return default if found is None else "".join(found.itertext()).strip()

    def texts(self, name):
        return ["".join(element.itertext()).strip() for element in self.root.iter() if local(element.tag) == name]

    def device(self):
        """The number that the request is about, or None."""
        wanted = {"MonitorStart": "deviceObject", "SnapshotDevice": "snapshotObject"}.get(self.name, "device")
        text = self.text(wanted)
        return None if text is None else plain(text)

    def faults(self):
        """Sentences about what is wrong with it."""
        if self.name not in REQUESTS:
            if self.name != "CSTAErrorCode":
                yield f"no such request: {self.name}"
            return
        wanted = SESSION if self.name in SESSION_REQUESTS else None
        if self.namespace != wanted if wanted else self.namespace not in EDITIONS:
            yield f"{self.name} is in namespace '{self.namespace}'"
        yield from self._order(self.root, REQUESTS[self.name])
        for element in self.root:
            if local(element.tag) in INSIDE:
                yield from self._order(element, INSIDE[local(element.tag)])
        yield from self._values()

    def _order(self, element, children):
        names = [local(child.tag) for child in element]
        rest = [name for name in names if name != "extensions"]
        for child in children:
            name = child.rstrip("?")
            if rest and rest[0] == name:
                rest.pop(0)
            elif not child.endswith("?"):
                yield f"{self.name}: {name} is missing or not in its place: {' '.join(names) or 'no children'}"
                return
        if rest:
            yield f"{self.name}: {rest[0]} is unknown here or not in its place: {' '.join(names)}"
        for child in element:
            space = child.tag.lstrip("{").rpartition("}")[0]
            if space != self.namespace and local(child.tag) != "extensions":
                yield f"{self.name}: {local(child.tag)} is in another namespace: '{space}'"

    def _values(self):
        if self.name == "MonitorStart":
            inside = [local(child.tag) for child in self.root[0]] if len(self.root) else []
            if inside not in (["deviceObject"], ["callObject"]):
                yield f"MonitorStart: monitorObject holds {inside}"
        if self.name == "StartApplicationSession" and not self.texts("protocolVersion"):
            yield "StartApplicationSession: no protocolVersion"
        if self.name == "SystemRegister":
            for element in self.root.iterfind("*/*"):
                if (element.text or "").strip() not in BOOLEANS:
                    yield f"SystemRegister: {local(element.tag)} is '{element.text}', not a boolean"
        for name in ("deviceObject", "snapshotObject", "device", "monitorCrossRefID", "sessionID"):
            if self.text(name) == "":
                yield f"{self.name}: {name} is empty"
        duration = self.text("requestedSessionDuration")
        if duration is not None and not re.fullmatch(r"[0-9]+", duration):
            yield f"{self.name}: requestedSessionDuration is '{duration}'"
