"""Packets of a capture agent, HEP 3, and short messages for them."""
import socket
import struct
import time


def hep3(text, source, destination):
    """A packet of HEP 3 with a message that went from port `source` to port `destination` on loopback."""
    def chunk(kind, value):
        return struct.pack("!HHH", 0, kind, 6 + len(value)) + value

    now = time.time()
    home = socket.inet_aton("127.0.0.1")
    body = b"".join((
        chunk(1, b"\x02"), chunk(2, b"\x11"), chunk(3, home), chunk(4, home), chunk(7, struct.pack("!H", source)),
        chunk(8, struct.pack("!H", destination)), chunk(9, struct.pack("!I", int(now))),
        chunk(10, struct.pack("!I", int(now % 1 * 1e6))), chunk(11, b"\x01"), chunk(12, struct.pack("!I", 7)),
        chunk(15, text.encode())))
    return b"HEP3" + struct.pack("!H", 6 + len(body)) + body


def message(first, call, cseq):
    tag = ";tag=2" if first.startswith("SIP") else ""
    return (f"{first}\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK{call}\r\nFrom: <sip:alice@example.com>;tag=1\r\n"
            f"To: <sip:bob@example.com>{tag}\r\nCall-ID: {call}\r\nCSeq: {cseq}\r\nContent-Length: 0\r\n\r\n")
