"""The least of SIP that a test needs to speak to a server by itself: messages, connections over UDP,
TCP and TLS, digest, and an agent that registers, calls and is called. Not a stack: no timers."""
import hashlib
import itertools
import re
import socket
import ssl
import time

_numbers = itertools.count(1)


def unique(prefix):
    return f"{prefix}{next(_numbers)}x{time.monotonic_ns() % 10**9}"


class Message:
    def __init__(self, text):
        head, _, self.body = text.partition("\r\n\r\n")
        self.start, *lines = head.split("\r\n")
        self.lines = lines
        self.text = text

    @property
    def status(self):
        return int(self.start.split()[1]) if self.start.startswith("SIP/2.0 ") else None

    @property
    def method(self):
        return None if self.start.startswith("SIP/2.0 ") else self.start.split()[0]

    def all(self, name, short=None):
        names = {name.lower(), (short or name).lower()}
        return [line.partition(":")[2].strip() for line in self.lines if line.partition(":")[0].strip().lower() in names]

    def header(self, name, short=None):
        found = self.all(name, short)
        return found[0] if found else None


def first_message(data):
    """(message, rest) of the bytes of a stream; (None, data) when it is not whole yet. What is no SIP
    at all counts as a message, so that a test sees it."""
    data = data.lstrip(b"\r\n")
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None, data
    length = re.search(rb"(?im)^(?:content-length|l)[ \t]*:[ \t]*(\d+)", data[:end])
    whole = end + 4 + (int(length[1]) if length else 0)
    if len(data) < whole:
        return None, data
    return Message(data[:whole].decode("utf-8", "replace")), data[whole:]


class Connection:
    """To a server, or one that a Listener has accepted. `source`: the address to send from, so that a
    test can be somebody else than its neighbour."""

    def __init__(self, transport, remote, source=("127.0.0.1", 0), tls=None, server_name="localhost", accepted=None):
        self.transport, self.remote, self.data = transport, remote, b""
        if accepted:
            self.socket = accepted
        elif transport == "udp":
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.socket.bind(source)
            self.socket.connect(remote)
        else:
            self.socket = socket.create_connection(remote, 5, source_address=source)
            if transport == "tls":
                self.socket = (tls or trusting_nobody()).wrap_socket(self.socket, server_hostname=server_name)
        self.local = self.socket.getsockname()

    def send(self, text):
        self.socket.settimeout(5)
        self.socket.sendall(text.encode() if isinstance(text, str) else text)

    def receive(self, seconds=5):
        """The next message; None when none comes in time; raises ConnectionError when the other side has
        closed."""
        end = time.monotonic() + seconds
        while True:
            message, self.data = first_message(self.data)
            if message:
                return message
            left = end - time.monotonic()
            # Not select(): what is readable in TLS may be a session ticket.
            self.socket.settimeout(max(left, 0.001))
            try:
                got = self.socket.recv(65536)
            except TimeoutError:
                return None
            if not got and self.transport != "udp":
                raise ConnectionError("closed by the other side")
            self.data += got

    def wait_closed(self, seconds=5):
        """True when the other side closes in time; answers that come before are thrown away."""
        try:
            while self.receive(seconds):
                pass
        except OSError:
            return True
        return False

    def close(self):
        self.socket.close()

    def via(self):
        return f"Via: SIP/2.0/{self.transport.upper()} {self.local[0]}:{self.local[1]};branch=z9hG4bK{unique('b')};rport"


class Listener:
    """A TCP or UDP socket that others send to."""

    def __init__(self, transport):
        self.transport = transport
        if transport == "udp":
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        else:
            self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        if transport != "udp":
            self.socket.listen(16)
        self.port = self.socket.getsockname()[1]

    def accept(self, seconds=5):
        self.socket.settimeout(seconds)
        accepted, remote = self.socket.accept()
        return Connection(self.transport, remote, accepted=accepted)

    def close(self):
        self.socket.close()


def trusting_nobody():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def trusting(authority, certificate=None):
    """Verifies the server against this CA; shows a certificate when it has one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(authority)
    if certificate:
        context.load_cert_chain(certificate.certificate, certificate.key)
    return context


def digest_answer(challenge, user, password, method, uri, count=1):
    """The value of Authorization for a challenge [RFC 7616 §3.4]."""
    fields = {name.lower(): quoted or plain for name, quoted, plain in
              re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,]+))', challenge)}
    algorithm = fields.get("algorithm", "MD5")
    name = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}[algorithm]

    def h(text):
        return hashlib.new(name, text.encode()).hexdigest()

    cnonce, nc = unique("c"), f"{count:08x}"
    ha1, ha2 = h(f"{user}:{fields['realm']}:{password}"), h(f"{method}:{uri}")
    response = h(f"{ha1}:{fields['nonce']}:{nc}:{cnonce}:auth:{ha2}")
    opaque = f', opaque="{fields["opaque"]}"' if "opaque" in fields else ""
    return (f'Digest username="{user}", realm="{fields["realm"]}", nonce="{fields["nonce"]}", uri="{uri}", '
            f'response="{response}", algorithm={algorithm}, qop=auth, cnonce="{cnonce}", nc={nc}{opaque}')


SDP = ("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
       "m=audio 40000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n")


class Agent:
    """A user on one connection."""

    def __init__(self, user, domain, password, connection):
        self.user, self.domain, self.password, self.connection = user, domain, password, connection
        self.aor = f"sip:{user}@{domain}"
        host, port = connection.local
        self.contact = f"<sip:{user}@{host}:{port};transport={connection.transport}>"
        self.route_set, self.target, self.dialog = [], None, None
        self.nonces = {}  # how often each was used

    def request(self, method, uri, to=None, cseq=1, call_id=None, from_tag=None, headers=(), body="", kind=None):
        content = [f"Content-Type: {kind}"] if kind else []
        return "\r\n".join([
            f"{method} {uri} SIP/2.0", self.connection.via(), "Max-Forwards: 70",
            f"From: <{self.aor}>;tag={from_tag or unique('t')}", f"To: {to or f'<{uri}>'}",
            f"Call-ID: {call_id or unique('call')}", f"CSeq: {cseq} {method}", f"Contact: {self.contact}", *headers,
            *content, f"Content-Length: {len(body)}", "", body])

    def final(self, seconds=10):
        """The next final response; what else comes meanwhile is dropped."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            message = self.connection.receive(left)
            if message and message.status and message.status >= 200:
                return message
        raise AssertionError(f"no final response for {self.user} in {seconds} s")

    def ask(self, method, uri, algorithm=None, seconds=10, **more):
        """Sends a request, answers a challenge once, and returns the final response."""
        more.setdefault("call_id", unique("call"))
        more.setdefault("from_tag", unique("t"))
        self.connection.send(self.request(method, uri, **more))
        answer = self.final(seconds)
        if answer.status in (401, 407):
            if method == "INVITE":
                self.connection.send(self._ack_of_failure(uri, answer))
            name, value = self.credentials(answer, method, uri, algorithm)
            headers = [*more.pop("headers", ()), f"{name}: {value}"]
            self.connection.send(self.request(method, uri, cseq=2, headers=headers, **more))
            answer = self.final(seconds)
        return answer

    def credentials(self, answer, method, uri, algorithm=None):
        """(header, value) that answers the first challenge, or the one with this algorithm."""
        name = "WWW-Authenticate" if answer.status == 401 else "Proxy-Authenticate"
        challenges = answer.all(name)
        for challenge in challenges:
            if algorithm is None or re.search(rf"algorithm={algorithm}\b", challenge):
                nonce = re.search(r'nonce="([^"]*)"', challenge)[1]
                self.nonces[nonce] = self.nonces.get(nonce, 0) + 1
                return name.replace("WWW-Authenticate", "Authorization").replace(
                    "Proxy-Authenticate", "Proxy-Authorization"), digest_answer(
                        challenge, self.user, self.password, method, uri, self.nonces[nonce])
        raise AssertionError(f"no challenge with {algorithm}: {challenges}")

    @staticmethod
    def _ack_of_failure(uri, answer):
        return "\r\n".join([f"ACK {uri} SIP/2.0", f"Via: {answer.header('Via', 'v')}", "Max-Forwards: 70",
                            f"From: {answer.header('From', 'f')}", f"To: {answer.header('To', 't')}",
                            f"Call-ID: {answer.header('Call-ID', 'i')}",
                            f"CSeq: {answer.header('CSeq').split()[0]} ACK", "Content-Length: 0", "", ""])

    def register(self, expires=600, **more):
        answer = self.ask("REGISTER", f"sip:{self.domain}", to=f"<{self.aor}>", headers=[f"Expires: {expires}"], **more)
        if answer.status != 200:
            raise AssertionError(f"{self.user} could not register:\n{answer.text}")
        return answer

    # ---- a call

    def call(self, callee, **more):
        """Calls; `callee` is an Agent of the same test that answers. Both are in the call afterwards."""
        uri = callee.aor
        call_id, from_tag, cseq, headers = unique("call"), unique("t"), 1, []
        while True:
            self.connection.send(self.request("INVITE", uri, cseq=cseq, call_id=call_id, from_tag=from_tag,
                                              headers=headers, body=SDP, kind="application/sdp", **more))
            answer = self._until_answered(callee)
            if answer.status not in (401, 407) or cseq > 1:
                break
            self.connection.send(self._ack_of_failure(uri, answer))
            name, value = self.credentials(answer, "INVITE", uri)
            headers, cseq = [f"{name}: {value}"], 2
        if answer.status != 200:
            raise AssertionError(f"{self.user} could not call {callee.user}:\n{answer.text}")
        self.dialog = (answer.header("From", "f"), answer.header("To", "t"), call_id)
        self.target = re.search(r"<([^>]*)>", answer.header("Contact", "m"))[1]
        self.route_set = [value for line in answer.all("Record-Route") for value in line.split(",")][::-1]
        self.connection.send(self._within("ACK", cseq))
        callee.expect("ACK")
        self.cseq = cseq
        return answer

    def _until_answered(self, callee):
        end = time.monotonic() + 10
        while time.monotonic() < end:
            sockets = [self.connection, callee.connection]
            for connection in sockets:
                message = connection.receive(0.01)
                if message and message.status and message.status >= 200 and connection is self.connection:
                    return message
                if message and message.method == "INVITE" and connection is callee.connection:
                    callee.respond(message, 200, "OK", SDP)
        raise AssertionError(f"the call from {self.user} to {callee.user} was not answered in 10 s")

    def respond(self, request, status, reason, body=""):
        tag = "" if ";tag=" in request.header("To", "t") else f";tag={unique('u')}"
        lines = [f"SIP/2.0 {status} {reason}"]
        lines += [f"Via: {value}" for value in request.all("Via", "v")]
        lines += [f"Record-Route: {value}" for value in request.all("Record-Route")]
        lines += [f"From: {request.header('From', 'f')}", f"To: {request.header('To', 't')}{tag}",
                  f"Call-ID: {request.header('Call-ID', 'i')}", f"CSeq: {request.header('CSeq')}",
                  f"Contact: {self.contact}"]
        if body:
            lines.append("Content-Type: application/sdp")
        self.connection.send("\r\n".join([*lines, f"Content-Length: {len(body)}", "", body]))

    def expect(self, method, seconds=10):
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            message = self.connection.receive(left)
            if message and message.method == method:
                return message
        raise AssertionError(f"{self.user} got no {method} in {seconds} s")

    def _within(self, method, cseq):
        sender, receiver, call_id = self.dialog
        routes = [f"Route: {route}" for route in self.route_set]
        return "\r\n".join([f"{method} {self.target} SIP/2.0", self.connection.via(), "Max-Forwards: 70", *routes,
                            f"From: {sender}", f"To: {receiver}", f"Call-ID: {call_id}", f"CSeq: {cseq} {method}",
                            "Content-Length: 0", "", ""])

    def hang_up(self, callee):
        self.connection.send(self._within("BYE", self.cseq + 1))
        callee.respond(callee.expect("BYE"), 200, "OK")
        answer = self.final()
        if answer.status != 200:
            raise AssertionError(f"BYE of {self.user}:\n{answer.text}")

    def close(self):
        self.connection.close()
