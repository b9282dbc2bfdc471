"""A real Kamailio 5.6 as a SIP presence server on loopback, for tests.

    with Kamailio(auth="MD5", accounts={"watcher": "secret"}) as k:
        ... SUBSCRIBE and PUBLISH to 127.0.0.1:k.port by UDP or TCP ...

Every start copies the tables of the package anew: what db_text wrote at the end of a run cannot be read again.
Nothing here sleeps: a wait has a condition and a deadline.

SPDX-License-Identifier: MIT
"""

import atexit
import collections
import contextlib
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from waiting import DEADLINE, Deadline, until  # noqa: E402

PROGRAM = "/usr/sbin/kamailio"
CONTROL = "/usr/sbin/kamcmd"
TABLES = pathlib.Path("/usr/share/kamailio/dbtext/kamailio")
NEEDED_TABLES = ("version", "active_watchers", "presentity", "watchers", "xcap")
HOST = "127.0.0.1"
PORTS = range(20000, 30000)  # below the kernel's range for outgoing connections: nobody gets one by chance

CONFIGURATION = """#!KAMAILIO
debug=2
log_stderror=yes
fork=yes
children={children}
tcp_children={children}
tcp_connection_lifetime=3605
tcp_max_connections=4096
auto_aliases=no
maxbuffer=4194304
alias="{domain}"
listen=udp:{host}:{port}
listen=tcp:{host}:{port}
{tls_core}

{loads}

modparam("ctl", "binrpc", "unix:{run}/ctl")
{parameters}

# t_newtran fails, too, when another process has just begun with a copy of the same request: no reply, then.
request_route {{
	if(is_method("PUBLISH")) {{
		if(!t_newtran()) {{ exit; }}
		handle_publish();
		t_release();
		exit;
	}}
	{authenticate}
	if(is_method("SUBSCRIBE")) {{
		if($rU =~ "^missing") {{ sl_send_reply("404", "Not Found"); exit; }}
		if($rU =~ "^forbidden") {{ sl_send_reply("403", "Forbidden"); exit; }}
		if(!t_newtran()) {{ exit; }}
		handle_subscribe();
		t_release();
		exit;
	}}
	if(is_method("OPTIONS")) {{ sl_send_reply("200", "OK"); exit; }}
	if(is_method("ACK")) {{ exit; }}
	sl_send_reply("405", "Method Not Allowed");
}}
{accounts}
"""

AUTHENTICATE = """if(is_method("SUBSCRIBE|OPTIONS")) {{
		if($au == $null || !pv_www_authenticate("{domain}", "$sht(accounts=>$au)", "0")) {{
			www_challenge("{domain}", "1");
			exit;
		}}
	}}"""

TLS = """[server:default]
method = TLSv1.2+
verify_certificate = no
require_certificate = no
private_key = {key}
certificate = {certificate}
"""


class Failed(RuntimeError):
    """Kamailio did not start, or did not do what it was asked."""


# ---- ports ----------------------------------------------------------------------------------


def hold_port(host=HOST):
    """A port that is free for UDP and TCP, as a bound socket that keeps others from picking it.

    It is bound without SO_REUSEADDR, so nobody else has it, and then allows one listener that sets the option, as
    servers do. It never listens itself: while the server is down a connection is refused, as it should be.
    """
    for port in random.sample(PORTS, len(PORTS)):
        held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            held.bind((host, port))
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
                udp.bind((host, port))
        except OSError:
            held.close()
            continue
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return held
    raise Failed("no free port")


# ---- certificates ---------------------------------------------------------------------------

_authority = None
_certificates = {}


def openssl(*arguments):
    """Run openssl; what it says is in the exception when it fails."""
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"openssl {arguments[0]}: {done.stderr}")


def authority():
    """The folder with our own certificate authority: ca.pem and ca.key. Made once in a process."""
    global _authority
    if _authority is None:
        folder = pathlib.Path(tempfile.mkdtemp(prefix="peers-ca-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-subj", "/CN=authority of the tests", "-keyout", folder / "ca.key", "-out", folder / "ca.pem")
        _authority = folder
    return _authority


def certificate(name):
    """Certificate and key for the DNS name `name`, signed by our authority: two paths."""
    if name not in _certificates:
        folder = authority()
        base = folder / f"server{len(_certificates)}"
        extensions = base.with_suffix(".ext")
        extensions.write_text(f"subjectAltName=DNS:{name}\nextendedKeyUsage=serverAuth\n", encoding="utf-8")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                "-keyout", base.with_suffix(".key"), "-out", base.with_suffix(".csr"))
        openssl("x509", "-req", "-in", base.with_suffix(".csr"), "-CA", folder / "ca.pem", "-CAkey", folder / "ca.key",
                "-CAcreateserial", "-days", "2", "-extfile", extensions, "-out", base.with_suffix(".pem"))
        _certificates[name] = base.with_suffix(".pem"), base.with_suffix(".key")
    return _certificates[name]


# ---- processes ------------------------------------------------------------------------------


def group_states(group):
    """State letter of each live process of a process group, by pid. Zombies hold nothing and do not count."""
    states = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        with contextlib.suppress(OSError):
            fields = pathlib.Path("/proc", entry, "stat").read_text().rpartition(")")[2].split()
            if int(fields[2]) == group and fields[0] not in "ZX":
                states[int(entry)] = fields[0]
    return states


def split_row(line):
    """The columns of a line of a db_text table: separated by colons, a backslash takes the next character as it is."""
    columns = [""]
    characters = iter(line)
    for character in characters:
        if character == "\\":
            columns[-1] += next(characters, "")
        elif character == ":":
            columns.append("")
        else:
            columns[-1] += character
    return columns


def quoted(text):
    """A string of the configuration language."""
    return '"' + str(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


class Kamailio:
    """A presence server: events presence, presence.winfo and dialog; any other event is a 489.

    domain       its SIP domain; also the realm of challenges and the name in the certificate
    auth         "MD5" or "SHA-256": challenges SUBSCRIBE and OPTIONS with it; never PUBLISH
    accounts     {user: password} for auth
    tls          listen for TLS, too
    tls_name     the name in the certificate, if it shall be wrong
    max_expires, min_expires    of SUBSCRIBE and PUBLISH; less than the minimum is a 423
    nonce_expire                seconds that a nonce can be used
    subs_db_mode                1 is needed for subscriptions(); 0 is several times as fast with thousands of them
    publ_cache                  1 keeps publications in a table, 2 in memory, which is faster with thousands of them,
                                but then of two with the same tuple id the older one is what watchers see
    children                    processes for UDP, and as many for TCP
    shared_memory               megabytes, taken when needed; each transaction needs about 10 KB for five seconds
    parameters                  more module parameters: {("tm", "fr_timer"): 2000}
    """

    def __init__(self, domain="example.test", auth=None, tls=False, max_expires=3600, min_expires=0, accounts=None,
                 tls_name=None, nonce_expire=300, subs_db_mode=1, publ_cache=1, children=2, shared_memory=1024,
                 parameters=None):
        if auth not in (None, "MD5", "SHA-256"):
            raise ValueError(f"auth {auth!r}")
        self.domain = domain
        self.auth = auth
        self.accounts = accounts or {}
        self.tls_name = tls_name or domain
        self.settings = {
            ("db_text", "file_buffer_size"): 65536,
            ("presence", "max_expires"): max_expires,
            ("presence", "min_expires"): min_expires,
            ("presence", "min_expires_action"): 1,  # 423
            ("presence", "subs_db_mode"): subs_db_mode,
            ("presence", "publ_cache"): publ_cache,
            ("presence", "subs_htable_size"): 13,  # powers of two
            ("presence", "pres_htable_size"): 13,
            ("presence", "clean_period"): 1,  # seconds between looks for expired publications
            ("presence", "db_update_period"): 1,  # and for expired subscriptions
            ("presence_xml", "force_active"): 1,  # no authorisation of watchers
            ("presence_xml", "disable_bla"): 1,
            ("presence_xml", "disable_xcapdiff"): 1,
        }
        if auth:
            self.settings[("auth", "nonce_expire")] = nonce_expire
            self.settings[("auth", "algorithm")] = auth
            self.settings[("htable", "htable")] = "accounts=>size=8;"
        self.settings |= parameters or {}
        self.children = children
        self.shared_memory = shared_memory
        self.process = None
        self.frozen = False
        self.runs = 0
        self.dumping = threading.Lock()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="kamailio-"))
        self.log = self.folder / "log"
        self.log.touch()
        self.holds = [hold_port() for _ in range(2 if tls else 1)]
        self.port = self.holds[0].getsockname()[1]
        self.tls_port = self.holds[1].getsockname()[1] if tls else None
        self.ca_file = str(authority() / "ca.pem") if tls else None
        atexit.register(self.close)

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    # -- configuration

    def modules(self):
        names = ["tls"] if self.tls_port else []
        names += ["db_text", "kex", "tm", "tmx", "sl", "rr", "pv", "textops", "siputils", "ctl"]
        names += ["auth", "htable"] if self.auth else []
        return names + ["presence", "presence_xml", "presence_dialoginfo"]

    def account_route(self):
        """Fill the table of passwords when the server starts."""
        if not self.auth:
            return ""
        lines = [f"\t$sht(accounts=>{user}) = {quoted(word)};\n" for user, word in self.accounts.items()]
        return "event_route[htable:mod-init] {\n" + "".join(lines) + "}\n"

    def configuration(self, run):
        settings = dict(self.settings)
        for module in ("presence", "presence_xml"):
            settings[(module, "db_url")] = f"text://{run}/tables"
        if self.tls_port:
            settings[("tls", "config")] = f"{run}/tls.cfg"
        lines = [f"modparam({quoted(module)}, {quoted(name)}, {value if isinstance(value, int) else quoted(value)})"
                 for (module, name), value in settings.items()]
        tls_core = f"enable_tls=yes\nlisten=tls:{HOST}:{self.tls_port}" if self.tls_port else ""
        return CONFIGURATION.format(
            domain=self.domain, host=HOST, port=self.port, run=run, children=self.children, tls_core=tls_core,
            loads="\n".join(f'loadmodule "{name}.so"' for name in self.modules()), parameters="\n".join(lines),
            authenticate=AUTHENTICATE.format(domain=self.domain) if self.auth else "", accounts=self.account_route())

    def prepare(self):
        """A new folder with everything a run needs."""
        self.runs += 1
        run = self.folder / f"run{self.runs}"
        (run / "tables").mkdir(parents=True)
        for table in NEEDED_TABLES:
            shutil.copy(TABLES / table, run / "tables" / table)
        if self.tls_port:
            chain, key = certificate(self.tls_name)
            (run / "tls.cfg").write_text(TLS.format(key=key, certificate=chain), encoding="utf-8")
        (run / "kamailio.cfg").write_text(self.configuration(run), encoding="utf-8")
        return run

    # -- life

    def start(self):
        """Start it, on the same ports as ever and with empty tables. Returns when it answers."""
        if self.process:
            raise Failed("it runs already")
        run = self.prepare()
        command = [PROGRAM, "-f", run / "kamailio.cfg", "-P", run / "pid", "-Y", run, "-m", str(self.shared_memory),
                   "-M", "16", "-DD", "-E"]
        with open(self.log, "ab") as log:
            # A session of its own: at its end Kamailio signals its whole process group.
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True)
        try:
            until(self.answers, "an answer from Kamailio")
        except Deadline:
            self.kill()
            raise Failed(f"Kamailio does not answer:\n{self.log_text()[-4000:]}") from None
        return self

    def answers(self):
        """Whether it answers OPTIONS by UDP and TCP (TCP starts last) and kamcmd can talk to it."""
        if self.process.poll() is not None:
            code = self.process.returncode
            self.kill()
            raise Failed(f"Kamailio ended with {code}:\n{self.log_text()[-4000:]}")
        return (self.control_path().exists() and self.answers_options(socket.SOCK_DGRAM, "UDP")
                and self.answers_options(socket.SOCK_STREAM, "TCP"))

    def answers_options(self, kind=socket.SOCK_DGRAM, transport="UDP"):
        with socket.socket(socket.AF_INET, kind) as end:
            end.settimeout(0.25)
            try:
                end.connect((HOST, self.port))
                port, word = end.getsockname()[1], random.getrandbits(64)
                end.send(f"OPTIONS sip:{self.domain} SIP/2.0\r\n"
                         f"Via: SIP/2.0/{transport} {HOST}:{port};branch=z9hG4bK{word:x}\r\n"
                         f"From: <sip:ready@{self.domain}>;tag={word:x}\r\nTo: <sip:{self.domain}>\r\n"
                         f"Call-ID: {word:x}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 1\r\n"
                         "Content-Length: 0\r\n\r\n".encode())
                return end.recv(65536).startswith(b"SIP/2.0 ")  # also a challenge is an answer
            except OSError:
                return False

    def pids(self):
        """All its processes."""
        return sorted(group_states(self.process.pid)) if self.process else []

    def signal_all(self, number):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def ended(self):
        """After the main process: wait for the others, too, for they hold the ports."""
        group = self.process.pid
        self.process.wait()
        until(lambda: not group_states(group), "the end of all processes of Kamailio")
        self.process = None
        self.frozen = False

    def kill(self):
        """End all of it at once, as a power failure would."""
        if self.process:
            self.signal_all(signal.SIGKILL)
            self.ended()

    def stop(self, deadline=10.0):
        """End it in good order; what does not end in time is killed."""
        if not self.process:
            return
        if self.frozen:
            self.thaw()
        with contextlib.suppress(Deadline):
            until(self.terminated, "the end of Kamailio", deadline)
        self.kill()

    def terminated(self):
        """Ask it to end, and whether it has: a signal during another one is lost, so this asks again."""
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(0.2)
        return self.process.poll() is not None

    def close(self):
        """End it and remove every trace."""
        atexit.unregister(self.close)
        self.stop(deadline=3.0)  # not kill(): its main process reaps the others
        for held in self.holds:
            held.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def freeze(self):
        """Stop all its processes; the kernel still takes connections and datagrams."""
        self.signal_all(signal.SIGSTOP)
        self.frozen = True
        until(lambda: set(group_states(self.process.pid).values()) == {"T"}, "a frozen Kamailio")

    def thaw(self):
        self.signal_all(signal.SIGCONT)
        self.frozen = False

    # -- what it knows

    def log_text(self):
        """What it has written since the first start."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def control_path(self):
        return self.folder / f"run{self.runs}" / "ctl"

    def control(self, *command, timeout=DEADLINE):
        """The answer of its RPC interface to a command, for example ("tm.stats",)."""
        done = subprocess.run([CONTROL, "-s", f"unix:{self.control_path()}", *command], capture_output=True, text=True,
                              timeout=timeout)
        if done.returncode or done.stdout.startswith("error"):
            raise Failed(f"kamcmd {' '.join(command)}: {done.stdout}{done.stderr}")
        return done.stdout

    def watchers(self):
        """The rows of its table of active subscriptions, each a dict.

        No RPC lists subscriptions. With subs_db_mode 1 each one is written to a table at once, and that can be had:
        db_text keeps it in memory and writes it to its file when asked. (Not by presence.cleanup, which walks the
        subscriptions without their locks.)
        """
        if self.settings[("presence", "subs_db_mode")] != 1:
            raise Failed("subscriptions can only be counted with subs_db_mode 1")
        with self.dumping:
            self.control("db_text.dump")
            text = (self.control_path().parent / "tables" / "active_watchers").read_text(encoding="utf-8")
        head, *lines = text.splitlines()
        names = [column.split("(")[0] for column in head.split()]
        return [dict(zip(names, split_row(line))) for line in lines if line]

    def subscriptions(self):
        """How many subscriptions are active: {(event, presentity URI): number}."""
        now = time.time()
        return collections.Counter((row["event"], row["presentity_uri"]) for row in self.watchers()
                                   if int(row["expires"]) >= int(now))
