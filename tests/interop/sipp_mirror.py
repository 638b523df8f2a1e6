"""The other end of a SIPp scenario, as a SIPp scenario: what the one sends the other awaits, and
what the one awaits the other sends. Made from the XML's text, well-formed or not."""
import re

COMMAND = re.compile(
    r"<!--.*?-->|<(send|recv|pause|nop|label|sendCmd|recvCmd|timewait)\b((?:[^>\"]|\"(?:\\.|[^\"\\])*\")*?)(/>|>)"
    r"|<!\[CDATA\[(.*?)\]\]>", re.S)
ATTRIBUTE = re.compile(r"([A-Za-z_0-9]+)\s*=\s*[\"']((?:\\.|[^\"'\\])*)[\"']", re.S)

SDP = """v=0
o=user1 53655765 2353687637 IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio [media_port] RTP/AVP 0 101
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
"""
KEPT = (("Via", "via"), ("From", "from"), ("To", "to"), ("CSeq", "cseq"), ("Call-ID", "id"))


def commands_of(text):
    """(element, attributes, text of its message), in their order."""
    out = []
    for found in COMMAND.finditer(text):
        if found.group(1):
            out.append((found.group(1), dict(ATTRIBUTE.findall(found.group(2))), ""))
        elif found.group(4) is not None and out and out[-1][0] in ("send", "sendCmd") and not out[-1][2]:
            out[-1] = (out[-1][0], out[-1][1], found.group(4).strip())
    return out


def optional(attributes):
    return attributes.get("optional") in ("true", "global")


def path_of(commands, branch):
    """The commands on the way through. `branch`: the optional message that leads elsewhere comes."""
    labels = {a.get("id"): i for i, (k, a, _) in enumerate(commands) if k == "label"}
    out, at = [], 0
    while at < len(commands) and len(out) < 120:
        kind, attributes, text = commands[at]
        at += 1
        after = attributes.get("next")
        leads = after in labels and not attributes.get("test")
        if kind == "recv" and optional(attributes):
            status = attributes.get("response", "").strip()
            if leads and branch and not attributes.get("condexec"):
                branch = False
            elif attributes.get("request", "").strip() == "ACK" and not after and not attributes.get("condexec"):
                pass
            elif not status.startswith("18") or after or attributes.get("condexec"):
                continue  # it does not come; of those that need not, a ringing does
        out.append((kind, attributes, text))
        if leads:
            at = labels[after]
    return out


def branches(commands):
    """Is there an optional message that leads elsewhere?"""
    labels = {a.get("id") for k, a, _ in commands if k == "label"}
    return any(k == "recv" and optional(a) and a.get("next") in labels and not a.get("test") and
               not a.get("condexec") for k, a, _ in commands)


class Mirror:
    """text(): the scenario. begins: whether it sends first."""

    def __init__(self, commands, branch=False, credentials=None):
        self.credentials = credentials  # user and password that the scenario verifies
        self.challenged = False
        self.written = ""    # in its place, by hand
        self.out = []
        self.names = []
        self.open = []       # requests that came and have no final answer: [number, method, has a tag]
        self.sent = {}       # CSeq numbers of requests of our own, by method
        self.sent_at = {}    # and where they stand
        self.cseq = 0
        self.dialog = None   # number of the request that opened it
        self.peer_to = None
        self.last_final = 200
        self.waits = 0       # milliseconds that the scenario pauses before it looks again
        path = path_of(commands, branch)
        self.routes = any("[routes]" in t or "[next_url]" in t for _, _, t in path)
        self.asks = any("[authentication" in t for _, _, t in path)
        for i, (kind, attributes, text) in enumerate(path):
            self.ahead = [t.split(None, 1)[0] for k, _, t in path[i + 1:i + 4] if k == "send" and t]
            self.ahead_recv = [a.get("response", "").strip() for k, a, _ in path[i + 1:] if k == "recv" and a.get("response")]
            if kind == "pause":
                self.waits += pause_of(attributes)
            elif kind == "send":
                self.receive(text, attributes)
            elif kind == "recv" and attributes.get("response"):
                self.respond(attributes)
            elif kind == "recv" and attributes.get("request"):
                self.request(attributes)

    @property
    def begins(self):
        return bool(self.out) and not self.out[0].startswith("<recv")

    def catch_up(self):
        """While the scenario pauses, a message is one too many for SIPp."""
        if self.waits:
            self.out.append(f'<pause milliseconds="{self.waits + 200}"/>')
            self.waits = 0

    def receive(self, text, attributes):
        first = text.split("\n", 1)[0].strip()
        if first.startswith("[last_Request_URI]") or not first:
            return
        status = re.match(r"SIP/2\.0\s+(\d+)", first)
        n = len(self.out)
        self.waits = 0
        need = ' optional="true"' if attributes.get("lost", "0") == "100" else ""
        if status:
            code = int(status.group(1))
            if code == 100 or need:
                self.out.append(f'<recv response="{code}" optional="true"></recv>')
                return
            self.last_final = code if code >= 200 else self.last_final
            asked = code in (401, 407) and self.credentials is not None
            self.challenged = asked
            self.out.append(f'<recv response="{code}"{" auth=" + chr(34) + "true" + chr(34) if asked else ""}><action>'
                            f'<ereg regexp=".*" search_in="hdr" header="To:" assign_to="to{n}"/>'
                            '</action></recv>')
            self.names.append(f"to{n}")
            self.peer_to = f"[$to{n}]"
            return
        method = first.split(" ", 1)[0]
        self.out.append(f'<recv request="{method}"{need}><action>' + "".join(
            f'<ereg regexp=".*" search_in="hdr" header="{header}:" assign_to="{name}{n}"/>'
            for header, name in KEPT) + '</action></recv>')
        self.names += [f"{name}{n}" for _, name in KEPT]
        to = re.search(r"^\s*(?:To|t)\s*:(.*)$", text, re.M | re.I)
        tagged = bool(to) and any(w in to.group(1) for w in ("tag=", "[peer_tag_param]", "[$", "last_")) and self.dialog is not None
        if method != "ACK":
            self.open.append((n, method, tagged))
        if method in ("INVITE", "SUBSCRIBE") and self.dialog is None or method == "INVITE" and not tagged:
            self.dialog = n

    def which(self, code, attributes):
        """The request that this answers."""
        invite = [one for one in self.open if one[1] == "INVITE"]
        others = [one for one in self.open if one[1] != "INVITE"]
        if not invite or not others:
            return self.open[-1]
        if code == 200 and others[-1][1] == "CANCEL":
            return others[-1]
        acked = bool(self.ahead) and self.ahead[0] == "ACK"
        if code in range(180, 190) or code in (486, 487, 600, 603, 480):
            return invite[-1]
        if code == 200 and acked and not [r for r in self.ahead_recv[:1] if r == "200"]:
            return invite[-1]
        if code == 200 and acked:
            return others[-1]
        return others[-1]

    def respond(self, attributes):
        status = attributes["response"].strip()
        code = int(status) if status.isdigit() else 200
        if not self.open or code < 100 or code > 699:
            return
        self.catch_up()
        n, method, tagged = self.which(code, attributes)
        if code >= 200:
            self.open.remove((n, method, tagged))
        more = ""
        if code in (401, 407):
            name = "WWW-Authenticate" if code == 401 else "Proxy-Authenticate"
            more += f'{name}: Digest realm="example.com", nonce="4f2a{n:04d}b7", algorithm=MD5, qop="auth"\n'
        if code in (180, 183) and "PRACK" in self.ahead[:1]:
            more += "Require: 100rel\nRSeq: 1\n"
        if code == 423:
            more += "Min-Expires: 60\n"
        if self.routes and method in ("INVITE", "SUBSCRIBE") and not tagged:
            more += "Record-Route: <sip:[local_ip]:[local_port];lr>\n"
        if method == "REGISTER" and code == 200:
            more += "Expires: 3600\n"
        body = method in ("INVITE", "UPDATE") and code in (183, 200)
        tag = "" if code == 100 or tagged else f";tag=cp{self.dialog or 0}"
        self.send(f"SIP/2.0 {code} Answer\nVia:[$via{n}]\nFrom:[$from{n}]\nTo:[$to{n}]{tag}\n"
                  f"Call-ID:[$id{n}]\nCSeq:[$cseq{n}]\nContact: <sip:peer@[local_ip]:[local_port];transport=[transport]>\n"
                  f"{more}", SDP if body else "", method == "INVITE" and code >= 200)

    def request(self, attributes):
        method = attributes["request"].strip()
        if not re.fullmatch(r"[A-Z]+", method):
            found = re.search(r"[A-Z]{3,}", method)  # an expression: one that it takes
            if not found:
                return
            method = found.group(0)
        self.catch_up()
        branch = "[branch]"
        back = len(self.out) - self.sent_at.get("INVITE", 0)
        if method in ("ACK", "CANCEL"):
            number = self.sent.get("INVITE", 1)
            if "INVITE" in self.sent and (method == "CANCEL" or self.last_final >= 300):
                branch = f"[branch-{back}]"
        else:
            self.cseq += 1
            number = self.cseq
            self.sent[method] = number
            self.sent_at[method] = len(self.out)
        if self.dialog is None:
            start = "<sip:peer@[local_ip]:[local_port]>;tag=[pid]cp[call_number]"
            to = self.peer_to if method != "CANCEL" else None
            head = (f"From: peer {start}\n" + (f"To:{to}\n" if to else "To: <sip:[service]@[remote_ip]:[remote_port]>\n") +
                    "Call-ID: [call_id]\n")
        else:
            i = self.dialog
            tag = f";tag=cp{i}"
            head = f"From:[$to{i}]{tag}\nTo:[$from{i}]\nCall-ID:[$id{i}]\n"
        more = "Event: message-summary\nSubscription-State: active;expires=60\n" if method == "NOTIFY" else ""
        more += "Refer-To: <sip:third@[local_ip]:[local_port]>\n" if method == "REFER" else ""
        more += "RAck: 1 1 INVITE\n" if method == "PRACK" else ""
        more += "Event: presence\nExpires: 60\n" if method in ("SUBSCRIBE", "PUBLISH") else ""
        if self.routes and method == "INVITE":
            more += "Record-Route: <sip:[local_ip]:[local_port];lr>\n"
        if self.challenged and method != "ACK":
            self.challenged = False
            more += "[authentication username={} password={}]\n".format(*self.credentials)
        body = SDP if method == "INVITE" else ""
        self.send(f"{method} sip:[service]@[remote_ip]:[remote_port] SIP/2.0\n"
                  f"Via: SIP/2.0/[transport] [local_ip]:[local_port];branch={branch}\n{head}"
                  f"CSeq: {number} {method}\nContact: <sip:peer@[local_ip]:[local_port];transport=[transport]>\n"
                  f"Max-Forwards: 70\n{more}", body)

    def send(self, head, body, acked=False):
        kind = "Content-Type: application/sdp\n" if body else ""
        # A response that is repeated takes nothing but an ACK: so only those that get one are.
        again = ' retrans="500"' if not head.startswith(("ACK", "SIP/2.0")) or acked else ""
        self.out.append(f"<send{again}><![CDATA[\n{head}{kind}Content-Length: [len]\n\n{body}]]></send>")

    def text(self):
        if self.written:
            return self.written
        used = "\n".join(self.out)
        loose = [v for v in self.names if f"[${v}]" not in used]
        reference = f'<Reference variables="{",".join(loose)}"/>' if loose else ""
        return f'<?xml version="1.0" encoding="ISO-8859-1" ?>\n<scenario name="other end">\n{used}\n<pause milliseconds="300"/>\n{reference}\n</scenario>\n'


def credentials_of(text):
    """(user, password) of the first <verifyauth>, or None."""
    found = re.search(r"<verifyauth\b([^>]*)>", text)
    said = dict(ATTRIBUTE.findall(found.group(1))) if found else {}
    return (said["username"], said["password"]) if said.get("username") and said.get("password") else None


def pause_of(attributes):
    """Milliseconds, at most."""
    numbers = [int(float(attributes[name])) for name in ("milliseconds", "max", "value", "mean") if
               re.fullmatch(r"[0-9.]+", attributes.get(name, ""))]
    return max(numbers, default=0)


def bounded(text):
    """The same scenario with less waiting: pauses, timeouts."""
    def short(most):
        return lambda found: f'{found.group(1)}"{min(int(found.group(2)), most)}"'
    for name, most in (("milliseconds", 100), ("min", 50), ("max", 100)):
        text = re.sub(r'(<(?:pause|timewait)[^>]*\b' + name + r'\s*=\s*)"(\d+)"', short(most), text)
    # What is left to chance is decided: nothing is lost but what always is, and a chance is taken.
    text = re.sub(r'\blost\s*=\s*"(?!100")[0-9.]*"', 'lost="0"', text)
    text = re.sub(r'\bchance\s*=\s*"[0-9.]*"', 'chance="1"', text)
    return re.sub(r'(<recv[^>]*\btimeout\s*=\s*)"(\d+)"', short(2000), text)
