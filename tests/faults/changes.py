"""What a line `%% Capture: …` of a flow does to the capture of its run, where it cannot be made by capturing. Each takes the capture's
items (see capture_file) and returns others.

"responses one second early": two machines whose clocks differ were captured, and one machine has one clock for all its packets.
"with a packet five seconds later": somebody else's packet, so that the capture goes on after the flow has failed."""
import dataclasses

from capture_file import Packet, is_secrets, packet

SECOND = 1_000_000_000


def packets_of(items):
    return [item for item in items if isinstance(item, Packet)]


def answer_first(items):
    """Each response one second earlier, as by the clock of another machine."""
    return in_order([dataclasses.replace(item, time=item.time - SECOND)
                     if isinstance(item, Packet) and item.payload.startswith(b"SIP/2.0 ") else item for item in items])


def without_secrets(items):
    return [item for item in items if not is_secrets(item)]


def with_later_packet(items, seconds):
    """The capture goes on for so long: a keep-alive of somebody else."""
    last = packets_of(items)[-1]
    ends = (bytes((127, 0, 0, 1)), 40020), (bytes((127, 0, 0, 1)), 40021)
    return items + [packet(last.time + seconds * SECOND, *ends, b"\0")]


def in_order(items):
    """Blocks first, as they were; then packets by time."""
    blocks = [item for item in items if not isinstance(item, Packet)]
    return blocks + sorted(packets_of(items), key=lambda p: p.time)


CHANGES = {
    "without secrets": without_secrets,
    "responses one second early": answer_first,
    "with a packet five seconds later": lambda items: with_later_packet(items, 5),
}
