#!/usr/bin/env python3
"""SIPp's scenarios against SIPp: each is performed by `callwright run` and by SIPp itself, with the
same other end, a scenario made from it and performed by SIPp. The other end notes what it received;
both runs must have come to the same end, and said the same. Prints a table.

    tests/interop/sipp_scenarios.py FILE… [--transport udp,tcp] [--sample N] [--seed N] [--jobs N]

performs: as SIPp does, to the end at both ends, or to the same message where SIPp ends too · differs:
with what · cannot: with its line · alone: Debian's SIPp does not begin, for
what it cannot read or lacks. Where an optional message leads elsewhere, that way is taken too.
Loopback, one call each; long pauses are shortened for both. Pairs of 3PCC are joined.
"""
import argparse
import collections
import concurrent.futures
import os
import random
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading

from sipp_compare import difference, plain, received
from sipp_mirror import Mirror, bounded, branches, commands_of, credentials_of

PROGRAM = os.path.abspath(os.environ.get("CALLWRIGHT", "build/dev/callwright"))
LIMIT = 20  # seconds for one end
PATIENCE = 4  # …and for one message
SEED = 424242


class Ports:
    """Ports that nobody else of this run has; media has those behind it."""
    lock = threading.Lock()
    at = 20000 + os.getpid() % 100 * 200

    @classmethod
    def take(cls):
        with cls.lock:
            while True:
                cls.at = cls.at + 10 if cls.at < 32000 else 12000
                try:
                    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                        with socket.socket(socket.AF_INET, kind) as probe:
                            probe.bind(("127.0.0.1", cls.at))
                    return cls.at
                except OSError:
                    continue


def helpers(text, folder):
    """What the scenario names: files of sounds, keys, an injection file. Options for both programs."""
    for name in re.findall(r'(?:rtp_stream|play_pcap_\w+)\s*=\s*"([^",]+)', text):
        target = os.path.normpath(os.path.join(folder, name)) if not name.startswith("/") else None
        if target and target.startswith(os.path.dirname(os.path.dirname(folder))) and not name.startswith(("apattern", "vpattern")):
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "wb") as out:
                if name.endswith(".pcap"):
                    frame = bytes.fromhex("000000000000000000000000080045000028000000004011000074000001" "7f0000017f000001" "1388138800140000")[:34] + struct.pack(">HHHH", 5000, 5000, 20, 0) + bytes([0x80, 0, 0, 1]) + bytes(8)
                    out.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
                    out.write(struct.pack("<IIII", 1, 0, len(frame), len(frame)) + frame)
                else:
                    out.write(b"\xff" * 1600)
    for name in re.findall(r'\[file name="?([^"\]]+)', text):
        with open(os.path.join(folder, os.path.basename(name)), "w") as out:
            out.write("a body of a file\n")
    known = {"service", "remote_ip", "remote_port", "transport", "local_ip", "local_ip_type", "local_port", "media_ip",
             "media_ip_type", "media_port", "auto_media_port", "rtpstream_audio_port", "rtpstream_video_port", "call_number",
             "dynamic_id", "call_id", "cseq", "pid", "len", "branch", "msg_index", "clock_tick", "timestamp", "date", "users",
             "userid", "last_message", "last_Request_URI", "last_cseq_number", "peer_tag_param", "next_url", "routes", "server_ip",
             "authentication", "tdmmap", "fill", "sipp_version"}
    bare = re.sub(r"<!--.*?-->", "", text, flags=re.S)
    keys = sorted({k for k in re.findall(r"\[([A-Za-z][A-Za-z0-9_]*)\]", bare) if k != "CDATA"
                   if k not in known and not k.startswith(("last_", "field", "crypto"))})
    theirs, ours = [], []
    for key in keys:
        theirs += ["-key", key, f"{key}"]
        ours += ["--set", f"{key}={key}"]
    files = set(re.findall(r'\[field\d+[^\]]*file="?([^"\]\s]+)', text)) | set(re.findall(r'<(?:lookup|insert|replace)\b[^>]*file="([^"]+)"', text))
    if not files and "[field" in text:
        files = {"rows.csv"}
    for name in files:
        target = os.path.normpath(os.path.join(folder, name))
        if target.startswith(folder):
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "w") as out:
                out.write("SEQUENTIAL\n" + ";".join(
                    f"[authentication username=u password=p]" if f'[field{i}]' in re.findall(r"^\s*(\[field\d\])\s*$", text, re.M) else f"user{i}"
                    for i in range(10)) + "\n")
            theirs += ["-inf", name] + (["-infindex", name, "0"] if "<lookup" in text else [])
            ours += ["--rows", name]
    return theirs, ours


class End:
    def __init__(self, arguments, folder):
        self.process = subprocess.Popen(arguments, cwd=folder, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.pid = self.process.pid

    def wait(self, limit=LIMIT):
        try:
            text, _ = self.process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            self.process.kill()
            text, _ = self.process.communicate()
            return 99, text.decode(errors="replace")
        return self.process.returncode, text.decode(errors="replace")

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


def listens(port, transport):
    """Not every socket that names the port: who connects to one of a connection that has ended is reset."""
    name, waiting = ("/proc/net/udp", "07") if transport == "udp" else ("/proc/net/tcp", "0A")
    with open(name) as table:
        return any(fields[1] == f"0100007F:{port:04X}" and fields[3] == waiting for fields in map(str.split, table))


def until_listening(port, transport, end):
    for _ in range(400):
        if listens(port, transport) or end.process.poll() is not None:
            return
        threading.Event().wait(0.03)


def sipp(scenario, port, peer, transport, folder, extra):
    # The peer need not be there for who waits; without one, SIPp takes itself for a server.
    arguments = ["sipp", "-sf", scenario, "-m", "1", "-i", "127.0.0.1", "-p", str(port), "-t", "u1" if transport == "udp" else "t1",
                 "-mp", str(port + 4), "-nostdin", "-timeout", f"{LIMIT - 2}s", "-timeout_error", "-recv_timeout", str(PATIENCE * 1000),
                 "-s", "service"] + extra
    if transport == "tcp":  # the one that ends first closes the connection: the other is not to fail by that
        arguments += ["-reconnect_close", "false", "-max_reconnect", "100"]
    return End(arguments + ([f"127.0.0.1:{peer}"] if peer else []), folder)


class Run:
    """One of the scenario's two performances, and its other end."""

    def __init__(self, subject, mirror, transport, folder, tag):
        self.own, self.peer = Ports.take(), Ports.take()
        log = f"{tag}.log"
        extra = ["-trace_msg", "-message_file", log, "-rtp_echo"]
        with open(os.path.join(folder, "other.xml"), "w", encoding="latin-1") as out:
            out.write(mirror.text())
        if mirror.begins:
            one = subject(self.own, self.peer)
            until_listening(self.own, transport, one)
            two = sipp("other.xml", self.peer, self.own, transport, folder, extra)
        else:
            two = sipp("other.xml", self.peer, None, transport, folder, extra)
            until_listening(self.peer, transport, two)
            one = subject(self.own, self.peer)
        self.status, self.said = one.wait()
        try:  # when the one is over, the other has a moment to see it
            two.process.wait(timeout=PATIENCE + 1 if self.status == 0 else 1)
        except subprocess.TimeoutExpired:
            pass
        self.ended = two.process.poll()
        two.stop()
        try:
            with open(os.path.join(folder, log), encoding="latin-1") as noted:
                messages = received(noted.read())
        except OSError:
            messages = []
        self.messages = plain(messages, {self.own: "OWN", self.peer: "PEER"}, SEED if tag == "ours" else one.pid)

    @property
    def well(self):
        return self.status == 0 and self.ended == 0


def reason(folder):
    """Why SIPp has ended."""
    try:
        with open(os.path.join(folder, "theirs.err"), encoding="latin-1") as file:
            lines = [line.split(": ", 1)[-1].strip() for line in file if "\t" in line]
        return (lines or [""])[0][:160]
    except OSError:
        return ""


def judge(ours, theirs, folder):
    """(verdict, why)"""
    theirs_why = reason(folder)
    began = re.search(r"Aborting call|timeout|regexp match|Dead call|Call-Id|^$", theirs_why)
    if theirs.status != 0 and not theirs.messages and not began:
        return "alone", f"Debian's SIPp does not begin ({theirs_why}); we end as {ours.status}, {ours.ended}"
    differs = difference(ours.messages, theirs.messages)
    if ours.well and theirs.well:
        return ("differs", differs) if differs else ("performs", "")
    last = " | ".join(line.strip() for line in ours.said.splitlines() if line.strip())[-250:]
    if theirs.well:
        return "differs", f"SIPp comes to the end, we do not ({ours.status}, {ours.ended}): {differs}: {last}"
    if ours.well or (ours.status == 0) != (theirs.status == 0):
        return "differs", f"ends as {ours.status}, {ours.ended}; SIPp as {theirs.status}, {theirs.ended} ({theirs_why}): {differs or last}"
    return ("differs", f"both fail ({theirs_why}), and {differs}") if differs else ("performs", f"to where SIPp ends too ({theirs.status}, {theirs.ended}): {theirs_why}")


def prepare(folder, name, path):
    with open(path, encoding="latin-1") as source:
        text = bounded(source.read())
    with open(os.path.join(folder, name), "w", encoding="latin-1") as out:
        out.write(text)
    return text


def converted(folder, names, target):
    """Nothing, or why not."""
    done = subprocess.run([PROGRAM, "convert", "-q"] + names + ["-o", target], cwd=folder, capture_output=True, text=True)
    if done.returncode == 0:
        return None
    return ("cannot" if done.returncode == 2 else "differs"), (done.stderr.splitlines() or ["?"])[0]


def measure(path, transport, folder):
    text = prepare(folder, "x.xml", path)
    commands = commands_of(text)
    theirs, ours = helpers(text, folder)
    why = converted(folder, ["x.xml"], "x.mmd")
    if why:
        return why
    verdict = "performs", ""
    for branch in (False, True) if branches(commands) else (False,):
        mirror = Mirror(commands, branch, credentials_of(text))
        if os.path.exists(path[:-4] + ".other"):  # where no mirror can be made
            with open(path[:-4] + ".other", encoding="latin-1") as other:
                mirror.written = other.read()
        name, peer_name = ("uas", "uac") if mirror.begins else ("uac", "uas")

        def we(port, peer):
            arguments = [PROGRAM, "run", os.environ.get("CALLWRIGHT_RUNS", "x.xml"), "--timeout", f"{PATIENCE}s", "--seed", str(SEED),
                         "--listen", f"{name}={transport}:127.0.0.1:{port}", "--at", f"{peer_name}={transport}:127.0.0.1:{peer}"]
            return End(arguments + ours, folder)

        def they(port, peer):
            # It says no goodbye when it gives up: that is nothing which the scenario has.
            return sipp("x.xml", port, peer, transport, folder,
                        theirs + ["-default_behaviors", "all,-bye", "-trace_err", "-error_file", "theirs.err"])

        one = judge(Run(we, mirror, transport, folder, "ours"), Run(they, mirror, transport, folder, "theirs"), folder)
        if one[0] != "performs":
            return one[0], ("where an optional message leads: " if branch else "") + one[1]
        verdict = one if one[1] else verdict
    return verdict


class PairRun:
    """The two scenarios of a 3PCC pair, each with its other end."""

    def __init__(self, subjects, mirrors, transport, folder, tag):
        """`subjects`: start((own, peer) of both), a list of ends."""
        places = [(Ports.take(), Ports.take()) for _ in mirrors]
        names = {port: name for place, both in zip(places, (("OWN", "PEER"), ("OWN2", "PEER2"))) for port, name in zip(place, both)}
        others = [None, None]

        def start(i):
            with open(os.path.join(folder, f"other{i}.xml"), "w", encoding="latin-1") as out:
                out.write(mirrors[i].text())
            own, peer = places[i]
            others[i] = sipp(f"other{i}.xml", peer, own if mirrors[i].begins else None, transport, folder,
                             ["-trace_msg", "-message_file", f"{tag}{i}.log", "-rtp_echo"])
        for i, mirror in enumerate(mirrors):
            if not mirror.begins:
                start(i)
                until_listening(places[i][1], transport, others[i])
        ends = subjects(places)
        for i, mirror in enumerate(mirrors):
            if mirror.begins:
                until_listening(places[i][0], transport, ends[-1])
                start(i)
        results = [end.wait() for end in ends]
        self.status = max(status for status, _ in results)
        self.said = "\n".join(said for _, said in results)
        self.messages = []
        self.ended = 0
        for i, other in enumerate(others):
            try:
                other.process.wait(timeout=PATIENCE + 1 if self.status == 0 else 1)
            except subprocess.TimeoutExpired:
                pass
            ended = other.process.poll()
            self.ended = self.ended or ended if ended is not None else None
            other.stop()
            try:
                with open(os.path.join(folder, f"{tag}{i}.log"), encoding="latin-1") as noted:
                    pid = SEED if tag == "ours" else ends[1 - i].pid
                    self.messages += plain(received(noted.read()), names, pid)
            except OSError:
                pass

    well = Run.well


def measure_pair(paths, transport, folder):
    texts = [prepare(folder, name, path) for name, path in zip(("a.xml", "b.xml"), paths)]
    mirrors = [Mirror(commands_of(text)) for text in texts]
    theirs, ours = helpers("\n".join(texts), folder)
    why = converted(folder, ["a.xml", "b.xml"], "both.mmd")
    if why:
        return why
    twin = Ports.take()

    def we(places):
        (left, left_peer), (right, right_peer) = places
        at = lambda name, port: f"{name}={transport}:127.0.0.1:{port}"
        one, other = names_of(texts) or ("left", "right")
        return [End([PROGRAM, "run", "both.mmd", "--timeout", f"{PATIENCE}s", "--seed", str(SEED), "--listen", at(one, left),
                     "--listen", at(other, right), "--at", at(f"{one}_peer", left_peer), "--at", at(f"{other}_peer", right_peer)] + ours, folder)]

    def they(places):
        extra = ["-default_behaviors", "all,-bye", "-trace_err", "-error_file", "theirs.err"] + theirs
        first, heard = ["-3pcc", f"127.0.0.1:{twin}"], ["-3pcc", f"127.0.0.1:{twin}"]
        if names := names_of(texts):  # the extended mode: each listens, and the file says where
            with open(os.path.join(folder, "names.cfg"), "w") as out:
                out.write(f"{names[0]};127.0.0.1:{Ports.take()}\n{names[1]};127.0.0.1:{twin}\n")
            first = ["-master", names[0], "-slave_cfg", "names.cfg"]
            heard = ["-slave", names[1], "-slave_cfg", "names.cfg"]
        second = sipp("b.xml", *places[1], transport, folder, heard + extra)
        until_listening(twin, "tcp", second)
        return [second, sipp("a.xml", *places[0], transport, folder, first + extra)]

    return judge(PairRun(we, mirrors, transport, folder, "ours"), PairRun(they, mirrors, transport, folder, "theirs"), folder)


def names_of(texts):
    """What the two of the extended mode call each other: (of the one that speaks first, of the other); nothing: they do not."""
    said = re.search(r'<sendCmd\s+dest="(\w+)"', texts[0])
    heard = re.search(r'<recvCmd\s+src="(\w+)"', texts[1])
    return (heard.group(1), said.group(1)) if said and heard else None


def paired(files):
    """{path: the other one's path}: of 3PCC, the one that speaks first, and who hears it. In the extended mode the
    other one is who awaits what the first says to be from; halves of larger groups are left alone."""
    first, heard = {}, {}
    names = {}  # whom one says to be, and whom the other awaits
    for path in files:
        with open(path, encoding="latin-1") as source:
            commands = [(k, a, t) for k, a, t in commands_of(source.read()) if k in ("sendCmd", "recvCmd")]
        if not commands:
            continue
        kind, attributes, text = commands[0]
        if any("dest" in a or "src" in a for _, a, _ in commands):
            own = re.search(r"^\s*From:\s*(\w+)", text or "", re.M)
            names[path] = (own.group(1) if own else "") if kind == "sendCmd" else attributes.get("src", "")
        (first if kind == "sendCmd" else heard).setdefault(os.path.dirname(path), []).append(path)
    likely = sorted(((len(os.path.commonprefix([one, other])), one, other) for folder, ones in first.items() for one in ones
                     for other in heard.get(folder, []) if names.get(one) == names.get(other)), reverse=True)
    out = {}
    for _, one, other in likely:
        if one not in out and other not in out.values():
            out[one] = other
    return out


def measured(path, transport, keep, pairs):
    above = tempfile.mkdtemp(prefix="callwright-sipp-")
    folder = os.path.join(above, "a", "b")  # what a scenario names may be beside its folder
    os.makedirs(folder)
    try:
        if path in pairs:
            return measure_pair((path, pairs[path]), transport, folder)
        return measure(path, transport, folder)
    except Exception as problem:  # of this tool, not of what it looks at
        return "differs", f"(not measured: {type(problem).__name__}: {problem})"
    finally:
        if keep:
            shutil.copytree(folder, os.path.join(keep, re.sub(r"[^A-Za-z0-9.]", "_", path)[-120:]), dirs_exist_ok=True)
        shutil.rmtree(above, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("files", nargs="+")
    parser.add_argument("--transport", default="udp", help="udp, tcp or udp,tcp")
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep", help="a folder for what each left behind")
    parser.add_argument("--least", type=float, default=0, help="exit 1 where fewer percent perform")
    options = parser.parse_args()
    files = []
    for name in options.files:
        if os.path.isdir(name):
            files += [os.path.join(at, one) for at, _, ones in os.walk(name) for one in ones if one.endswith(".xml")]
        else:
            files.append(name)
    files.sort()
    if options.sample and options.sample < len(files):
        files = sorted(random.Random(options.seed).sample(files, options.sample))
    pairs = paired(files)
    files = [name for name in files if name not in pairs.values()]  # performed with the other one
    good = True
    for transport in options.transport.split(","):
        counts = collections.Counter()
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            for path, (verdict, why) in zip(files, pool.map(lambda p: measured(p, transport, options.keep, pairs), files)):
                counts[verdict] += 1
                counts["stop"] += verdict == "performs" and why != ""
                print(f"{verdict:<9} {path}{'  ' + why if why else ''}", flush=True)
        print(f"\n{transport}: {len(files)} scenarios")
        for verdict in ("performs", "differs", "cannot", "alone"):
            more = f"   of these {counts['stop']} to where SIPp itself ends with this other end" if verdict == "performs" else ""
            print(f"  {verdict:<9} {counts[verdict]:5}  {100 * counts[verdict] / max(1, len(files)):5.1f} %{more}")
        share = 100 * counts["performs"] / max(1, len(files) - counts["alone"])
        print(f"  of those that SIPp begins, {share:.1f} % perform as SIPp does")
        good = good and share >= options.least
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
