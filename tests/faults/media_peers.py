"""Peers that are called and send audio of which something is wrong; see peers.py."""
import base64
import re
import socket
import struct
import time

import srtp

PACKETS, EVERY = 200, 0.02  # four seconds
KEY, SALT = bytes(range(1, 17)), bytes(range(101, 115))


def audio(length=160):
    """Silence in G.711, a packet each 20 ms."""
    return [struct.pack(">BBHII", 0x80, 0, 1000 + n, 160 * n, 0xCA11) + b"\xff" * length for n in range(PACKETS)]


def hello_of_dtls13():
    """A ClientHello that offers DTLS 1.3 and nothing older [RFC 9147 §5.3], as a datagram."""
    def sized(data, size=2):
        return len(data).to_bytes(size, "big") + data
    extensions = b"".join(struct.pack(">H", number) + sized(value) for number, value in (
        (43, b"\x02\xfe\xfc"), (10, b"\0\x02\0\x1d"), (13, b"\0\x02\x04\x03"), (14, b"\0\x02\0\x01\0"),
        (51, sized(b"\0\x1d" + sized(bytes(range(32)))))))
    body = b"\xfe\xfd" + bytes(range(32)) + b"\0\0" + sized(b"\x13\x01") + b"\x01\0" + sized(extensions)
    message = b"\x01" + len(body).to_bytes(3, "big") + b"\0\0" + bytes(3) + len(body).to_bytes(3, "big") + body
    return b"\x16\xfe\xfd" + bytes(8) + sized(message)


def altered(packet):
    return packet[:-12] + bytes([packet[-12] ^ 1]) + packet[-11:]


class Audio:
    """What is sent to whom: `way` says what is wrong with it."""

    def __init__(self, way, host):
        self.way = way
        self.told, self.other = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        for one in (self.told, self.other):
            one.bind((host, 0))
        self.host = host
        self.by_ice = way.startswith("uses ICE")  # and speaks from its candidate, not from the address in c=

    def description(self, offer):
        port = self.told.getsockname()[1]
        secret = "a=crypto" in offer
        dtls = "UDP/TLS" in offer
        address = "192.168.77.5" if self.way == "is told a private address" else self.host
        lines = ["v=0", f"o=- 1 1 IN IP4 {address}", "s=-", f"c=IN IP4 {address}", "t=0 0",
                 f"m=audio {port} {'UDP/TLS/' if dtls else ''}RTP/{'SAVP' if secret or dtls else 'AVP'} 0 101",
                 "a=rtpmap:101 telephone-event/8000"]
        if dtls:
            lines += [f"a=setup:{'active' if self.by_ice else 'passive'}", f"a=fingerprint:sha-256 {':'.join(['4A'] * 32)}"]
        if self.way == "comes from another port":
            lines.append("a=sendonly")  # or our player would send there, too
        if self.by_ice:
            lines += ["a=ice-ufrag:peer", "a=ice-pwd:0123456789012345678901", f"a=candidate:1 1 udp 2130706431 {self.host} "
                      f"{self.other.getsockname()[1]} typ host"]
        if secret:
            lines.append(f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{base64.b64encode(KEY + SALT).decode()}")
        return "".join(line + "\r\n" for line in lines)

    def keys(self, offer):
        """A key press of 100 ms as events of RFC 4733, in the place of packets of sound."""
        kind = re.search(r"^a=rtpmap:(\d+) telephone-event", offer, re.M)
        kind = int(kind[1]) if kind else 101
        if self.way == "sends keys of another type":
            kind = 96 if kind != 96 else 97
        for number in range(8):
            end = 0x80 if number >= 5 and self.way != "sends keys without an end" else 0
            yield struct.pack(">BBHII", 0x80, kind | (0x80 if number == 0 else 0), 1100 + number, 160 * 100, 0xCA11) + \
                struct.pack(">BBH", 5, end | 10, 160 * min(number + 1, 5))

    def packets(self, offer):
        """(packet, or None where one is lost)"""
        sent = audio(1200 if self.way == "comes in long packets" else 160)
        if "crypto" in offer:
            sent = srtp.Sender(KEY, SALT).protect(sent)
        lost = re.fullmatch(r"lacks every (\d+)th packet", self.way)
        for number, packet in enumerate(sent):
            if lost and number % int(lost[1]) == int(lost[1]) - 1:
                yield None
            elif self.way.startswith("sends keys") and 100 <= number < 108:
                if number == 100:
                    yield from self.keys(offer)
            elif self.way == "is altered after a second" and number >= 50:
                yield altered(packet)
            else:
                yield packet

    def send(self, offer):
        if self.way in ("does not come", "has no DTLS"):
            return
        host = re.search(r"^c=IN IP4 (\S+)", offer, re.M)[1].strip()
        port = int(re.search(r"^m=audio (\d+)", offer, re.M)[1])
        if self.by_ice:
            for _ in range(3):
                self.other.sendto(hello_of_dtls13(), (host, port))
                time.sleep(0.5)
            return
        port += 10 if self.way == "goes to another port" else 0
        sender = self.other if self.way == "comes from another port" else self.told
        for packet in self.packets(offer):
            if packet:
                sender.sendto(packet, (host, port))
            time.sleep(EVERY)

    def close(self):
        self.told.close()
        self.other.close()
