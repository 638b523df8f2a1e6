"""What a line `%% Peer: NAME …` of a flow starts: a program at the other end that does what our own player refuses to do. Each
listens on a free port of loopback; `at` is what `callwright run --at` wants to know."""
import os
import re
import socket
import ssl
import struct
import subprocess
import threading
import time

HOST = "127.0.0.1"
# For those that need a port of their own: another address in each run, so that two runs do not meet.
OWN_HOST = f"127.{os.getpid() % 250 + 1}.{os.getpid() // 250 % 250}.46"


def certificate(folder):
    """A self-signed pair: (certificate, key)."""
    pair = folder / "peer.pem", folder / "peer.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-keyout", pair[1], "-out", pair[0],
                    "-subj", "/CN=server.example.com", "-addext", "subjectAltName=DNS:server.example.com,URI:sip:server.example.com"],
                   check=True, capture_output=True)
    return pair


def answer(request, status, tag="peer"):
    """A response to the request, with its Via, From, To, Call-ID and CSeq."""
    lines = request.split("\r\n")
    kept = [line for line in lines if re.match(r"(Via|From|Call-ID|CSeq|Record-Route)\s*:", line, re.I)]
    to = next(line for line in lines if line.lower().startswith("to:"))
    kept.append(to if ";tag=" in to else f"{to};tag={tag}")
    return kept, f"SIP/2.0 {status}\r\n"


def response(request, status, contact="", body=""):
    kept, start = answer(request, status)
    if contact:
        kept.append(f"Contact: <{contact}>")
    if body:
        kept.append("Content-Type: application/sdp")
    return start + "\r\n".join(kept) + f"\r\nContent-Length: {len(body)}\r\n\r\n{body}"


class Peer:
    def __init__(self, words, folder):
        self.ends = []
        self.listen = None  # (party, where), for a party that has to be at a port that the peer knows
        self.folder = folder
        for pattern, start in WAYS.items():
            if match := re.fullmatch(pattern, words):
                self.at = start(self, *match.groups())
                return
        raise ValueError(f"no peer does this: {words}")

    def close(self):
        for one in self.ends:
            one.close()

    def run(self, work):
        def guarded():
            try:
                work()
            except (OSError, ssl.SSLError):
                pass  # closed at the end, or by the other side
        threading.Thread(target=guarded, daemon=True).start()

    # ---- UDP

    def udp(self, work):
        mine = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        mine.bind((HOST, 0))
        self.ends.append(mine)
        if work:
            self.run(lambda: work(mine))
        return f"udp:{HOST}:{mine.getsockname()[1]}"

    def silent_udp(self):
        return self.udp(None)

    def answering_udp(self, status, seconds):
        def work(mine):
            request, sender = mine.recvfrom(65535)
            time.sleep(float(seconds))
            mine.sendto(response(request.decode(), status + " x").encode(), sender)
            mine.recvfrom(65535)
        return self.udp(work)

    def calling_udp(self, party):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind((HOST, 0))
            port = free.getsockname()[1]
        self.listen = party, f"udp:{HOST}:{port}"

        def work(mine):
            here = mine.getsockname()[1]
            invite = (f"INVITE sip:{party}@example.com SIP/2.0\r\nVia: SIP/2.0/UDP {HOST}:{here};branch=z9hG4bKonce;rport\r\n"
                      f"Max-Forwards: 70\r\nFrom: <sip:alice@example.com>;tag=1\r\nTo: <sip:{party}@example.com>\r\n"
                      f"Call-ID: once@example.com\r\nCSeq: 1 INVITE\r\nContact: <sip:alice@{HOST}:{here}>\r\n"
                      "Content-Length: 0\r\n\r\n")
            time.sleep(1.0)
            mine.sendto(invite.encode(), (HOST, port))
        return self.udp(work)

    # ---- TCP and TLS

    def tcp(self, work, transport="tcp", host=HOST, port=0):
        mine = socket.socket()
        mine.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        mine.bind((host, port))
        mine.listen()
        self.ends.append(mine)

        def accept():
            while True:
                came, _ = mine.accept()
                self.ends.append(came)
                self.run(lambda: work(came))
        self.run(accept)
        return f"{transport}:{host}:{mine.getsockname()[1]}"

    def silent_tcp(self):
        return self.tcp(lambda came: None, "tls")

    def plain_tcp(self):
        def work(came):  # reads what it takes for SIP, finds none, and hangs up
            came.recv(65535)
            time.sleep(0.2)
            came.close()
        return self.tcp(work, "tls", OWN_HOST, 5060)

    def tls_at_its_port(self):
        """Takes what comes for TLS, and hangs up when it is none."""
        context = self.context()

        def handshake(came):
            try:
                context.wrap_socket(came, server_side=True)
            except ssl.SSLError:
                came.close()
        return self.tcp(handshake, "tcp", OWN_HOST, 5061)

    def context(self, **settings):
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(*certificate(self.folder))
        made.set_ciphers("ALL:@SECLEVEL=0")
        for name, value in settings.items():
            setattr(made, name, value)
        return made

    def tls(self, work, delay=0.0, **settings):
        context = self.context(**settings)

        def handshake(came):
            time.sleep(delay)
            work(context.wrap_socket(came, server_side=True))
        return self.tcp(handshake, "tls")

    def refusing_name(self):
        return self.tls(lambda secure: secure.read(), sni_callback=lambda *_: ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME)

    def one_answer(self, secure, then):
        secure.write(response(secure.read(65535).decode(), "200 OK").encode())
        time.sleep(0.3)
        then(secure)

    def slow_tls(self):
        return self.tls(lambda secure: self.one_answer(secure, lambda _: time.sleep(5)), delay=2.0)

    def breaking_tls(self):
        def reset(secure):
            plain = socket.socket(fileno=secure.detach())
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            plain.close()
        return self.tls(lambda secure: self.one_answer(secure, reset))

    def closing_tls(self):
        def close(secure):
            try:
                secure.settimeout(0.5)
                secure.unwrap()
            except (OSError, ssl.SSLError):
                pass
            secure.close()
        return self.tls(lambda secure: self.one_answer(secure, close))

    def hanging_up_tls(self):
        def work(secure):
            request = secure.read(65535).decode()
            if not request.startswith("INVITE"):
                secure.write(response(request, "200 OK").encode())
                return
            time.sleep(0.3)
            try:
                secure.settimeout(0.2)
                secure.unwrap()
            except (OSError, ssl.SSLError):
                pass
            secure.close()
        return self.tls(work)

    def call_over_tls(self, forgets):
        sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n"

        def work(secure):
            while request := secure.read(65535).decode():
                method = request.split(" ", 1)[0]
                if method == "INVITE":
                    secure.write(response(request, "200 OK", self.contact, sdp).encode())
                elif method == "ACK" and forgets:
                    time.sleep(1.0)
                    try:
                        secure.settimeout(0.2)
                        secure.unwrap()
                    except (OSError, ssl.SSLError):
                        pass
                    secure.close()
                    return
                elif method == "BYE":
                    secure.write(response(request, "481 Call/Transaction Does Not Exist" if forgets else "200 OK").encode())
                    time.sleep(0.5)
        at = self.tls(work)
        self.contact = f"sip:bob@{at[4:]};transport=tls"
        return at


WAYS = {
    r"is silent over UDP": Peer.silent_udp,
    r"answers (\d+) over UDP after (\d+)s": Peer.answering_udp,
    r"calls (\w+) over UDP and acknowledges nothing": Peer.calling_udp,
    r"is silent over TCP": Peer.silent_tcp,
    r"speaks SIP without TLS at port 5060": Peer.plain_tcp,
    r"wants TLS at port 5061": Peer.tls_at_its_port,
    r"refuses the name over TLS": Peer.refusing_name,
    r"is slow over TLS": Peer.slow_tls,
    r"breaks off over TLS": Peer.breaking_tls,
    r"closes over TLS": Peer.closing_tls,
    r"hangs up at an INVITE over TLS": Peer.hanging_up_tls,
    r"forgets over TLS": lambda peer: peer.call_over_tls(True),
    r"remembers over TLS": lambda peer: peer.call_over_tls(False),
}
