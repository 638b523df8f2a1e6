"""A capture that `callwright run --pcap-out` wrote, taken apart: its packets are raw IPv4, one of TCP or UDP each, and their times
count in nanoseconds. What is changed is packets; all other blocks stay as they were."""
import dataclasses
import struct

SECTION, INTERFACE, PACKET, SECRETS = 0x0A0D0D0A, 1, 6, 10
TCP, UDP, ESP = 6, 17, 50
RAW_IP = 101


@dataclasses.dataclass
class Packet:
    time: int   # ns
    bytes: bytes
    size: int = 0       # on the wire; 0: as many as are there
    interface: int = 0

    @property
    def protocol(self):
        return self.bytes[9]

    @property
    def header(self):
        """Of IP and TCP or UDP, in bytes."""
        begin = (self.bytes[0] & 15) * 4
        return begin + (8 if self.protocol == UDP else (self.bytes[begin + 12] >> 4) * 4)

    @property
    def payload(self):
        return self.bytes[self.header:]

    @property
    def ends(self):
        """((address, port), (address, port))"""
        begin = (self.bytes[0] & 15) * 4
        ports = struct.unpack(">HH", self.bytes[begin:begin + 4])
        return (self.bytes[12:16], ports[0]), (self.bytes[16:20], ports[1])

    @property
    def is_sip(self):
        return self.protocol == UDP and (self.payload.startswith(b"SIP/2.0 ") or b" SIP/2.0\r\n" in self.payload[:400])

    @property
    def is_rtp(self):
        return self.protocol == UDP and not self.is_sip and self.payload[:1] == b"\x80" and 0 <= self.payload[1] & 0x7f < 64

    def with_payload(self, payload):
        """The same with another payload; UDP only."""
        begin = (self.bytes[0] & 15) * 4
        head = bytearray(self.bytes[:self.header])
        head[2:4] = struct.pack(">H", len(head) + len(payload))
        head[begin + 4:begin + 8] = struct.pack(">HH", 8 + len(payload), 0)
        head[10:12] = b"\0\0"
        head[10:12] = struct.pack(">H", checksum(head[:begin]))
        return dataclasses.replace(self, bytes=bytes(head) + payload, size=0)


def checksum(header):
    total = sum(struct.unpack(f">{len(header) // 2}H", header))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def packet(time, source, destination, payload, protocol=UDP, flags=0, sequence=0, acknowledged=0):
    """`source` and `destination`: (address as four bytes, port). `flags` of TCP: 1 FIN, 2 SYN, 4 RST, 16 ACK."""
    ports = struct.pack(">HH", source[1], destination[1])
    if protocol == UDP:
        ports += struct.pack(">HH", 8 + len(payload), 0)
    else:
        ports += struct.pack(">IIBBHHH", sequence, acknowledged, 0x50, flags, 0xffff, 0, 0)
    head = bytearray(struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(ports) + len(payload), 0, 0x4000, 64, protocol, 0))
    head += source[0] + destination[0]
    head[10:12] = struct.pack(">H", checksum(head))
    return Packet(time, bytes(head) + ports + payload)


def read(path):
    """Blocks as bytes, and packets, in their order."""
    data = path.read_bytes()
    items = []
    at = 0
    while at + 12 <= len(data):
        kind, length = struct.unpack_from("<II", data, at)
        body = data[at + 8:at + length - 4]
        if kind == PACKET:
            interface, high, low, captured, size = struct.unpack_from("<IIIII", body)
            items.append(Packet((high << 32) + low, body[20:20 + captured], size, interface))
        else:
            items.append(data[at:at + length])
        at += length
    return items


def write(path, items):
    out = bytearray()
    for item in items:
        if isinstance(item, Packet):
            padded = item.bytes + bytes(-len(item.bytes) % 4)
            body = struct.pack("<IIIII", item.interface, item.time >> 32, item.time & 0xffffffff, len(item.bytes),
                               item.size or len(item.bytes)) + padded
            item = block(PACKET, body)
        out += item
    path.write_bytes(out)


def block(kind, body):
    return struct.pack("<II", kind, 12 + len(body)) + body + struct.pack("<I", 12 + len(body))


def is_secrets(item):
    return isinstance(item, bytes) and struct.unpack_from("<I", item)[0] == SECRETS
