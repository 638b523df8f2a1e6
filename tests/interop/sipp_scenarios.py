#!/usr/bin/env python3
"""SIPp's scenarios against SIPp: each is performed by `callwright run` and by SIPp itself, with the
same other end, which is a scenario derived from it and performed by SIPp. Prints a table.

    tests/interop/sipp_scenarios.py FILE… [--transport udp|tcp] [--sample N] [--seed N] [--jobs N]

performed: as SIPp does, to the end, at both ends · alike: neither comes to the end with this other
end · refused: with its line · failed: SIPp comes to the end, and we do not. Loopback, one call each.
"""
import argparse
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

PROGRAM = os.environ.get("CALLWRIGHT", "build/dev/callwright")
LIMIT = 9  # seconds for one end

COMMAND = re.compile(
    r"<!--.*?-->|<(send|recv|pause|nop|label|sendCmd|recvCmd)\b((?:[^>\"]|\"(?:\\.|[^\"\\])*\")*?)(/>|>)"
    r"|<!\[CDATA\[(.*?)\]\]>", re.S)
ATTRIBUTE = re.compile(r"([A-Za-z_0-9]+)\s*=\s*\"((?:\\.|[^\"\\])*)\"", re.S)


class Ports:
    """Ports that nobody else of this run has."""
    lock = threading.Lock()
    at = 20000 + os.getpid() % 100 * 200

    @classmethod
    def take(cls):
        with cls.lock:
            while True:
                cls.at = cls.at + 4 if cls.at < 60000 else 20000
                try:
                    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                        with socket.socket(socket.AF_INET, kind) as probe:
                            probe.bind(("127.0.0.1", cls.at))
                    return cls.at
                except OSError:
                    continue


def commands_of(text):
    out = []
    for found in COMMAND.finditer(text):
        if found.group(1):
            out.append((found.group(1), dict(ATTRIBUTE.findall(found.group(2))), ""))
        elif found.group(4) is not None and out and out[-1][0] in ("send", "sendCmd") and not out[-1][2]:
            out[-1] = (out[-1][0], out[-1][1], found.group(4).strip())
    return out


def path_of(commands):
    """The commands on the way through, without what need not come; jumps that nothing decides."""
    labels = {a.get("id"): i for i, (k, a, _) in enumerate(commands) if k == "label"}
    out, at = [], 0
    while at < len(commands) and len(out) < 80:
        kind, attributes, text = commands[at]
        at += 1
        if kind == "recv" and attributes.get("optional") in ("true", "global"):
            continue
        out.append((kind, attributes, text))
        after = attributes.get("next")
        if after in labels and not attributes.get("test") and not attributes.get("chance"):
            at = labels[after]
    return out


SDP = """v=0
o=user1 53655765 2353687637 IN IP4 127.0.0.1
s=-
c=IN IP4 127.0.0.1
t=0 0
m=audio 40000 RTP/AVP 0 101
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
"""


class Counterpart:
    """The scenario of the other end."""

    def __init__(self, commands):
        self.out = []
        self.names = []
        self.open = []      # requests that came: [number, method]
        self.sent = {}      # CSeq numbers of requests of our own, by method
        self.cseq = 0
        self.invited = None  # number of the INVITE that came
        self.answered = False
        path = path_of(commands)
        for i, (kind, attributes, text) in enumerate(path):
            self.next_sends_prack = any(
                k == "send" and t.startswith("PRACK") for k, _, t in path[i + 1:i + 2])
            if kind == "send":
                self.receive(text)
            elif kind == "recv" and attributes.get("response"):
                self.respond(attributes["response"].strip())
            elif kind == "recv" and attributes.get("request"):
                self.request(attributes["request"].strip())

    def keep(self, names):
        self.names += names

    def receive(self, text):
        first = text.split("\n", 1)[0].strip()
        status = re.match(r"SIP/2\.0\s+(\d+)", first)
        n = len(self.out)
        if status:
            optional = ' optional="true"' if int(status.group(1)) == 100 else ""
            if optional:
                return
            self.out.append(f'<recv response="{status.group(1)}"><action>'
                            f'<ereg regexp=".*" search_in="hdr" header="To:" assign_to="to{n}"/>'
                            '</action></recv>')
            self.keep([f"to{n}"])
            self.peer_to = f"[$to{n}]"
            return
        method = first.split(" ", 1)[0]
        self.out.append(f'<recv request="{method}"><action>' + "".join(
            f'<ereg regexp=".*" search_in="hdr" header="{header}:" assign_to="{name}{n}"/>'
            for header, name in (("Via", "via"), ("From", "from"), ("To", "to"), ("CSeq", "cseq"), ("Call-ID", "id"))) +
            '</action></recv>')
        self.keep([f"{name}{n}" for name in ("via", "from", "to", "cseq", "id")])
        if method != "ACK":
            self.open.append((n, method))
        if method == "INVITE":
            self.invited = n

    def respond(self, status):
        if not self.open:
            return
        code = int(status)
        n, method = self.open[-1]
        for one in reversed(self.open):   # 18x and 487 are those of an INVITE
            if (code in (180, 181, 182, 183, 487, 486) or (code >= 300 and code not in (401, 407, 481))) and one[1] == "INVITE":
                n, method = one
                break
        if code >= 200:
            self.open.remove((n, method))
        more = ""
        if code in (401, 407):
            name = "WWW-Authenticate" if code == 401 else "Proxy-Authenticate"
            more += f'{name}: Digest realm="example.com", nonce="4f2a{n:04d}b7", algorithm=MD5, qop="auth"\n'
        if code in (180, 183) and self.next_sends_prack:
            more += "Require: 100rel\nRSeq: 1\n"
        if code in (423,):
            more += "Min-Expires: 60\n"
        body = method in ("INVITE", "UPDATE") and code in (183, 200)
        tag = "" if code == 100 else f";tag=cp{self.invited or 0}"
        self.send(f"SIP/2.0 {status} Answer\nVia:[$via{n}]\nFrom:[$from{n}]\nTo:[$to{n}]{tag}\n"
                  f"Call-ID:[$id{n}]\nCSeq:[$cseq{n}]\nContact: <sip:peer@[local_ip]:[local_port];transport=[transport]>\n"
                  f"{more}", SDP if body else "", retag=n)

    def request(self, method):
        if not re.fullmatch(r"[A-Z]+", method):
            return
        n = len(self.out)
        caller = self.invited is None
        if method == "ACK" or method == "CANCEL":
            number = self.sent.get("INVITE", 1)
        else:
            self.cseq += 1
            number = self.cseq
            self.sent[method] = number
        if caller:
            start = f"<sip:peer@[local_ip]:[local_port]>;tag=[pid]cp[call_number]"
            to = getattr(self, "peer_to", None) if method != "CANCEL" else None
            head = (f"From: peer {start}\n" + (f"To:{to}\n" if to else "To: <sip:[service]@[remote_ip]:[remote_port]>\n") +
                    "Call-ID: [call_id]\n")
        else:
            i = self.invited
            head = f"From:[$to{i}];tag=cp{i}\nTo:[$from{i}]\nCall-ID:[$id{i}]\n"
        more = "Event: message-summary\nSubscription-State: active;expires=60\n" if method == "NOTIFY" else ""
        more += "Refer-To: <sip:third@[local_ip]:[local_port]>\n" if method == "REFER" else ""
        more += "RAck: 1 1 INVITE\n" if method == "PRACK" else ""
        body = SDP if method == "INVITE" else ""
        self.send(f"{method} sip:[service]@[remote_ip]:[remote_port] SIP/2.0\n"
                  f"Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\n{head}"
                  f"CSeq: {number} {method}\nContact: <sip:peer@[local_ip]:[local_port];transport=[transport]>\n"
                  f"Max-Forwards: 70\n{more}", body)

    def send(self, head, body, retag=None):
        kind = "Content-Type: application/sdp\n" if body else ""
        if body and "Content-Type" in head:
            kind = ""
        again = ' retrans="500"' if not head.startswith(("ACK", "SIP/2.0 1")) else ""
        self.out.append(f"<send{again}><![CDATA[\n{head}{kind}Content-Length: [len]\n\n{body}]]></send>")

    def text(self):
        used = "\n".join(self.out)
        loose = [v for v in self.names if f"[${v}]" not in used]
        reference = f'<Reference variables="{",".join(loose)}"/>' if loose else ""
        return f'<?xml version="1.0" encoding="ISO-8859-1" ?>\n<scenario name="other end">\n{used}\n{reference}\n</scenario>\n'

    def begins(self):
        return bool(self.out) and self.out[0].startswith("<send")


def bounded(text):
    """The same scenario with less waiting."""
    def short(found):
        return f'{found.group(1)}"{min(int(found.group(2)), int(found.group(3) or 0) or 100)}"'
    text = re.sub(r'(<(?:pause|timewait)[^>]*milliseconds\s*=\s*)"(\d+)"()', short, text)
    return re.sub(r'(<recv[^>]*\btimeout\s*=\s*)"(\d+)"()', lambda m: f'{m.group(1)}"{min(int(m.group(2)), 2000)}"', text)


def helpers(text, folder):
    """What the scenario names: files of sounds, keys, an injection file. Options for both programs."""
    for name in re.findall(r'(?:rtp_stream|play_pcap_\w+)\s*=\s*"([^",]+)', text):
        target = os.path.normpath(os.path.join(folder, name)) if not name.startswith("/") else None
        if target and target.startswith(folder) and not name.startswith(("apattern", "vpattern")):
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "wb") as out:
                if name.endswith(".pcap"):
                    frame = bytes.fromhex("000000000000000000000000080045000028000000004011000074000001" "7f0000017f000001" "1388138800140000")[:34] + struct.pack(">HHHH", 5000, 5000, 20, 0) + bytes([0x80, 0, 0, 1]) + bytes(8)
                    out.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
                    out.write(struct.pack("<IIII", 1, 0, len(frame), len(frame)) + frame)
                else:
                    out.write(b"\xff" * 1600)
    known = {"service", "remote_ip", "remote_port", "transport", "local_ip", "local_ip_type", "local_port", "media_ip",
             "media_ip_type", "media_port", "auto_media_port", "rtpstream_audio_port", "rtpstream_video_port", "call_number",
             "dynamic_id", "call_id", "cseq", "pid", "len", "branch", "msg_index", "clock_tick", "timestamp", "date", "users",
             "userid", "last_message", "last_Request_URI", "last_cseq_number", "peer_tag_param", "next_url", "routes", "server_ip",
             "authentication", "tdmmap", "fill", "sipp_version"}
    bodies = "".join(t for t in re.findall(r"<!\[CDATA\[(.*?)\]\]>", text, re.S)) + "".join(
        re.findall(r'(?:value|message|username|password)\s*=\s*"([^"]*)"', text))
    keys = sorted({k for k in re.findall(r"\[([A-Za-z][A-Za-z0-9_]*)\]", bodies)
                   if k not in known and not k.startswith(("last_", "field", "crypto"))})
    theirs, ours = [], []
    for key in keys:
        theirs += ["-key", key, f"{key}"]
        ours += ["--set", f"{key}={key}"]
    files = set(re.findall(r'\[field\d+[^\]]*file="?([^"\]\s]+)', text)) | set(re.findall(r'<lookup[^>]*file="([^"]+)"', text))
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
            theirs += ["-inf", name]
            ours += ["--rows", name]
    return theirs, ours


class End:
    def __init__(self, arguments, folder):
        self.process = subprocess.Popen(arguments, cwd=folder, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def wait(self):
        try:
            text, _ = self.process.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            text, _ = self.process.communicate()
            return 99, text.decode(errors="replace")
        return self.process.returncode, text.decode(errors="replace")

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


def listening(port, transport):
    name = "/proc/net/udp" if transport == "udp" else "/proc/net/tcp"
    with open(name) as table:
        return f"0100007F:{port:04X}" in table.read()


def until_listening(port, transport, end):
    for _ in range(100):
        if listening(port, transport) or end.process.poll() is not None:
            return
        threading.Event().wait(0.03)


def sipp(scenario, port, peer, transport, folder, extra):
    arguments = ["sipp", "-sf", scenario, "-m", "1", "-i", "127.0.0.1", "-p", str(port), "-t", "u1" if transport == "udp" else "t1",
                 "-nostdin", "-timeout", f"{LIMIT - 1}s", "-timeout_error", "-recv_timeout", "4000", "-s", "service"] + extra
    return End(arguments + ([f"127.0.0.1:{peer}"] if peer else []), folder)


def perform(subject, other, begins, transport, folder):
    """`subject(port, peer)` and the other end; who is called is there first."""
    own, peer = Ports.take(), Ports.take()
    if begins:  # the other end calls
        one = subject(own, peer)
        until_listening(own, transport, one)
        two = sipp(other, peer, own, transport, folder, [])
    else:
        two = sipp(other, peer, None, transport, folder, [])
        until_listening(peer, transport, two)
        one = subject(own, peer)
    status, text = one.wait()
    # When the one is over, the other has a moment to see it.
    try:
        two.process.wait(timeout=2 if status == 0 else 0.5)
    except subprocess.TimeoutExpired:
        pass
    ended = two.process.poll()
    two.stop()
    return status, ended, text


def measure(path, transport, keep=None):
    with open(path, encoding="latin-1") as source:
        text = bounded(source.read())
    folder = tempfile.mkdtemp(prefix="callwright-sipp-")
    try:
        with open(os.path.join(folder, "x.xml"), "w", encoding="latin-1") as out:
            out.write(text)
        counterpart = Counterpart(commands_of(text))
        with open(os.path.join(folder, "other.xml"), "w") as out:
            out.write(counterpart.text())
        theirs, ours = helpers(text, folder)
        program = os.path.abspath(PROGRAM)
        check = subprocess.run([program, "convert", "-q", "x.xml", "-o", "x.mmd"], cwd=folder, capture_output=True, text=True)
        if check.returncode == 2:
            return "refused", check.stderr.splitlines()[0] if check.stderr else "?"
        if check.returncode != 0:
            return "failed", f"convert: {check.returncode} {check.stderr[:200]}"
        begins = counterpart.begins()
        name, peer_name = ("uas", "uac") if begins else ("uac", "uas")

        def we(port, peer):
            arguments = [program, "run", os.environ.get("CALLWRIGHT_RUNS", "x.xml"), "--timeout", "4s",
                         "--listen", f"{name}={transport}:127.0.0.1:{port}", "--at", f"{peer_name}={transport}:127.0.0.1:{peer}"]
            return End(arguments + ours, folder)

        def they(port, peer):
            return sipp("x.xml", port, peer, transport, folder, theirs)

        status, ended, said = perform(we, "other.xml", begins, transport, folder)
        if status == 0 and ended == 0:
            return "performed", ""
        theirs_status, theirs_ended, theirs_said = perform(they, "other.xml", begins, transport, folder)
        if theirs_status == 0 and theirs_ended == 0:
            return "failed", f"{status}/{ended}: " + " | ".join(said.splitlines()[-12:])[-600:]
        if status == 0:
            return "performed", "SIPp does not come to the end" if theirs_status != 0 else ""
        return "alike", f"{status}/{ended} and {theirs_status}/{theirs_ended}: " + " | ".join(said.splitlines()[-4:])[-300:]
    finally:
        if keep:
            shutil.copytree(folder, os.path.join(keep, os.path.basename(path)), dirs_exist_ok=True)
        shutil.rmtree(folder, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("files", nargs="+")
    parser.add_argument("--transport", default="udp", choices=["udp", "tcp"])
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep")
    parser.add_argument("--least", type=float, default=0, help="exit 1 where fewer percent are performed")
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
    counts = {}
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for path, (verdict, why) in zip(files, pool.map(lambda p: measure(p, options.transport, options.keep), files)):
            counts[verdict] = counts.get(verdict, 0) + 1
            print(f"{verdict:<10} {path}{'  ' + why if why else ''}", flush=True)
    total = len(files)
    judged = total - counts.get("alike", 0)
    print(f"\n{options.transport}: {total} scenarios")
    for verdict in ("performed", "alike", "refused", "failed"):
        print(f"  {verdict:<10} {counts.get(verdict, 0):5}  {100 * counts.get(verdict, 0) / max(1, total):5.1f} %")
    share = 100 * counts.get("performed", 0) / max(1, judged)
    print(f"  of those that SIPp itself performs, or that are refused: {share:.1f} % performed")
    return 0 if share >= options.least else 1


if __name__ == "__main__":
    sys.exit(main())
