#!/usr/bin/env python3
"""A day of calls in some minutes through `callwright watch --web`, and whether anything is lost, memory stays flat, and a page
that looks on is told no more when there were many calls than when there were few:

    tests/interop/day.py --calls 86400 --seconds 240 --program build/release/callwright

Capture agents send HEP over TCP, so that nobody but the watcher can lose anything; each call is six messages. Not part of
./callwright test. Exit status 1 when it was not so."""
import argparse
import base64
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

from harness import free_port, wait_for
from hep import hep3, message

GROWTH = 1.05  # what the last quarter may be above an earlier one: memory, and octets of an update
PATIENCE = 60


class Page:
    """A page that looks on: logs in, opens the WebSocket, and counts what it is told."""

    def __init__(self, address):
        host, port, self.token = re.search(r"http://([^:]+):(\d+)/#token=(\S+)", address).groups()
        self.at, self.origin = (host, int(port)), f"http://{host}:{port}"
        head = self.ask(f"POST /login HTTP/1.1\r\nContent-Length: {len(self.token)}", self.token)
        cookie = re.search(rb"Set-Cookie: ([^;]+)", head)[1].decode()
        self.link = self.send(f"GET /live HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                              f"Sec-WebSocket-Protocol: callwright\r\nSec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\n"
                              f"Cookie: {cookie}")
        self.data = b""
        while b"\r\n\r\n" not in self.data:
            self.data += self.link.recv(65536)
        if b" 101 " not in self.data.split(b"\r\n")[0]:
            raise RuntimeError(self.data.decode())
        self.data = self.data.partition(b"\r\n\r\n")[2]
        mask = os.urandom(4)
        self.link.sendall(b"\x81" + bytes([0x80 | 4]) + mask + bytes(a ^ b for a, b in zip(b"rows", mask)))
        self.updates, self.lost, self.began = [], 0, time.monotonic()
        threading.Thread(target=self.look, daemon=True).start()

    def send(self, head, body=""):
        link = socket.create_connection(self.at, PATIENCE)
        link.sendall(f"{head}\r\nHost: {self.at[0]}:{self.at[1]}\r\nOrigin: {self.origin}\r\n\r\n{body}".encode())
        return link

    def ask(self, head, body=""):
        with self.send(head, body) as link:
            answer = b""
            while piece := link.recv(65536):
                answer += piece
            return answer

    def take(self, size):
        while len(self.data) < size:
            piece = self.link.recv(1 << 20)
            if not piece:
                raise ConnectionError
            self.data += piece
        out, self.data = self.data[:size], self.data[size:]
        return out

    def look(self):
        self.link.settimeout(None)
        try:
            while True:
                first, size = self.take(2)
                size = struct.unpack("!H", self.take(2))[0] if size == 126 else struct.unpack("!Q", self.take(8))[0] if size == 127 else size
                text = self.take(size)
                if first & 15 == 1 and self.began:
                    told = json.loads(text)
                    rows = len(told["rows"])
                    self.lost = max(self.lost, told["state"]["lost"])
                    if rows > 0 and "about" not in told:  # the first one has what was there before
                        self.updates.append((time.monotonic() - self.began, size / rows))
        except (ConnectionError, OSError):
            pass


def call(number):
    """Six messages of a call, each with the ports that it goes from and to."""
    name = f"day{number}"
    for first, cseq in (("INVITE sip:bob@example.com SIP/2.0", "1 INVITE"), ("SIP/2.0 180 Ringing", "1 INVITE"),
                        ("SIP/2.0 486 Busy Here" if number % 7 == 0 else "SIP/2.0 200 OK", "1 INVITE"),
                        ("ACK sip:bob@example.com SIP/2.0", "1 ACK"), ("BYE sip:bob@example.com SIP/2.0", "2 BYE"),
                        ("SIP/2.0 200 OK", "2 BYE")):
        ends = (5070, 5060) if first.startswith("SIP") else (5060, 5070)
        yield hep3(message(first, f"{name}@example.com", cseq).replace("sip:alice@", f"sip:user{number % 1000}@"), *ends)


def memory_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1])


def quarter(samples, number):
    """The mean of what was sampled in it; samples are (time, value)."""
    whole = samples[-1][0]
    values = [value for at, value in samples if whole * number / 4 <= at <= whole * (number + 1) / 4]
    return sum(values) / len(values)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=86_400)
    parser.add_argument("--seconds", type=float, default=240)
    parser.add_argument("--keep", default="20000", help="calls that the page keeps: memory grows until it has so many")
    parser.add_argument("--program", default="build/release/callwright")
    options = parser.parse_args()
    folder = tempfile.mkdtemp()
    port = free_port()
    with open(os.path.join(folder, "log"), "w", encoding="utf-8") as log, \
            open(os.path.join(folder, "out"), "w", encoding="utf-8") as out:
        watcher = subprocess.Popen([options.program, "watch", "--hep", f"127.0.0.1:{port}", "--web", ":0", "--web-http", "--keep",
                                    options.keep, "--format", "list", "--store", os.path.join(folder, "day.db")], stdout=out, stderr=log)

    def said():
        with open(os.path.join(folder, "log"), encoding="utf-8") as log:
            return log.read()

    wait_for("the watcher watches", lambda: "watching" in said(), seconds=PATIENCE)
    page = Page(re.search(r"http://\S+", said())[0])
    agent = socket.create_connection(("127.0.0.1", port), PATIENCE)
    agent.settimeout(PATIENCE)
    began, memory = time.monotonic(), []
    for number in range(options.calls):
        agent.sendall(b"".join(call(number)))
        passed = time.monotonic() - began
        if not memory or passed - memory[-1][0] >= 1:
            memory.append((passed, memory_of(watcher.pid)))
            if len(memory) % 20 == 1:
                print(f"{passed:6.0f} s  {number:>8} calls  {memory[-1][1] / 1024:7.1f} MB", flush=True)
        time.sleep(max(0, began + options.seconds * number / options.calls - time.monotonic()))
    took = time.monotonic() - began
    agent.close()
    time.sleep(2)
    watcher.send_signal(signal.SIGINT)
    watcher.wait(PATIENCE * 5)
    with open(os.path.join(folder, "out"), encoding="utf-8") as out:
        sums = [line for line in out if "SIP messages" in line][-1].strip()
    counted = [int(figure.replace(",", "")) for figure in re.findall(r"([\d,]+) (?:calls|SIP messages)", sums)]
    grew = quarter(memory, 3) / quarter(memory, 2)
    dearer = quarter(page.updates, 3) / quarter(page.updates, 0)
    print(f"{options.calls} calls in {took:.0f} s; {sums}")
    print(f"memory: third quarter {quarter(memory, 2) / 1024:.1f} MB, last {quarter(memory, 3) / 1024:.1f} MB: × {grew:.3f}")
    print(f"page: {len(page.updates)} updates, octets a changed row: first quarter {quarter(page.updates, 0):.0f}, "
          f"last {quarter(page.updates, 3):.0f}: × {dearer:.3f}; packets lost: {page.lost}")
    good = counted == [options.calls, 6 * options.calls] and grew < GROWTH and dearer < GROWTH and page.lost == 0
    print("flat, and nothing is lost" if good else "NOT SO")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
