"""Messages that SIPp has noted (-trace_msg), and whether two runs of a scenario said the same."""
import re

NOTED = re.compile(r"^-{20,} .*?\n(?:UDP|TCP|TLS) message (sent|received) [^\n]*\n\n?(.*?)(?=^-{20,} |\Z)", re.S | re.M)


def received(text):
    """What came, in its order, retransmissions once."""
    out = []
    for way, message in NOTED.findall(text):
        message = message.replace("\r", "").strip("\n")
        if way == "received" and message and message not in out:
            out.append(message)
    return out


def credentials(field):
    """The parameters of a challenge's answer in one order and one spelling."""
    found = re.match(r"((?:Proxy-)?Authorization: Digest) (.*)", field)
    if not found:
        return field
    return found.group(1) + " " + ", ".join(sorted(p.strip().replace('"', "").lower() for p in re.split(r",(?=\s*\w+=)", found.group(2))))


def plain(messages, ports, pid):
    """Without what differs from run to run: ports ({number: name}), tags, branches, Call-IDs, times,
    chance. What a digest is of differs too: SIPp writes its peer's address where RFC 2617 has the
    request's (docs/sipp.md)."""
    seen = {}
    calls = []
    for text in messages:
        calls += re.findall(r"^(?:Call-ID|i)[ \t]*:[ \t]*(\S+)", text, re.M | re.I)
    calls = list(dict.fromkeys(calls))

    def name(kind):
        def of(found):
            value = found.group(2)
            number = seen.setdefault((kind, value), len([1 for k in seen if k[0] == kind]) + 1)
            return f"{found.group(1)}{kind}{number}"
        return of
    out = []
    for text in messages:
        head, _, body = text.partition("\n\n")
        head = re.sub(r"\n[ \t]+", " ", head)
        for i, call in enumerate(calls, 1):  # also where other fields name it
            for written in (call, call.replace("@", "%40")):
                head = head.replace(written, f"call{i}")
                body = body.replace(written, f"call{i}")
        head = re.sub(r"(branch[ \t]*=[ \t]*)([^;,\s>]+)", name("branch"), head, flags=re.I)
        body = re.sub(r"(branch[ \t]*=[ \t]*)([^;,\s>]+)", name("branch"), body, flags=re.I)  # a message within
        head = re.sub(r"(tag[ \t]*=[ \t]*)([^;,\s>\"]+)", name("tag"), head, flags=re.I)
        head = re.sub(r"((?:cnonce|response|(?<=[ ,])uri)\s*=\s*)\"?[^\",\s]*\"?", r"\1*", head, flags=re.I)
        body = re.sub(r"(?:v?3\.6\.1[-\w]*|callwright)", "VERSION", body)
        head = re.sub(r"(?:v?3\.6\.1[-\w]*|callwright)", "VERSION", head)
        head = re.sub(r"^(Date|Timestamp)\s*:.*$", r"\1: *", head, flags=re.M | re.I)
        head = re.sub(r"^((?:Content-Length|l)\s*:\s*)\d+", r"\1*", head, flags=re.M | re.I)
        parts = []
        for part in (head, body):
            for port, called in ports.items():
                part = re.sub(r"(?<!\d)%d(?!\d)" % port, called, part)
            part = re.sub(r"(?<!\d)%d(?!\d)" % pid, "PID", part)
            part = re.sub(r"^(m=\w+ )\d+|(a=rtcp:)\d+", r"\1\2*", part, flags=re.M)
            part = re.sub(r"inline:[A-Za-z0-9+/=]+", "inline:*", part)
            part = re.sub(r"\d{4}-\d\d-\d\d[ T\t][0-9:.]+[Z]?(?:\t[0-9.]+)?", "TIME", part)
            parts.append([re.sub(r"\s+", " ", line).strip() for line in part.split("\n")])
        start, *fields = parts[0]
        # [RFC 3261 §7.3.1] the order of fields with different names means nothing.
        fields = [re.sub(r"^([^:]+?)\s*:\s*", r"\1: ", field) for field in fields if field]
        fields = [credentials(field) for field in fields]
        fields.sort(key=lambda field: field.partition(":")[0].lower())
        while parts[1] and not parts[1][-1]:
            parts[1].pop()
        out.append((start, fields, parts[1]))
    return out


def difference(ours, theirs):
    """One line; empty: none."""
    for i, (mine, their) in enumerate(zip(ours, theirs), 1):
        if mine == their:
            continue
        for part, a, b in (("start line", [mine[0]], [their[0]]), ("field", mine[1], their[1]), ("body", mine[2], their[2])):
            for line in a:
                if line not in b:
                    missing = [other for other in b if other not in a]
                    return f"message {i}, {their[0][:40]}: {part} '{line[:90]}', SIPp's '{(missing or [''])[0][:90]}'"
            for line in b:
                if line not in a:
                    return f"message {i}, {their[0][:40]}: {part} '{line[:90]}' of SIPp's is not there"
        return f"message {i}, {their[0][:40]}: the same lines in another order"
    if len(ours) < len(theirs):
        return f"message {len(ours) + 1} of SIPp's is not there: {theirs[len(ours)][0][:60]}"
    if len(ours) > len(theirs):
        return f"one message more than SIPp: {ours[len(theirs)][0][:60]}"
    return ""
