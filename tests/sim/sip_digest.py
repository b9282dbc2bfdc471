"""Digest authentication of the simulated SIP server: challenges, and a strict judge of what answers them.

SPDX-License-Identifier: MIT
"""

import base64
import hashlib
import hmac
import os
import re

ALGORITHMS = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}
PARAM = re.compile(r'([A-Za-z]+)\s*=\s*("(?:\\.|[^"\\])*"|[^,\s]*)')
QUOTED = ("username", "realm", "nonce", "uri", "response", "cnonce", "opaque")
BARE = ("algorithm", "qop", "nc")
MISSING, GOOD, EXPIRED, WRONG = "missing", "good", "expired", "wrong"


def digest_response(algorithm, user, realm, password, method, uri, nonce, nc=None, cnonce=None, qop=None):
    """The response of RFC 7616, or of RFC 2069 without qop."""
    def h(*parts):
        return ALGORITHMS[algorithm](":".join(parts).encode()).hexdigest()

    middle = (nonce, nc, cnonce, qop) if qop else (nonce,)
    return h(h(user, realm, password), *middle, h(method, uri))


class Nonce:
    """One that was given: `offer` is the Digest that gave it, which the answer has to fit to."""

    def __init__(self, offer, algorithm):
        self.offer, self.algorithm = offer, algorithm
        self.uses, self.nc, self.expired = 0, 0, False


class Digest:
    """What the server asks for.

    users       {name: password}
    algorithms  offered in this order, one challenge header each
    qop         False: as in RFC 2069
    proxy       407 and Proxy-Authorization instead of 401
    uses        a nonce is expired after so many requests (None: never)
    stale       whether the challenge for an expired nonce says so
    refuse      behave as if the password were always wrong
    tolerate    a wrong response is no violation: the client under test was given a wrong password
    methods     which requests are challenged
    nonces      those given before, by another Digest: expired, but known
    """

    def __init__(self, users, realm, algorithms=("MD5",), qop=True, proxy=False, uses=None, stale=True, refuse=False,
                 tolerate=False, methods=("SUBSCRIBE",), nonces=None):
        self.users, self.realm, self.algorithms, self.qop, self.proxy = users, realm, algorithms, qop, proxy
        self.uses, self.stale, self.refuse, self.tolerate, self.methods = uses, stale, refuse, tolerate, methods
        self.opaque = base64.b64encode(os.urandom(6)).decode()
        self.nonces = {} if nonces is None else nonces
        self.expire()

    @property
    def status(self):
        return 407 if self.proxy else 401

    def expire(self):
        """The nonces given so far are of no use any more."""
        for nonce in self.nonces.values():
            nonce.expired = True

    def challenge(self, expired=False):
        name = "Proxy-Authenticate" if self.proxy else "WWW-Authenticate"
        return [(name, self._offer(algorithm, expired)) for algorithm in self.algorithms]

    def _offer(self, algorithm, expired):
        text = base64.b64encode(os.urandom(16)).decode()
        self.nonces[text] = Nonce(self, algorithm)
        return (f'Digest realm="{self.realm}", nonce="{text}", opaque="{self.opaque}", algorithm={algorithm}'
                + (', qop="auth"' if self.qop else "") + (", stale=true" if expired and self.stale else ""))

    def judge(self, message, disturbed=False):
        """(verdict, sentences); disturbed: requests may have been lost, so that a first nc may be above 1."""
        name = "proxy-authorization" if self.proxy else "authorization"
        values = [v for n, v in message.headers if n == name]
        if not values:
            return MISSING, list(self._misplaced(name, message))
        scheme, _, text = values[0].partition(" ")
        raw = {k.lower(): v for k, v in PARAM.findall(text)}
        given = {k: re.sub(r"\\(.)", r"\1", v[1:-1]) if v.startswith('"') else v for k, v in raw.items()}
        bad = list(self._form(values, scheme, raw))
        nonce = self.nonces.get(given.get("nonce"))
        offer = nonce.offer if nonce else self
        bad += offer._values(given, nonce, message)
        if nonce:
            bad += offer._counter(given, nonce, disturbed)
        expected = offer._expected(given, message)
        right = expected and hmac.compare_digest(expected.encode(), given.get("response", "").encode())
        if not right and not self.tolerate:
            bad.append("digest: response is wrong")
        return self._verdict(right, nonce), bad

    def _misplaced(self, name, message):
        """Credentials in the other header are wrong, unless they answer an offer of before."""
        for header in {"authorization", "proxy-authorization"} - {name}:
            given = dict(PARAM.findall(message.header(header)))
            nonce = self.nonces.get(given.get("nonce", "").strip('"'))
            if message.count(header) and (nonce is None or nonce.offer.proxy == self.proxy):
                yield f"digest: credentials are not in {name}"

    def _verdict(self, right, nonce):
        if nonce is None:
            return EXPIRED
        nonce.uses += 1
        expired = nonce.expired or self.uses is not None and nonce.uses > self.uses
        if not right or self.refuse and not expired:
            return WRONG
        return EXPIRED if expired else GOOD

    def _form(self, values, scheme, raw):
        if len(values) > 1:
            yield "digest: more than one set of credentials for one realm"
        if scheme.lower() != "digest":
            yield f"digest: scheme is {scheme!r}"
        for names, quoted, word in ((QUOTED, True, "not quoted"), (BARE, False, "quoted")):
            for name in names:
                if name in raw and raw[name].startswith('"') != quoted:
                    yield f"digest: {name} is {word}"

    def _values(self, given, nonce, message):
        algorithm = given.get("algorithm", "MD5")
        rules = (("realm", given.get("realm") == self.realm), ("username", given.get("username") in self.users),
                 ("opaque", given.get("opaque") == self.opaque), ("nonce", nonce is not None),
                 ("algorithm", nonce is None or algorithm == nonce.algorithm))
        for name, holds in rules:
            if not holds and not (self.tolerate and name == "username"):
                yield f"digest: {name} {given.get(name)!r} is not what was offered"
        if given.get("uri") != message.uri:
            yield f"digest: uri {given.get('uri')!r} is not the Request-URI {message.uri!r}"
        if nonce and algorithm != self.algorithms[0]:
            yield f"digest: {algorithm} was not the first algorithm offered"

    def _counter(self, given, nonce, disturbed):
        if not self.qop:
            if {"qop", "nc", "cnonce"} & set(given):
                yield "digest: qop, nc or cnonce given though no qop was offered"
            return
        if given.get("qop") != "auth":
            yield f"digest: qop is {given.get('qop')!r}, not auth"
        if not given.get("cnonce"):
            yield "digest: cnonce is missing"
        if not re.fullmatch(r"[0-9a-f]{8}", given.get("nc", "")):
            yield f"digest: nc {given.get('nc')!r} is not 8 small hexadecimal digits"
            return
        count = int(given["nc"], 16)
        if count <= nonce.nc:
            yield f"digest: nc {count} does not rise, {nonce.nc} came before"
        elif nonce.nc == 0 and count != 1 and not disturbed:
            yield f"digest: nc of a new nonce begins at {count}, not at 1"
        nonce.nc = max(nonce.nc, count)

    def _expected(self, given, message):
        password = self.users.get(given.get("username"))
        algorithm = given.get("algorithm", "MD5")
        if password is None or algorithm not in ALGORITHMS:
            return None
        return digest_response(algorithm, given["username"], self.realm, password, message.method, given.get("uri", ""),
                               given.get("nonce", ""), given.get("nc", ""), given.get("cnonce", ""), given.get("qop"))
