"""What a line `%% Peer: NAME …` of a flow starts: a program at the other end that does what our own player refuses to do. Each
listens on a free port of loopback; `at` is what `callwright run --at` wants to know."""
import ctypes
import os
import re
import socket
import ssl
import struct
import subprocess
import threading
import time

from media_peers import Audio

HOST = "127.0.0.1"
SO_ATTACH_FILTER, SO_DETACH_FILTER = 26, 27  # of Linux
# For those that need a port of their own: another address in each run, so that two runs do not meet.
OWN_HOST = f"127.{os.getpid() % 250 + 1}.{os.getpid() // 250 % 250}.46"


def certificate(folder, key="rsa:2048", digest="sha256", by_ca=False):
    """A pair (certificate, key), self-signed or of a CA of its own."""
    def make(name, *words):
        pair = folder / f"{name}.pem", folder / f"{name}.key"
        subprocess.run(["openssl", "req", "-x509", "-newkey", key, f"-{digest}", "-nodes", "-days", "30", "-keyout", pair[1],
                        "-out", pair[0], *words], check=True, capture_output=True)
        return pair
    ca = make("ca", "-subj", "/CN=CA") if by_ca else None
    return make("peer", "-subj", "/CN=server.example.com", "-addext",
                "subjectAltName=DNS:server.example.com,URI:sip:server.example.com",
                *(("-CA", ca[0], "-CAkey", ca[1]) if ca else ()))


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
        self.offer = self.contact = ""
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

    def audio_call(self, request, audio, send):
        """Answers a request of a call; `send` takes the response."""
        if request.startswith("INVITE"):
            self.offer = request.split("\r\n\r\n", 1)[1]
            send(response(request, "200 OK", self.contact, audio.description(self.offer)))
        elif request.startswith("ACK"):
            self.run(lambda: audio.send(self.offer))
        elif request.startswith("BYE"):
            send(response(request, "200 OK"))

    def serve_udp(self, mine, audio):
        while True:
            request, sender = mine.recvfrom(65535)
            self.audio_call(request.decode(), audio, lambda text: mine.sendto(text.encode(), sender))

    def audio_udp(self, way):
        audio = Audio(way, HOST)
        self.ends.append(audio)
        at = self.udp(lambda mine: self.serve_udp(mine, audio))
        self.contact = f"sip:bob@{at[4:]}"
        return at

    def audio_tls(self, way):
        audio = Audio(way, HOST)
        self.ends.append(audio)

        def work(secure):
            while request := secure.read(65535).decode():
                self.audio_call(request, audio, lambda text: secure.write(text.encode()))
        at = self.tls(work)
        self.contact = f"sip:bob@{at[4:]};transport=tls"
        return at

    # ---- what stands on the way

    def middlebox(self, rewrites):
        """Sends on to a phone, which is busy, from an address of its own, and its answers back."""
        outside = "127.0.0.77"

        def phone(mine):
            while True:
                request, sender = mine.recvfrom(65535)
                if not request.startswith(b"ACK"):
                    mine.sendto(response(request.decode(), "486 Busy Here").encode(), sender)
        inside = self.udp(phone)[4:].split(":")
        further = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        further.bind((outside, 0))
        self.ends.append(further)

        def work(mine):
            while True:
                request, sender = mine.recvfrom(65535)
                if rewrites:
                    request = re.sub(rb"(Contact: [^\r]*@)[\d.]+", rb"\g<1>" + outside.encode(), request)
                further.sendto(request, (inside[0], int(inside[1])))
                if not request.startswith(b"ACK"):
                    mine.sendto(further.recvfrom(65535)[0], sender)
        return self.udp(work)

    def half_a_relay(self):
        """A proxy that relays media: the caller hears it, and between it and the phone that is called nothing flows."""
        near = Audio("flows", HOST)
        far, phone = (Audio("does not come", HOST) for _ in range(2))
        self.ends += [near, far, phone]
        there = self.udp(lambda mine: self.serve_udp(mine, phone))
        further = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        further.bind((HOST, 0))
        self.ends.append(further)

        def work(mine):
            told = ""  # what the caller offers
            while True:
                came, sender = mine.recvfrom(65535)
                head, _, offer = came.decode().partition("\r\n\r\n")
                first, _, rest = head.partition("\r\n")
                body = far.description("") if offer else ""
                rest = re.sub(r"Content-Length: \d+", f"Content-Length: {len(body)}", rest)
                via = f"Via: SIP/2.0/UDP {HOST}:{further.getsockname()[1]};branch=z9hG4bKfar{first.split(' ')[0]}"
                further.sendto(f"{first}\r\n{via}\r\n{rest}\r\n\r\n{body}".encode(), (HOST, int(there.rpartition(":")[2])))
                if first.startswith("ACK"):
                    self.run(lambda offer=told: near.send(offer))
                    continue
                told = offer or told
                further.recvfrom(65535)
                mine.sendto(response(came.decode(), "200 OK", self.contact, near.description("") if offer else "").encode(), sender)
        at = self.udp(work)
        self.contact = f"sip:bob@{at[4:]}"
        return at

    def raw(self, protocol, payload):
        """Answers over UDP, and sends packets of that protocol of IP, which takes a network of its own."""
        sender = socket.socket(socket.AF_INET, socket.SOCK_RAW, protocol)
        self.ends.append(sender)

        def work(mine):
            request, asking = mine.recvfrom(65535)
            for _ in range(4):
                sender.sendto(payload, (HOST, 0))
            mine.sendto(response(request.decode(), "200 OK").encode(), asking)
        return self.udp(work)

    def tunnelled(self, depth):
        """Its OPTIONS come within so many packets of IP [RFC 2003]."""
        inner = b""
        for _ in range(int(depth) - 1):
            inner = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(inner), 0, 0x4000, 64, 4 if inner else 17, 0,
                                bytes((127, 0, 0, 1)), bytes((127, 0, 0, 1))) + inner
        return self.raw(4, inner)

    # ---- TCP and TLS

    def refused(self, port, transport):
        """Nobody listens there."""
        if transport == "tls":
            return f"tls:{OWN_HOST}:{port}"

        def work(mine):
            request, asking = mine.recvfrom(65535)
            with socket.socket() as client:
                client.connect_ex((OWN_HOST, int(port)))
            mine.sendto(response(request.decode(), "200 OK").encode(), asking)
        return self.udp(work)

    def calling_at_contact(self):
        """Registers a phone over UDP, and wants to call it over TCP where its Contact says."""
        def work(mine):
            request, asking = mine.recvfrom(65535)
            mine.sendto(response(request.decode(), "200 OK").encode(), asking)
            host, port = re.search(rb"^Contact: <sip:\w+@([\d.]+):(\d+)", request, re.M).groups()
            for _ in range(2):
                with socket.socket() as call:
                    call.connect_ex((host.decode(), int(port)))
        return self.udp(work)

    def calling_back(self):
        """Registers a phone, and calls it at the port from which it has connected, by another connection."""
        def work(came):
            request = came.recv(65535).decode()
            came.sendall(response(request, "200 OK").encode())
            time.sleep(0.3)
            for _ in range(2):
                with socket.socket() as call:
                    call.connect_ex(came.getpeername())
        return self.tcp(work)

    def pinging(self, answered):
        """Asks a phone of ours for a sign of life [RFC 5626 §4.4.1], which is given, or is asked for one by a phone of its own and
        gives none."""
        def client(where, first):
            with socket.create_connection(where) as mine:
                if first:
                    mine.sendall(first)
                    mine.recv(65535)
                for _ in range(2):
                    mine.sendall(b"\r\n\r\n")
                    time.sleep(6.0)

        def work(came):
            while request := came.recv(65535):
                if request == b"\r\n\r\n":
                    if answered:
                        came.sendall(b"\r\n")
                else:
                    came.sendall(response(request.decode(), "200 OK").encode())
        at = self.tcp(work)
        where = at[4:].split(":")
        options = (f"OPTIONS sip:bob@{at[4:]} SIP/2.0\r\nVia: SIP/2.0/TCP {HOST};branch=z9hG4bKping\r\nMax-Forwards: 70\r\n"
                   f"From: <sip:carol@example.com>;tag=1\r\nTo: <sip:bob@{at[4:]}>\r\nCall-ID: ping@example.com\r\n"
                   "CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n").encode()
        self.run(lambda: client((where[0], int(where[1])), options))
        return at

    def once_tcp(self):
        """Answers over TCP, and is gone then."""
        def work(came):
            came.sendall(response(came.recv(65535).decode(), "200 OK").encode())
            self.ends[0].shutdown(socket.SHUT_RDWR)  # close() alone would wait for who accepts
            self.ends[0].close()
            came.close()
        return self.tcp(work)

    def deaf_tcp(self):
        """Of what comes within 0.7 s of its first answer nothing gets to it, so that it is sent again."""
        instruction = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0))  # "return 0": let nothing through
        program = struct.pack("HL", 1, ctypes.addressof(instruction))

        def work(came):
            request = came.recv(65535)
            came.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
            came.sendall(response(request.decode(), "200 OK").encode())
            time.sleep(0.7)
            came.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)
            while request := came.recv(65535):
                came.sendall(response(request.decode(), "200 OK").encode())
        return self.tcp(work)

    def old_tls(self, version, proof=()):
        """Answers over UDP; and a phone of its own asks it over TLS of that version, at OpenSSL's lowest security level. Their secrets
        are in peer.keys. `proof`: of its certificate, see certificate()."""
        def work(secure):
            secure.write(response(secure.read(65535).decode(), "200 OK").encode())
            time.sleep(0.5)
            secure.unwrap()

        def client(where):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version = context.maximum_version = version
            context.keylog_filename = str(self.folder / "peer.keys")
            with socket.create_connection(where) as plain, context.wrap_socket(plain) as secure:
                secure.write((f"OPTIONS sip:bob@{HOST} SIP/2.0\r\nVia: SIP/2.0/TLS {HOST};branch=z9hG4bKold\r\nMax-Forwards: 70\r\n"
                              f"From: <sip:carol@example.com>;tag=1\r\nTo: <sip:bob@{HOST}>\r\nCall-ID: old@example.com\r\n"
                              "CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n").encode())
                secure.read(65535)
                secure.unwrap()
        at = self.tls(work, proof=proof, minimum_version=version, maximum_version=version)[4:].split(":")

        def answer_later(mine):
            request, asking = mine.recvfrom(65535)
            client((at[0], int(at[1])))
            mine.sendto(response(request.decode(), "200 OK").encode(), asking)
        return self.udp(answer_later)

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

    def context(self, proof=(), **settings):
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.set_ciphers("ALL:@SECLEVEL=0")
        made.load_cert_chain(*certificate(self.folder, *proof))
        for name, value in settings.items():
            setattr(made, name, value)
        return made

    def tls(self, work, delay=0.0, proof=(), **settings):
        context = self.context(proof, **settings)

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
    r"answers over UDP, and its audio (.*)": Peer.audio_udp,
    r"answers over TLS, and its audio (.*)": Peer.audio_tls,
    r"relays media to one side": Peer.half_a_relay,
    r"is behind an ALG": lambda peer: peer.middlebox(True),
    r"is behind NAT": lambda peer: peer.middlebox(False),
    r"sends packets of IPsec": lambda peer: peer.raw(50, bytes(64)),
    r"sends packets in (\d+) tunnels": Peer.tunnelled,
    r"listens no longer at port (\d+)": lambda peer, port: peer.refused(port, "tls"),
    r"is refused at port (\d+)": lambda peer, port: peer.refused(port, "tcp"),
    r"calls back at the old port": Peer.calling_back,
    r"calls over TCP at the Contact": Peer.calling_at_contact,
    r"gives no sign of life over TCP": lambda peer: peer.pinging(False),
    r"gives a sign of life over TCP": lambda peer: peer.pinging(True),
    r"answers once over TCP": Peer.once_tcp,
    r"loses what comes over TCP for a while": Peer.deaf_tcp,
    r"speaks TLS 1.0": lambda peer: peer.old_tls(ssl.TLSVersion.TLSv1),
    r"speaks TLS 1.2": lambda peer: peer.old_tls(ssl.TLSVersion.TLSv1_2),
    r"has a key of (\d+) bits": lambda peer, bits: peer.old_tls(ssl.TLSVersion.TLSv1_2, (f"rsa:{bits}",)),
    r"has a certificate by (SHA-\d+)": lambda peer, name: peer.old_tls(ssl.TLSVersion.TLSv1_2, ("rsa:2048", name.replace("-", "").lower(), True)),
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
