"""One client of the simulated switch: its session, its monitors, its requests and what is wrong with them.

SPDX-License-Identifier: MIT
"""

import collections
import itertools
import re
import time

from csta_model import Illegal
from csta_wire import EVENT_ID, frame
from csta_xml import BOOLEANS, EDITIONS, SESSION_REQUESTS, Document

ANSWER_WITHIN = 10.0
BEFORE_ENABLED = ("RequestSystemStatus", "SystemRegister", "SystemRegisterCancel", *SESSION_REQUESTS)


class Request:
    """A request of the client that waits for its answer."""

    def __init__(self, document, invoke_id):
        self.document, self.id, self.time = document, invoke_id, time.monotonic()
        self.name, self.device = document.name, document.device()

    def __repr__(self):
        return f"{self.name} {self.id}" + (f" {self.device}" if self.device else "")


class Monitor:
    """A monitor of one device; key: where its client keeps it."""
    __slots__ = ("peer", "reference", "device", "key", "held", "spoken", "late", "unsaid")

    def __init__(self, peer, reference, device, key):
        self.peer, self.reference, self.device, self.key = peer, reference, device, key
        self.held, self.spoken, self.late, self.unsaid = [], {}, None, False


class Session:
    def __init__(self, identity, duration, until):
        self.id, self.duration, self.until, self.timer, self.spoiled = identity, duration, until, None, False


class Peer:
    """See above. What a handler returns: the document of the answer, or (answer, documents that follow)."""

    def __init__(self, switch, link):
        self.switch, self.link, self.writer = switch, link, switch.writer
        self.session, self.registered, self.namespace, self.beating = None, None, None, False
        self.monitors, self.taken, self.ended = {}, {}, {}
        self.waiting, self.mine, self.postponed, self.lost_start = {}, {}, [], False
        self.last_id, self.ids, self.events = "0001", itertools.cycle(range(1, 9999)), itertools.count()
        self.starts = collections.deque()

    # ---- sending

    def send(self, document, invoke_id=EVENT_ID):
        self.link.send(frame(document, invoke_id))

    def send_event(self, text):
        event_id = self.switch.dialect.event_id
        self.send(text, f"{next(self.events) % 9999:04d}" if event_id is None else event_id)

    def ask(self, name, content, answered=None):
        """A request of ours, which the client has to answer in time."""
        invoke_id = self.last_id if self.switch.collide and self.last_id not in self.mine else next(
            i for i in (f"{n:04d}" for n in self.ids) if i not in self.mine)
        timer = self.switch.after(self.switch.answer_within, lambda: self._unanswered(invoke_id, name))
        self.mine[invoke_id] = (name, timer, answered)
        self.send(self.writer.document(name, content), invoke_id)

    def _unanswered(self, invoke_id, name):
        if self.mine.pop(invoke_id, None) and self.link.alive:
            self.complain(f"{name} {invoke_id} of the switch was not answered in {self.switch.answer_within} s")
            self.link.close("unanswered")

    def status(self, value):
        register = self.writer.t("sysStatRegisterID", self.registered) if self.registered else ""
        self.ask("SystemStatus", register + self.writer.e("systemStatus", value))

    def heartbeat(self):
        """Once the client is known: SystemStatus normal again and again."""
        if self.switch.heartbeat and not self.beating:
            self.beating = True
            self.switch.after(self.switch.heartbeat, self._beat)

    def _beat(self):
        if self.link.alive:
            self.beating = False
            if self.switch.status not in ("disabled", "initializing"):
                self.status("normal")
            self.heartbeat()

    def complain(self, sentence, request=None):
        self.switch.complain(sentence + (f" [{request!r}]" if request else ""))

    # ---- receiving

    def take(self, frames):
        """All the frames that one read gave: none of them was answered before the last was sent."""
        requests = []
        for raw_id, body in frames:
            invoke_id = self._invoke_id(raw_id)
            if not body:
                self.complain("a frame without a document")
                continue
            try:
                document = Document(body)
            except ValueError as error:
                self.complain(str(error))
                continue
            for sentence in document.faults():
                self.complain(sentence)
            if document.answer:
                self._answer(document, invoke_id)
            else:
                requests.append(self._request(document, invoke_id))
        flying = len(self.waiting)
        self.switch.peak_in_flight = max(self.switch.peak_in_flight, flying)
        limit = self.switch.max_in_flight
        if limit is not None and flying > limit:
            self.complain(f"pace: {flying} requests wait for an answer, {limit} are allowed")
        for request in requests:
            self._serve(request)

    def _invoke_id(self, raw):
        if not re.fullmatch(rb"[0-9]{4}", raw):
            self.complain(f"the invoke id is not four digits: {raw!r}")
        return raw.decode("latin-1")

    def _answer(self, document, invoke_id):
        asked = self.mine.get(invoke_id)
        wanted = asked and asked[0] + "Response"
        if not asked or document.name not in (wanted, "CSTAErrorCode"):
            waiting = ", ".join(f"{name} {number}" for number, (name, _, _) in self.mine.items())
            self.complain(f"{document.name} {invoke_id} answers nothing; waiting: {waiting or 'nothing'}")
            return
        del self.mine[invoke_id]
        asked[1].cancel()
        self.switch.counters[document.name] += 1
        if asked[2]:
            asked[2]()

    def _request(self, document, invoke_id):
        request = Request(document, invoke_id)
        if invoke_id in (EVENT_ID, "0000"):
            self.complain(f"the invoke id {invoke_id} is not for requests", request)
        if invoke_id in self.waiting:
            self.complain(f"the invoke id is in use by {self.waiting[invoke_id]!r}", request)
        if document.name not in SESSION_REQUESTS and document.namespace in EDITIONS:
            if self.namespace not in (None, document.namespace):
                self.complain(f"the namespace was {self.namespace} before", request)
            self.namespace = document.namespace
        self.last_id = invoke_id
        self.waiting[invoke_id] = request
        self.switch.heard(request)
        return request

    def _serve(self, request):
        faults = self.switch.take_faults(lambda f: f.on_answer(request.name, request.device))
        if request.name == "ResetApplicationSessionTimer" and faults and self.session:
            self.session.spoiled = True
        if "swallow" in faults:
            self._give_up(request)
        elif "late" in faults:
            self.switch.after(faults["late"].get("seconds", 1), lambda: self._perform(request, faults))
        else:
            self._perform(request, faults)

    def _give_up(self, request):
        """The client will never hear; after its patience the invoke id is free."""
        self.lost_start |= request.name == "StartApplicationSession"
        self.switch.after(ANSWER_WITHIN - 0.5, lambda: self.waiting.get(request.id) is request
                          and self.waiting.pop(request.id))

    def _perform(self, request, faults):
        if not self.link.alive:
            return
        following = []
        if "error" in faults:
            options = faults["error"]
            answer = self.writer.error(options.get("category", "operation"), options.get("error", "generic"))
        elif "refuse" in faults:
            if request.name == "ResetApplicationSessionTimer":
                self._end_session()
            answer = self._negative(request.name, faults["refuse"].get("error", "invalidApplicationInfo"))
        else:
            answer = self._handle(request, faults)
            if isinstance(answer, tuple):
                answer, following = answer
        if "raw" in faults:
            answer, following = faults["raw"]["document"], []
        if "lose_answer" in faults:
            self._give_up(request)
            for monitor in self.monitors.values():
                monitor.unsaid |= monitor.device == request.device
        elif "late_answer" in faults:
            self.switch.after(faults["late_answer"].get("seconds", 1),
                              lambda: self._say(request, answer, following, {}))
        elif "out_of_order" in faults:
            self.postponed.append([faults["out_of_order"].get("count", 2), request, answer, following])
        else:
            self._say(request, answer, following, faults)

    def _say(self, request, answer, following, faults):
        if self.waiting.get(request.id) is request:
            del self.waiting[request.id]
        self.send(answer, f"{(int(request.id) + 5000) % 9998:04d}" if "wrong_id" in faults else request.id)
        if "twice" in faults:
            self.send(answer, request.id)
        for document in following:
            self.send(document, f"{next(self.ids):04d}")
        for entry in list(self.postponed):
            entry[0] -= 1
            if entry[0] <= 0 and entry in self.postponed:
                self.postponed.remove(entry)
                self._say(*entry[1:], {})

    # ---- serving

    def _handle(self, request, faults):
        switch, name = self.switch, request.name
        if name in switch.unsupported or not hasattr(self, "_do_" + name):
            return self.writer.error("operation", "serviceNotSupported")
        if name in SESSION_REQUESTS and switch.session == "absent":
            return self.writer.error("operation", "serviceNotSupported")
        if switch.session == "required" and not self.session and name != "StartApplicationSession":
            self.complain("a request before the session", request)
            return self.writer.error("operation", "securityViolation")
        if switch.status in ("disabled", "initializing") and name not in BEFORE_ENABLED:
            return self.writer.error("systemResourceAvailability", "resourceBusy")
        if request.device is not None and request.device not in switch.model.devices:
            return self.writer.error("operation", "invalidDeviceID")
        answer = getattr(self, "_do_" + name)(request, faults)
        if name != "StartApplicationSession":
            self.heartbeat()
        return answer

    def _negative(self, name, error):
        code = self.writer.e("errorCode", self.writer.t("definedError", error))
        return self.writer.session(name + "NegResponse", code)

    def _do_StartApplicationSession(self, request, _faults):  # noqa: N802
        switch, document = self.switch, request.document
        if self.session and not self.lost_start:
            self.complain("there is a session already", request)
        if switch.user is not None:
            said = (document.text("user") or document.text("userName"), document.text("password"))
            if said != (switch.user, switch.password):
                return self._negative(request.name, "invalidApplicationInfo")
        versions = document.texts("protocolVersion")
        accepted = [v for v in versions if switch.versions is None or v in switch.versions]
        if not accepted:
            return self._negative(request.name, "requestedProtocolVersionNotSupported")
        self._end_session()
        duration = min(float(document.text("requestedSessionDuration") or 180) or 180, switch.session_duration)
        self.session = Session(str(next(switch.session_ids)), duration, 0)
        self._extend(duration)
        self.heartbeat()
        w = self.writer
        return w.session("StartApplicationSessionPosResponse", w.t("sessionID", self.session.id)
                         + w.t("actualProtocolVersion", accepted[0]) + w.t("actualSessionDuration", f"{duration:g}"))

    def _extend(self, duration):
        session = self.session
        if session.timer:
            session.timer.cancel()
        session.duration, session.until = duration, time.monotonic() + duration * self.switch.session_grace
        session.timer = self.switch.after(duration * self.switch.session_grace, self._expired)

    def _expired(self):
        if self.session and self.link.alive:
            if not self.session.spoiled:
                self.complain(f"the session {self.session.id} was not refreshed in {self.session.duration:g} s")
            self.terminate("timerExpired")

    def terminate(self, reason="resourceLimitation"):
        """The switch ends the session, and with it the connection."""
        if self.session:
            w = self.writer
            self.send(w.session("ApplicationSessionTerminated", w.t("sessionID", self.session.id) + w.e(
                "sessionEndReason", w.t("appEndReason", reason))))
        self.link.close("the session is terminated")

    def _end_session(self):
        if self.session and self.session.timer:
            self.session.timer.cancel()
        self.session = None
        for monitor in list(self.monitors.values()):
            self.forget(monitor)

    def _same_session(self, request):
        if self.session and request.document.text("sessionID") == self.session.id:
            return True
        self.complain(f"no such session: {request.document.text('sessionID')}", request)
        return False

    def _do_ResetApplicationSessionTimer(self, request, _faults):  # noqa: N802
        if not self._same_session(request):
            return self._negative(request.name, "invalidSessionID")
        wanted = float(request.document.text("requestedSessionDuration") or 180) or 180
        self._extend(min(wanted, self.switch.session_duration))
        return self.writer.session(request.name + "PosResponse", self.writer.t("actualSessionDuration",
                                                                               f"{self.session.duration:g}"))

    def _do_StopApplicationSession(self, request, _faults):  # noqa: N802
        if not self._same_session(request):
            return self._negative(request.name, "invalidSessionID")
        self._end_session()
        return self.writer.session(request.name + "PosResponse")

    def _do_RequestSystemStatus(self, _request, _faults):  # noqa: N802
        return self.writer.document("RequestSystemStatusResponse", self.writer.e("systemStatus", self.switch.status))

    def _do_SystemStatus(self, _request, _faults):  # noqa: N802
        return self.writer.document("SystemStatusResponse")

    def _do_SystemRegister(self, request, _faults):  # noqa: N802
        if self.registered:
            self.complain("registered already", request)
        self.registered = f"r-{next(self.switch.references)}"
        return self.writer.document("SystemRegisterResponse", self.writer.t("sysStatRegisterID", self.registered))

    def _do_SystemRegisterCancel(self, request, _faults):  # noqa: N802
        if request.document.text("sysStatRegisterID") != self.registered:
            self.complain("no such sysStatRegisterID", request)
            return self.writer.error("operation", "invalidCrossRefID")
        self.registered = None
        return self.writer.document("SystemRegisterCancelResponse")

    def _do_GetSwitchingFunctionDevices(self, _request, _faults):  # noqa: N802
        w, reference = self.writer, self.writer.t("serviceCrossRefID", next(self.switch.references))
        numbers = list(self.switch.model.devices)
        parts = [numbers[n:n + 200] for n in range(0, len(numbers), 200)] or [[]]
        return w.document("GetSwitchingFunctionDevicesResponse", reference), [
            w.document("SwitchingFunctionDevices", reference + w.t("segmentID", n) + w.e(
                "lastSegment", "true" if n == len(parts) else "false") + w.e("deviceList", "".join(
                    w.e("device", w.t("deviceID", w.number(number))) for number in part)))
            for n, part in enumerate(parts, 1)]

    # ---- monitors

    def _do_MonitorStart(self, request, faults):  # noqa: N802
        switch, number = self.switch, request.device
        if number is None:
            return self.writer.error("operation", "invalidMonitorObject")
        self._pace_of_starts(request)
        old = [monitor for monitor in switch.monitors_of.get(number, ()) if monitor.peer is self]
        if any(not monitor.unsaid for monitor in old):
            self.complain(f"{number} is monitored already", request)
            if switch.double_monitor == "refuse":
                return self.writer.error("subscribedResourceAvailability", "objectMonitorLimitExceeded")
        if switch.monitor_limit is not None and switch.monitor_count() >= switch.monitor_limit:
            return self.writer.error("systemResourceAvailability", "overallMonitorLimitExceeded")
        reference = f"m-{next(switch.references)}"
        if "same_cross_ref" in faults and self.monitors:
            reference = next(iter(self.monitors.values())).reference
        key = reference if reference not in self.monitors else f"{reference}/{number}"
        monitor = self.monitors[key] = Monitor(self, reference, number, key)
        switch.monitors_of.setdefault(number, []).append(monitor)
        return self.writer.document("MonitorStartResponse", self.writer.t("monitorCrossRefID", reference))

    def _pace_of_starts(self, request):
        limit, now = self.switch.max_starts, time.monotonic()
        self.starts.append(now)
        while now - self.starts[0] >= 1.0:
            self.starts.popleft()
        if limit is not None and len(self.starts) > limit:
            self.complain(f"pace: {len(self.starts)} monitors in a second, {limit} are allowed", request)

    def _do_MonitorStop(self, request, _faults):  # noqa: N802
        reference = request.document.text("monitorCrossRefID")
        monitor = self.monitors.get(reference)
        if not monitor:
            if not self.ended.pop(reference, False):
                self.complain(f"there is no monitor {reference}", request)
            return self.writer.error("operation", "invalidMonitorCrossRefID")
        self.forget(monitor)
        return self.writer.document("MonitorStopResponse")

    def forget(self, monitor):
        self.monitors.pop(monitor.key, None)
        of_device = self.switch.monitors_of.get(monitor.device, [])
        if monitor in of_device:
            of_device.remove(monitor)

    def stop_monitor(self, monitor):
        """The switch ends it, and says so; the client may still have to hear."""
        self.forget(monitor)
        self.ended[monitor.reference] = True
        self.ask("MonitorStop", self.writer.t("monitorCrossRefID", monitor.reference),
                 lambda: self.ended.pop(monitor.reference, None))

    def forget_all(self):
        """All monitors are void without a word; the client may still name them."""
        for monitor in list(self.monitors.values()):
            self.forget(monitor)
            self.ended[monitor.reference] = True

    # ---- questions

    def _do_SnapshotDevice(self, request, _faults):  # noqa: N802
        switch, number = self.switch, request.device
        if not switch.model.devices[number].in_service:
            return self.writer.error("systemResourceAvailability", "deviceOutOfService")
        return self.writer.snapshot(number, switch.model.snapshot(number), f"s-{next(switch.references)}")

    def _do_GetDoNotDisturb(self, request, _faults):  # noqa: N802
        dnd = self.switch.model.devices[request.device].dnd
        return self.writer.document("GetDoNotDisturbResponse",
                                    self.writer.e("doNotDisturbOn", "true" if dnd else "false"))

    def _do_GetForwarding(self, request, _faults):  # noqa: N802
        return self.writer.forwarding(self.switch.model.devices[request.device])

    def _do_GetAgentState(self, request, _faults):  # noqa: N802
        return self.writer.agent(self.switch.model.devices[request.device])

    def _do_SetDoNotDisturb(self, request, _faults):  # noqa: N802
        self.switch.model.set_dnd(request.device, BOOLEANS.get(request.document.text("doNotDisturbOn"), False))
        return self.writer.document("SetDoNotDisturbResponse")

    def _do_SetForwarding(self, request, _faults):  # noqa: N802
        document = request.document
        try:
            on = BOOLEANS.get(document.text("activateForward"), False)
            self.switch.model.set_forward(request.device, document.text("forwardingType", "forwardImmediate"), on,
                                          document.text("forwardDN"))
        except Illegal:
            return self.writer.error("operation", "invalidParameterValue")
        return self.writer.document("SetForwardingResponse")

