#!/usr/bin/env python3
"""Ten million subscribers, on paper and by simulation: what each shard holds and does, what crosses
between shards and machines, what the store of locations carries, how long a lost machine hurts.

    bench/scale.py [--subscribers N] [--cluster MxS]… [--check docs/scale.md]

Unit costs are those of docs/performance.md, measured; COSTS says which are not. The simulation draws
where each phone's connection ends and who calls whom, a sample of the real number, from one seed: the
table is the same each time. --check: exit 1 unless the page has this table.
"""
import argparse
import random
import statistics
import sys

# µs of CPU, kB of memory. Measured here (docs/performance.md), but for those that say otherwise.
COSTS = {
    "call": 128.0,          # a proxied TLS call, thirteen messages, at 3,000 a second
    "register": 14.7,       # over TLS, durable 10.8; digest by SHA-256 adds 36 % of instructions
    "handshake": 341.0,     # full, ECDSA P-256
    "resumed": 300.0,       # 0.88 of a full one, the ratio of another machine
    "crossing": 4.0,        # one message handed to another shard: a post and a wake-up; estimate
    "remote": 12.0,         # …to another machine: a TLS record each way and two system calls; estimate
    "keep-alive": 25.0,     # CRLF in, CRLF out, of a connection that is in no cache: what bench/hold.py's servers spent beside calls
    "connection": 13.9,     # kB, idle, TLS 1.3, resident
    "kernel": 6.0,          # kB of socket beside it (Kamailio's bench figure)
    "binding": 0.9,         # kB, an address of record with one contact; estimate
    "call state": 6.0,      # kB, two transactions while they last; estimate
}
MESSAGES = 13               # of a call that pass the proxy
REGISTERS = 2               # an hour: refreshed at half of 3,600 s
KEEP_ALIVE = 120            # seconds between two of one phone
CALLS = 2                   # begun a subscriber in the busy hour (Clearwater's anchor: 20 million of 10)
CALL_SECONDS = 32           # that transactions of one call are kept
TARGET = 0.5                # of its CPU that a shard is planned to use at most
BINDING_BYTES = 400         # of a change of location on the wire and in a log


def busy_share(subscribers):
    """Of one core, in the busy hour."""
    second = subscribers / 3600
    microseconds = second * CALLS * (COSTS["call"] + 2 * COSTS["crossing"]) + second * REGISTERS * COSTS["register"]
    microseconds += subscribers / KEEP_ALIVE * COSTS["keep-alive"]
    return microseconds / 1e6


class Simulated:
    """Where phones are, who calls whom. A subscriber's connection ends at any machine (DNS, anycast),
    on the shard that the kernel chose; a call enters where its caller is and leaves where its callee is."""

    def __init__(self, machines, shards, sample, seed=20):
        chance = random.Random(seed)
        self.machines, self.shards = machines, shards
        self.at = [(chance.randrange(machines), chance.randrange(shards)) for _ in range(sample)]
        self.per_shard = [0] * (machines * shards)
        for machine, shard in self.at:
            self.per_shard[machine * shards + shard] += 1
        self.same = self.crossing = self.remote = 0
        self.work = [0.0] * (machines * shards)
        for _ in range(sample):
            caller, callee = self.at[chance.randrange(sample)], self.at[chance.randrange(sample)]
            place = caller[0] * shards + caller[1]
            self.work[place] += COSTS["call"] * 0.6
            other = callee[0] * shards + callee[1]
            self.work[other] += COSTS["call"] * 0.4
            if caller == callee:
                self.same += 1
            elif caller[0] == callee[0]:
                self.crossing += 1
            else:
                self.remote += 1
                self.work[place] += COSTS["remote"] * MESSAGES / 2
                self.work[other] += COSTS["remote"] * MESSAGES / 2
        self.sample = sample

    def share(self, count):
        return count / self.sample

    def uneven(self):
        """The busiest shard's work, of the average."""
        return max(self.work) / statistics.mean(self.work)


def storm(lost, left_shards):
    """Phones that lost their machine come back to those that are left. Handshakes may use what the
    busy hour at its TARGET leaves below nine tenths. Seconds until all are back: with full handshakes,
    and with tickets that every machine takes."""
    free = left_shards * (0.9 - TARGET) * 1e6
    full = lost * (COSTS["handshake"] + COSTS["register"]) / free
    shared = lost * (COSTS["resumed"] + COSTS["register"]) / free
    return full, shared


def rows_of(subscribers, machines, shards, sample=200_000):
    """(what, its value) of a cluster."""
    count = machines * shards
    each = subscribers / count
    drawn = Simulated(machines, shards, min(sample, subscribers))
    second = subscribers / 3600
    memory = each * (COSTS["connection"] + COSTS["kernel"] + COSTS["binding"])
    memory += each / 3600 * CALLS * CALL_SECONDS * COSTS["call state"]
    remote = drawn.share(drawn.remote)
    busy = busy_share(each) + each / 3600 * CALLS * remote * MESSAGES * COSTS["remote"] / 1e6
    index = subscribers * COSTS["binding"] / 1e6
    changes = second * REGISTERS
    moved = changes * 0.02  # refreshes that say nothing new stay where they are
    lost = subscribers / machines
    full, shared = storm(lost, (machines - 1) * shards)
    return [
        ("shards, one a core", f"{count}"),
        ("connections a shard", f"{each:,.0f}"),
        ("memory a shard: connections, their sockets, bindings, calls", f"{memory / 1e6:.1f} GB"),
        ("calls a second, all · a shard", f"{second * CALLS:,.0f} · {second * CALLS / count:,.0f}"),
        ("REGISTERs a second, all · a shard", f"{changes:,.0f} · {changes / count:,.0f}"),
        ("keep-alives a second, a shard", f"{each / KEEP_ALIVE:,.0f}"),
        ("CPU of a shard in the busy hour", f"{100 * busy:.0f} %"),
        ("the busiest shard, of the average (simulated)", f"{drawn.uneven():.2f} ×"),
        ("calls that stay on their shard (simulated)", f"{100 * drawn.share(drawn.same):.1f} %"),
        ("…that cross to another of the machine", f"{100 * drawn.share(drawn.crossing):.1f} %"),
        ("…that go to another machine", f"{100 * remote:.1f} %"),
        ("messages between machines, a second and machine, out", f"{second * CALLS * remote * MESSAGES / machines:,.0f}"),
        ("the index of locations, all bindings in memory", f"{index:.1f} GB"),
        ("…kept by all shards of all machines", f"{index * count:,.0f} GB"),
        ("…kept once a machine", f"{index * machines:,.0f} GB"),
        ("…by owner, two copies", f"{index * 2:,.0f} GB, {index * 2 / machines:.1f} a machine"),
        ("look-ups that ask another machine, a second and machine", f"{second * CALLS * (1 - 2 / machines) / machines:,.0f}"),
        ("changes of location a second, all · that say something new", f"{changes:,.0f} · {moved:,.0f}"),
        ("log of changes, a machine, two copies", f"{changes * 2 / machines * BINDING_BYTES / 1e6:.2f} MB/s"),
        ("a machine is lost: phones to come back", f"{lost:,.0f}"),
        ("…all back after, full handshakes", f"{full:.0f} s"),
        ("…all back after, tickets that all machines know", f"{shared:.0f} s"),
    ]


def table(subscribers, clusters):
    columns = [rows_of(subscribers, machines, shards) for machines, shards in clusters]
    lines = [f"| {subscribers:,} subscribers | " + " | ".join(f"{m} machines of {s} cores" for m, s in clusters) + " |",
             "|---|" + "---|" * len(clusters)]
    for row in zip(*columns):
        lines.append(f"| {row[0][0]} | " + " | ".join(value for _, value in row) + " |")
    return "\n".join(lines)


def main():
    reader = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    reader.add_argument("--subscribers", type=int, default=10_000_000)
    reader.add_argument("--cluster", action="append", metavar="MACHINESxCORES", help="4x8, 8x8 and 16x8 unless said")
    reader.add_argument("--check", metavar="PAGE")
    options = reader.parse_args()
    clusters = [tuple(int(part) for part in one.split("x")) for one in options.cluster or ["4x8", "8x8", "16x8"]]
    text = table(options.subscribers, clusters)
    print(text)
    if options.check:
        with open(options.check, encoding="utf-8") as page:
            if text not in page.read():
                print(f"scale: {options.check} has another table: put this one into it", file=sys.stderr)
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
