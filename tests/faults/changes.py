"""What a line `%% Capture: …` of a flow does to the capture of its run: for faults of the capture itself, and for those that
loopback cannot have. Each takes the capture's items (see capture_file) and returns others."""
import dataclasses
import pathlib
import re
import ssl
import struct
import tempfile
import warnings

from capture_file import ESP, SECRETS, TCP, Packet, block, checksum, is_secrets, packet
from peers import certificate, response

warnings.filterwarnings("ignore", "ssl.TLSVersion.TLSv1 is deprecated")

SECOND = 1_000_000_000


def packets_of(items):
    return [item for item in items if isinstance(item, Packet)]


def without_responses(items):
    return [item for item in items if not (isinstance(item, Packet) and item.payload.startswith(b"SIP/2.0 "))]


def without_a_segment(items):
    """The third that carries anything."""
    third = [p for p in packets_of(items) if p.protocol == TCP and p.payload][2]
    return [item for item in items if item is not third]


def with_a_segment_twice(items):
    """The third that carries anything, the second time 200 ms later, as if its acknowledgement had been lost."""
    third = [p for p in packets_of(items) if p.protocol == TCP and p.payload][2]
    later = dataclasses.replace(third, time=third.time + SECOND // 5)
    return in_order(items + [later])


def fragments(items, keep_last):
    """The first SIP packet comes as two fragments, and perhaps the second is missing."""
    out = []
    done = False
    for item in items:
        if done or not isinstance(item, Packet) or not item.is_sip:
            out.append(item)
            continue
        done = True
        body = item.bytes[20:]
        cut = len(body) // 2 // 8 * 8
        for offset, part in ((0, body[:cut]), (cut, body[cut:])):
            head = bytearray(item.bytes[:20])
            head[2:4] = (20 + len(part)).to_bytes(2, "big")
            head[4:6] = b"\x12\x34"
            head[6:8] = ((0x2000 if offset == 0 else 0) | offset // 8).to_bytes(2, "big")
            if offset == 0 or keep_last:
                out.append(Packet(item.time, bytes(head) + part))
    return out


def everything_twice(items):
    """As two interfaces of one machine see it, a moment apart."""
    out = []
    for item in items:
        out.append(item)
        if isinstance(item, Packet):
            out.append(dataclasses.replace(item, time=item.time + 3_000))
    return out


def cut(items, size, what):
    """Not more than so many bytes of each packet."""
    return [dataclasses.replace(item, bytes=item.bytes[:size], size=item.size or len(item.bytes))
            if isinstance(item, Packet) and what(item) else item for item in items]


def answer_first(items):
    """Each response one second earlier, as by the clock of another machine."""
    return in_order([dataclasses.replace(item, time=item.time - SECOND)
                     if isinstance(item, Packet) and item.payload.startswith(b"SIP/2.0 ") else item for item in items])


def without_handshake(items):
    """The capture begins in the middle of the connection: with the eighth packet that carries anything."""
    eighth = [p for p in packets_of(items) if p.protocol == TCP and p.payload][7]
    return [item for item in items if not isinstance(item, Packet) or item.time >= eighth.time]


def without_secrets(items):
    return [item for item in items if not is_secrets(item)]


def with_esp(items):
    """Packets of IPsec between the others."""
    first = packets_of(items)[0]
    source, destination = first.ends
    return items + [packet(first.time + n, source, destination, bytes(64), protocol=ESP) for n in range(4)]


def without_rtp(items, every):
    """Every so many packets of each stream are missing."""
    seen = {}
    out = []
    for item in items:
        if isinstance(item, Packet) and item.is_rtp:
            seen[item.ends] = seen.get(item.ends, 0) + 1
            if seen[item.ends] % every == 0:
                continue
        out.append(item)
    return out


def altered_rtp(items, after):
    """Of the first stream a bit of each packet after so many."""
    first = next(p for p in packets_of(items) if p.is_rtp).ends
    out = []
    for item in items:
        if isinstance(item, Packet) and item.is_rtp and item.ends == first:
            after -= 1
            if after < 0:
                item = dataclasses.replace(item, bytes=item.bytes[:-12] + bytes([item.bytes[-12] ^ 1]) + item.bytes[-11:])
        out.append(item)
    return out


def without_stream(items):
    """The first one: one direction of the first conversation."""
    first = next(p for p in packets_of(items) if p.is_rtp).ends
    return [item for item in items if not (isinstance(item, Packet) and item.is_rtp and item.ends == first)]


def without_other_streams(items):
    """Those of the first two ends stay."""
    ends = set(next(p for p in packets_of(items) if p.is_rtp).ends)
    return [item for item in items if not (isinstance(item, Packet) and item.is_rtp and set(item.ends) != ends)]


def with_tls(items, version):
    """A request and its answer over a connection of that version, made by OpenSSL at its lowest security level; with its secrets."""
    with tempfile.TemporaryDirectory() as folder:
        there = pathlib.Path(folder)
        sides, pipes = [], []
        for server in (False, True):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version = context.maximum_version = version
            if server:
                context.load_cert_chain(*certificate(there))
                context.keylog_filename = str(there / "keys")
            pipes.append((ssl.MemoryBIO(), ssl.MemoryBIO()))
            sides.append(context.wrap_bio(*pipes[-1], server_side=server))
        ends = [(bytes((127, 0, 0, 1)), port) for port in (40010, 5061)]
        time = packets_of(items)[-1].time + 10 * SECOND  # the certificate is made now
        sequence = [1001, 5001]
        out = [packet(time, ends[0], ends[1], b"", TCP, 2, 1000), packet(time + 1000, ends[1], ends[0], b"", TCP, 18, 5000, 1001)]

        def carry():
            for side in (0, 1):
                if data := pipes[side][1].read():
                    out.append(packet(time + 2000 * len(out), ends[side], ends[1 - side], data, TCP, 24, sequence[side],
                                      sequence[1 - side]))
                    sequence[side] += len(data)
                    pipes[1 - side][0].write(data)
        for _ in range(8):
            for side in sides:
                try:
                    side.do_handshake()
                except ssl.SSLWantReadError:
                    pass
                carry()
        request = ("OPTIONS sip:server.example.com SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1:5061;branch=z9hG4bKold\r\n"
                   "From: <sip:alice@example.com>;tag=1\r\nTo: <sip:server.example.com>\r\nCall-ID: old@example.com\r\n"
                   "CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n")
        for side, text in ((0, request), (1, response(request, "200 OK"))):
            sides[side].write(text.encode())
            carry()
            sides[1 - side].read()
        secrets = (there / "keys").read_bytes()
    lines = struct.pack("<II", 0x544C534B, len(secrets)) + secrets + bytes(-len(secrets) % 4)
    return in_order(items + [block(SECRETS, lines)] + out)


def public(items):
    """Each port of the loopback address 127.0.0.1 gets an address of its own in 203.0.1.0/24 [RFC 5737 has 203.0.113.0/24, which is
    longer than the text that it stands for]. In the headers of IP and in the text of SIP over UDP."""
    hosts = {}
    for one in packets_of(items):
        if one.is_sip:
            for end in one.ends:
                hosts.setdefault(end[1], len(hosts) + 1)
    text = {f"127.0.0.1:{port}".encode(): f"203.0.1.{n}:{port}".encode() for port, n in hosts.items()}
    out = []
    for item in items:
        if isinstance(item, Packet) and item.is_sip:
            head = bytearray(item.bytes)
            for at, end in zip((12, 16), item.ends):
                head[at:at + 4] = bytes((203, 0, 1, hosts[end[1]]))
            payload = item.payload
            for old, new in text.items():
                payload = re.sub(re.escape(old) + rb"(?!\d)", new, payload)
            item = Packet(item.time, bytes(head[:item.header]) + payload)
        out.append(item)
    return out


def behind_alg(items, rewrites=True):
    """Each packet of SIP once more, as a second capture point has it, behind a router; perhaps it wrote its own address into
    Contact."""
    inside = next(one for one in packets_of(items) if one.is_sip).ends[0]
    out = []
    for item in items:
        out.append(item)
        if isinstance(item, Packet) and item.is_sip:
            head = bytearray(item.bytes[:item.header])
            mine = 12 if item.ends[0] == inside else 16
            head[mine:mine + 4] = bytes((203, 0, 113, 77))
            payload = item.payload if not rewrites else re.sub(rb"(Contact: [^\r]*@)127\.0\.0\.1", rb"\g<1>203.0.113.77", item.payload)
            out.append(Packet(item.time + SECOND // 500, bytes(head) + item.payload, interface=item.interface).with_payload(payload))
    return out


def with_refused(items, port):
    """Two attempts to connect, each answered by RST; without a port, to that from which the first packet came."""
    first = packets_of(items)[0]
    (host, own), (server, _) = first.ends
    if port is None:
        port, host, server = own, server, host
    first = packets_of(items)[-1]
    for n in range(2):
        client = (host, 40000 + n)
        items = items + [packet(first.time + n * SECOND, client, (server, port), b"", TCP, flags=2, sequence=100),
                         packet(first.time + n * SECOND + 1000, (server, port), client, b"", TCP, flags=20, acknowledged=101)]
    return in_order(items)


def with_ping(items, answered):
    """The client of the connection asks for a sign of life [RFC 5626 §4.4.1], and goes on asking for it after 20 seconds."""
    stream = [p for p in packets_of(items) if p.protocol == TCP]
    syn = next(p for p in stream if p.bytes[33] == 2)
    client, server = syn.ends

    def next_of(end):
        last = [p for p in stream if p.ends[0] == end and p.payload][-1]
        return int.from_bytes(last.bytes[24:28], "big") + len(last.payload)
    mine, other = next_of(client), next_of(server)
    kept = [item for item in items if not (isinstance(item, Packet) and item.protocol == TCP and item.bytes[33] & 1)]
    end = max(p.time for p in packets_of(items))
    for n in range(2):
        at = end + (1 + 20 * n) * SECOND
        kept.append(packet(at, client, server, b"\r\n\r\n", TCP, flags=24, sequence=mine, acknowledged=other))
        mine += 4
        if answered:
            kept.append(packet(at + 1_000_000, server, client, b"\r\n", TCP, flags=24, sequence=other, acknowledged=mine))
            other += 2
    return kept


def rtp_elsewhere(items, source):
    """The stream of the side that comes first goes to another port, or comes from one."""
    begin = next(p for p in packets_of(items) if p.is_rtp).ends
    out = []
    for item in items:
        if isinstance(item, Packet) and item.is_rtp and item.ends == begin:
            head = bytearray(item.bytes)
            at = 20 if source else 22
            head[at:at + 2] = (int.from_bytes(head[at:at + 2], "big") + 1000).to_bytes(2, "big")
            item = dataclasses.replace(item, bytes=bytes(head))
        out.append(item)
    return out


def with_later_packet(items, seconds):
    """The capture goes on for so long: a keep-alive of somebody else."""
    last = packets_of(items)[-1]
    ends = (bytes((127, 0, 0, 1)), 40020), (bytes((127, 0, 0, 1)), 40021)
    return items + [packet(last.time + seconds * SECOND, *ends, b"\0")]


def in_tunnels(items, depth):
    """Each packet within so many others [RFC 2003]."""
    out = []
    for item in items:
        if isinstance(item, Packet):
            whole = item.bytes
            for _ in range(depth):
                head = bytearray(struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(whole), 0, 0x4000, 64, 4, 0)) + whole[12:20]
                head[10:12] = struct.pack(">H", checksum(head))
                whole = bytes(head) + whole
            item = dataclasses.replace(item, bytes=whole, size=0)
        out.append(item)
    return out


def in_order(items):
    """Blocks first, as they were; then packets by time."""
    blocks = [item for item in items if not isinstance(item, Packet)]
    return blocks + sorted(packets_of(items), key=lambda p: p.time)


CHANGES = {
    "without responses": without_responses,
    "without a segment": without_a_segment,
    "with a segment twice": with_a_segment_twice,
    "in fragments": lambda items: fragments(items, True),
    "in fragments, one missing": lambda items: fragments(items, False),
    "everything twice": everything_twice,
    "SIP cut at 300 bytes": lambda items: cut(items, 300, lambda p: p.is_sip),
    "RTP cut at 60 bytes": lambda items: cut(items, 60, lambda p: p.is_rtp),
    "responses one second early": answer_first,
    "without handshake": without_handshake,
    "without secrets": without_secrets,
    "with packets of IPsec": with_esp,
    "without every 20th packet of RTP": lambda items: without_rtp(items, 20),
    "without every 150th packet of RTP": lambda items: without_rtp(items, 150),
    "RTP altered after 50 packets": lambda items: altered_rtp(items, 50),
    "without RTP one way": without_stream,
    "without RTP on the second leg": without_other_streams,
    "with a connection by TLS 1.0": lambda items: with_tls(items, ssl.TLSVersion.TLSv1),
    "with a connection by TLS 1.2": lambda items: with_tls(items, ssl.TLSVersion.TLSv1_2),
    "behind NAT": lambda items: behind_alg(items, rewrites=False),
    "at public addresses": public,
    "behind an ALG": behind_alg,
    "with a refused connection to 5061": lambda items: with_refused(items, 5061),
    "with a refused connection to 443": lambda items: with_refused(items, 443),
    "with a refused connection to the client": lambda items: with_refused(items, None),
    "with a packet five seconds later": lambda items: with_later_packet(items, 5),
    "in forty tunnels": lambda items: in_tunnels(items, 40),
    "in three tunnels": lambda items: in_tunnels(items, 3),
    "with a ping, no pong": lambda items: with_ping(items, False),
    "with a ping and a pong": lambda items: with_ping(items, True),
    "RTP to another port": lambda items: rtp_elsewhere(items, False),
    "RTP from another port": lambda items: rtp_elsewhere(items, True),
}
