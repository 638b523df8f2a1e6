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

    def description(self, offer):
        port = self.told.getsockname()[1]
        secret = "a=crypto" in offer
        dtls = "UDP/TLS" in offer
        address = "192.168.77.5" if self.way == "is told a private address" else self.host
        lines = ["v=0", f"o=- 1 1 IN IP4 {address}", "s=-", f"c=IN IP4 {address}", "t=0 0",
                 f"m=audio {port} {'UDP/TLS/' if dtls else ''}RTP/{'SAVP' if secret or dtls else 'AVP'} 0"]
        if dtls:
            lines += ["a=setup:passive", f"a=fingerprint:sha-256 {':'.join(['4A'] * 32)}"]
        if self.way == "comes from another port":
            lines.append("a=sendonly")  # or our player would send there, too
        if secret:
            lines.append(f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{base64.b64encode(KEY + SALT).decode()}")
        return "".join(line + "\r\n" for line in lines)

    def packets(self, offer):
        """(packet, or None where one is lost)"""
        sent = audio(1200 if self.way == "comes in long packets" else 160)
        if "crypto" in offer:
            sent = srtp.Sender(KEY, SALT).protect(sent)
        lost = re.fullmatch(r"lacks every (\d+)th packet", self.way)
        for number, packet in enumerate(sent):
            if lost and number % int(lost[1]) == int(lost[1]) - 1:
                yield None
            elif self.way == "is altered after a second" and number >= 50:
                yield altered(packet)
            else:
                yield packet

    def send(self, offer):
        if self.way in ("does not come", "has no DTLS"):
            return
        host = re.search(r"^c=IN IP4 (\S+)", offer, re.M)[1].strip()
        port = int(re.search(r"^m=audio (\d+)", offer, re.M)[1])
        port += 10 if self.way == "goes to another port" else 0
        sender = self.other if self.way == "comes from another port" else self.told
        for packet in self.packets(offer):
            if packet:
                sender.sendto(packet, (host, port))
            time.sleep(EVERY)

    def close(self):
        self.told.close()
        self.other.close()
