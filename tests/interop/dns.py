"""A name server on loopback for phones and proxies that look names up by themselves: what it is told,
and an empty answer for the rest."""
import socket
import struct
import threading

A, SRV = 1, 33


def _name(text):
    return b"".join(bytes([len(part)]) + part.encode("ascii") for part in text.split(".") if part) + b"\0"


def _question(query):
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode("ascii").lower())
        at += 1 + query[at]
    return ".".join(labels), struct.unpack_from("!H", query, at + 1)[0], at + 5


class NameServer:
    """`addresses`: name → IPv4 address; `services`: "_sips._tcp.example.test" → (target, port)."""

    def __init__(self, port, addresses, services=None):
        self.addresses, self.services, self.asked, self.name = addresses, services or {}, [], "name server"
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", port))
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while True:
            query, client = self.socket.recvfrom(4096)
            if len(query) < 17:
                return
            name, kind, end = _question(query)
            self.asked.append((name, kind))
            answers = self._answers(name, kind)
            known = answers or name in self.addresses or name in self.services
            head = query[:2] + struct.pack("!HHHHH", 0x8580 if known else 0x8583, 1, len(answers), 0, 0)
            self.socket.sendto(head + query[12:end] + b"".join(answers), client)

    def _answers(self, name, kind):
        data = None
        if kind == A and name in self.addresses:
            data = socket.inet_aton(self.addresses[name])
        if kind == SRV and name in self.services:
            target, port = self.services[name]
            data = struct.pack("!HHH", 0, 0, port) + _name(target)
        return [_name(name) + struct.pack("!HHIH", kind, 1, 60, len(data)) + data] if data else []

    def log(self):
        return "\n".join(f"asked for {name} type {kind}" for name, kind in self.asked)

    def stop(self):
        """A datagram too short to be a question ends it."""
        self.socket.sendto(b"", self.socket.getsockname())
        self.thread.join(2)
        self.socket.close()
