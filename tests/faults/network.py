"""A network of a test's own: a namespace in which nobody else sends, with addresses that loopback has not and a capture by dumpcap.
What stands beneath `sequenceDiagram` as `%% Capture: dumpcap …` happens there, so that a capture lacks what real ones lack for the
same reason: the options with which it was taken."""
import os
import pathlib
import queue
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time

LAST = b"the end of what is captured"
LAST_PORT = 9  # discard; the filter of each capture lets it through
PATIENCE = 60  # seconds; for what takes a moment


def why_not():
    """Why there can be no such network here; empty when there can."""
    for program in ("unshare", "ip", "dumpcap", "mergecap"):
        if not shutil.which(program):
            return f"{program} is not installed"
    tried = subprocess.run(command("ip", "link", "set", "lo", "up"), capture_output=True, text=True, check=False)
    return "" if tried.returncode == 0 else f"no network namespace: {tried.stderr.strip()}"


def command(*words):
    """What runs them within a network of their own. What they leave running ends with them."""
    return ["unshare", "-rn", "--pid", "--fork", "--kill-child", *map(str, words)]


def set_up(addresses, mtu):
    subprocess.run(["ip", "link", "set", "lo", "up", *(["mtu", mtu] if mtu else [])], check=True)
    for address in addresses:
        subprocess.run(["ip", "addr", "add", f"{address}/32", "dev", "lo"], check=True)


class Dumpcap:
    """From its construction on, it captures. `words`: the options of dumpcap."""

    def __init__(self, words, path):
        self.path = path
        words = shlex.split(words)
        if "-i" not in words:
            words = ["-i", "lo", *words]
        if "-f" in words:
            at = words.index("-f") + 1
            words[at] = f"({words[at]}) or udp port {LAST_PORT}"
        self.process = subprocess.Popen(["dumpcap", "-q", *words, "-w", path], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, text=True)
        self.lines = queue.Queue()
        threading.Thread(target=self.listen, daemon=True).start()
        self.begun()

    def listen(self):
        for line in self.process.stderr:
            self.lines.put(line)
        self.lines.put("")

    def begun(self):
        """"File:" stands there when all sockets are open."""
        said = ""
        while not said.startswith("File:"):
            said = self.lines.get(timeout=PATIENCE)
            if not said:
                raise OSError("dumpcap did not begin")

    def files(self):
        """In the order in which they were begun; dumpcap numbers those of a ring."""
        return [self.path] if self.path.exists() else sorted(self.path.parent.glob(f"{self.path.stem}_*{self.path.suffix}"))

    def end(self):
        """Waits until a packet that is sent now is in the file, and all before it."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mine:
            until = time.monotonic() + PATIENCE
            while not any(LAST in file.read_bytes() for file in self.files()) and time.monotonic() < until:
                mine.sendto(LAST, ("127.0.0.1", LAST_PORT))
                time.sleep(0.2)
        os.kill(self.process.pid, signal.SIGINT)
        self.process.wait(timeout=PATIENCE)
        return self.files()


class Witness:
    """The capture of another machine, by its own clock: a program that listens, and writes down each packet when it has it, as agents
    do that send HEP. Its clock is `clock` seconds off; `sees`: the answers or
    the requests."""
    RAW_IP = 101

    def __init__(self, clock, sees, path):
        self.clock, self.sees, self.path = float(clock), sees, path
        self.listening = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
        self.listening.bind(("lo", 0))
        self.file = path.open("wb")
        self.file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, self.RAW_IP))
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            packet, where = self.listening.recvfrom(65535)
            if where[2] == socket.PACKET_OUTGOING or packet[9] != socket.IPPROTO_UDP:
                continue  # loopback shows each packet twice: as it goes, and as it comes
            payload = packet[(packet[0] & 15) * 4 + 8:]
            if payload == LAST:
                self.file.close()
                return
            if payload.startswith(b"SIP/2.0 ") == (self.sees == "answers"):
                now = time.time() + self.clock
                self.file.write(struct.pack("<IIII", int(now), int(now % 1 * 1e6), len(packet), len(packet)) + packet)

    def end(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mine:
            until = time.monotonic() + PATIENCE
            while not self.file.closed and time.monotonic() < until:
                mine.sendto(LAST, ("127.0.0.1", LAST_PORT))
                time.sleep(0.2)
        return [self.path]


def start(words, path):
    """What a line `%% Capture: …` says."""
    kind, _, rest = words.partition(" ")
    return Witness(*rest.split(), path) if kind == "witness" else Dumpcap(rest, path)


def all_but_the_first(folder, captures):
    return captures[0][1:]


def cut_off(folder, captures):
    """As it is when the disk was full: a file ends in the middle of a packet, that of the second message."""
    whole = captures[0][0].read_bytes()
    second = whole.find(b"SIP/2.0 ", whole.find(b"CSeq:"))
    cut = folder / "cut.pcapng"
    cut.write_bytes(whole[:second + 100])
    return [cut]


def put_together(folder, captures, *options):
    joined = folder / "joined.pcapng"
    subprocess.run(["mergecap", *options, "-w", joined, *(file for files in captures for file in files)], check=True)
    return [joined]


# What `%% Files: …` says of the files that were captured. Without it they are read as they are.
FILES = {
    "": lambda folder, captures: [file for files in captures for file in files],
    "all but the first": all_but_the_first,
    "cut off": cut_off,
    "put one behind the other": lambda folder, captures: put_together(folder, captures, "-a"),
    "merged": put_together,
}
