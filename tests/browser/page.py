#!/usr/bin/env python3
"""Opens pages that `callwright read --format html` and `run --report` made in a browser and uses them as a person does: keys,
search, two messages compared, a hostile capture, ten thousand messages. Pictures of them are in build/browser/pages.
Exit status 77: no browser.   CALLWRIGHT_PROGRAM is the program."""
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import chromium  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = os.environ.get("CALLWRIGHT_PROGRAM", str(ROOT / "build/release/callwright"))
PICTURES = ROOT / "build" / "browser" / "pages"
SDP = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"


def capture(path, payloads):
    """A pcap of UDP datagrams between two hosts; (from the caller, payload)."""
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 101))
        for at, (right, payload) in enumerate(payloads):
            ends = (b"\xc0\x00\x02\x01", b"\xcb\x00\x71\x05")
            source, target = ends if right else ends[::-1]
            udp = struct.pack(">HHHH", 5060, 5060, 8 + len(payload), 0) + payload
            packet = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), at & 0xFFFF, 0, 64, 17, 0) + source + target + udp
            out.write(struct.pack("<IIII", 1_700_000_000 + at // 1000, at % 1000 * 1000, len(packet), len(packet)) + packet)


def request(method, call_id, cseq, extra="", body="", user="alice"):
    return (f"{method} sip:bob@biloxi.example SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK{abs(hash(call_id)) % 10**8}x{cseq}\r\n"
            f"From: <sip:{user}@atlanta.example>;tag=1\r\nTo: <sip:bob@biloxi.example>\r\nCall-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n"
            f"Max-Forwards: 70\r\nContact: <sip:{user}@192.0.2.1>\r\n{extra}Content-Length: {len(body.encode())}\r\n\r\n{body}").encode()


def response(status, reason, method, call_id, cseq, extra="", body=""):
    return (f"SIP/2.0 {status} {reason}\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK{abs(hash(call_id)) % 10**8}x{cseq}\r\n"
            f"From: <sip:alice@atlanta.example>;tag=1\r\nTo: <sip:bob@biloxi.example>;tag=2\r\nCall-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n"
            f"{extra}Content-Length: {len(body.encode())}\r\n\r\n{body}").encode()


ATTACKS = ["<script>window.owned=1</script>", "</script><script>window.owned=2</script>", "\"><img src=x onerror=window.owned=3>",
           "' onmouseover='window.owned=4", "<svg/onload=window.owned=5>", "<!--<script>", "]]></style><script>window.owned=6</script>",
           "javascript:window.owned=7", "&lt;script&gt;window.owned=8&lt;/script&gt;", "${window.owned=9}"]


def attack(path):
    payloads = []
    for at, evil in enumerate(ATTACKS):
        token = evil.replace(" ", "\u00a0")
        headers = "".join(f"{name}: {evil}\r\n" for name in
                          ("User-Agent", "Subject", "Organization", "X-<script>window.owned=10</script>", "Reason", "Warning", "P-Asserted-Identity"))
        extra = headers + "Content-Type: application/sdp\r\n"
        body = SDP + f"a={evil}\r\ni={evil}\r\n"
        first = request("INVITE", f"{at}{token}@x", 1, extra, body)
        first = first.replace(b"From: <", f'From: "{evil}" <'.encode()).replace(b"sip:bob@biloxi.example SIP", f"sip:{token}@biloxi.example SIP".encode())
        payloads += [(True, first), (False, response(486, evil, "INVITE", f"{at}{token}@x", 1, headers)),
                     (True, request("ACK", f"{at}{token}@x", 1))]
        payloads.append((True, request("MESSAGE", f"m{at}{token}", 1, f"Content-Type: multipart/mixed;boundary=\"b\"\r\nFrom: {evil}\r\n",
                                       f"--b\r\nContent-Type: text/html\r\n\r\n{evil}\r\n--b\r\nContent-Type: {evil}\r\n\r\n{evil}\r\n--b--\r\n")))
    capture(path, payloads)


# The contrast of each text with what is drawn beneath it, where it is too low.
CONTRAST = r"""(() => {
const channel = v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
const parse = text => { const m = /rgba?\(([\d.]+), ([\d.]+), ([\d.]+)(?:, ([\d.]+))?\)/.exec(text); return m && m[4] !== '0' ? m.slice(1, 4).map(Number) : null; };
const light = c => .2126 * channel(c[0]) + .7152 * channel(c[1]) + .0722 * channel(c[2]);
const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + .05) / (y + .05); };
const paper = parse(getComputedStyle(document.body).backgroundColor);
const under = node => {
    for (let at = node; at; at = at.parentElement) {
        if (at instanceof SVGElement) {
            const rect = at.tagName === 'g' && at.querySelector(':scope > rect');
            const fill = rect && !rect.classList.contains('edge') && parse(getComputedStyle(rect).fill);
            if (fill) return fill;
        } else {
            const color = parse(getComputedStyle(at).backgroundColor);
            if (color) return color;
        }
    }
    return paper;
};
const low = new Set();
let seen = 0;
for (const node of document.querySelectorAll('body *')) {
    if (![...node.childNodes].some(child => child.nodeType === 3 && child.data.trim()) || ['SCRIPT', 'STYLE', 'TITLE', 'title', 'NOSCRIPT'].includes(node.tagName) || node.id === 'said') continue;
    const style = getComputedStyle(node);
    const color = parse(node instanceof SVGElement ? style.fill : style.color);
    if (!color || !node.getClientRects().length) continue;
    ++seen;
    const found = ratio(color, under(node));
    if (found < 4.5) low.add(`${found.toFixed(2)} ${node.tagName}.${node.getAttribute('class')} in .${node.parentElement.getAttribute('class')}: ${node.textContent.slice(0, 30)}`);
}
return {seen, low: [...low]};
})()"""


class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp())
        cls.browser = chromium.Chromium()

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()

    def page_of(self, *arguments):
        page = self.folder / f"{self.id()}.html"
        subprocess.run([PROGRAM, "read", *map(str, arguments), "--format", "html", "-o", str(page)], check=True, timeout=120)
        return page

    def open(self, page, place="", **how):
        self.browser.open(page.as_uri() + place, **how)

    def is_quiet(self):
        self.assertEqual(self.browser.complaints(), [])
        self.assertEqual(self.browser.loaded(), [])

    def test_a_list_opens_a_ladder_and_keys_do_as_in_sngrep(self):
        b = self.browser
        self.open(self.page_of(ROOT / "examples/secure-call.pcapng"))
        self.assertEqual(b.run("document.querySelectorAll('#list .line').length"), 3)
        b.picture(PICTURES / "list.png")
        b.press("ArrowDown")
        b.press("j")
        b.press("Enter")
        self.assertIn("alice@lab.example", b.run("document.querySelector('h1').textContent"))
        self.assertIn("INVITE sip:bob@lab.example", b.run("document.querySelector('#side pre').textContent"))
        self.assertIn("m=audio", b.run("document.querySelector('#side').textContent"))
        b.picture(PICTURES / "ladder.png")
        b.press("j")
        self.assertIn("SIP/2.0 100", b.run("document.querySelector('#side pre').textContent"))
        self.assertIn("message=2", b.run("location.hash"))
        b.press("Space")
        b.run("jumpTo(6)")
        b.press("Space")
        self.assertTrue(b.run("document.getElementById('compare').open"))
        self.assertGreater(b.run("document.querySelectorAll('#compare tr.differs').length"), 0)
        self.assertGreater(b.run("document.querySelectorAll('#compare tr.same').length"), 0)
        b.picture(PICTURES / "compare.png")
        b.run("document.getElementById('compare').close()")
        rows = b.run("ladder.rows.length")
        b.press("m")
        self.assertLess(b.run("ladder.rows.length"), rows)
        b.press("m")
        b.press("d")
        self.assertTrue(b.run("ladder.rows.length > 0 && ladder.rows.every(row => carriesSdp(row.number))"))
        b.press("d")
        self.assertEqual(b.run("ladder.rows.length"), rows)
        b.press("t")
        self.assertTrue(b.run("document.getElementById('side').hidden"))
        b.press("r")
        self.assertFalse(b.run("document.getElementById('side').hidden"))
        b.press("?")
        self.assertTrue(b.run("document.getElementById('help').open"))
        b.run("document.getElementById('help').close()")
        b.press("Escape")
        self.assertFalse(b.run("document.getElementById('list').hidden"))
        self.is_quiet()

    def test_streams_are_charted_over_their_time(self):
        b = self.browser
        self.open(self.page_of(ROOT / "examples/secure-call.pcapng"), "#call=3&message=1")
        streams = b.run("ladder.entry.call.media.length")
        self.assertGreaterEqual(streams, 1)
        self.assertEqual(b.run("document.querySelectorAll('#side .course').length"), streams)
        self.assertEqual(b.run("document.querySelectorAll('#side .course svg').length"), 3 * streams)  # loss, jitter, MOS
        self.assertEqual(b.run("ladder.entry.courses[0].periods.reduce((sum, period) => sum + period[0], 0)"), b.run("ladder.entry.call.media[0].packets"))
        b.run("document.querySelector('#side .course').scrollIntoView({block: 'center'})")
        b.picture(PICTURES / "media.png")
        self.is_quiet()

    def test_search_marks_messages_and_filters_the_list(self):
        b = self.browser
        self.open(self.page_of(ROOT / "examples/secure-call.pcapng"))
        b.press("/")
        b.call("Input.insertText", text="call alice")
        self.assertEqual(b.run("list.shown.length"), 1)
        b.press("Enter")
        b.press("Enter")
        b.press("/")
        b.call("Input.insertText", text="m=audio")
        found = b.run("ladder.found.size")
        self.assertGreaterEqual(found, 2)
        b.press("Enter")
        b.press("n")
        self.assertTrue(b.run("ladder.found.has(ladder.rows[ladder.chosen].number)"))
        self.assertTrue(b.run("document.querySelector('#side .hit') !== null"))
        self.is_quiet()

    def test_a_deep_link_opens_its_message(self):
        page = self.page_of(ROOT / "examples/secure-call.pcapng")
        self.open(page, "#call=3&message=5")
        self.assertEqual(self.browser.run("ladder.rows[ladder.chosen].number"), 5)
        self.is_quiet()

    def test_what_is_copied_is_what_other_programs_read(self):
        self.open(self.page_of(ROOT / "examples/secure-call.pcapng"), "#call=3")
        self.assertRegex(self.browser.run("filterOf(ladder.entry.call)"), r'^sip\.Call-ID == "[^"]+"')
        self.assertRegex(self.browser.run("commandOf(ladder.entry.call)"), r"^callwright read .*secure-call\.pcapng --call '.+' --format ladder$")
        self.assertIn("sequenceDiagram", self.browser.run("ladder.entry.ladder.mermaid"))

    def test_all_of_a_hostile_capture_stays_text(self):
        b = self.browser
        attack(self.folder / "attack.pcap")
        page = self.page_of(self.folder / "attack.pcap")
        for guarded in (True, False):  # the page's own policy would hide a mistake
            if not guarded:
                text = page.read_text(encoding="utf-8")
                start = text.index('<meta http-equiv="Content-Security-Policy"')
                page.write_text(text[:start] + text[text.index(">", start) + 1:], encoding="utf-8")
            self.open(page)
            calls = b.run("list.all.length")
            self.assertGreaterEqual(calls, 2 * len(ATTACKS) - 2)
            for call in range(calls):
                b.run(f"openCall({call})")
                for row in range(b.run("ladder.rows.length")):
                    b.run(f"chooseRow({row})")
            b.run("ladder.marked = []; chooseRow(0); markForComparison(); chooseRow(1); markForComparison(); showHelp()")
            self.assertIsNone(b.run("window.owned ?? null"))
            self.assertEqual(b.run("document.querySelectorAll('img, iframe, object, embed, #side script, svg script, #list script').length"), 0)
            self.assertEqual(b.run("[...document.querySelectorAll('*')].filter(e => [...e.attributes].some(a => a.name.startsWith('on'))).length"), 0)
            self.assertEqual(b.run("document.querySelectorAll('script:not([type])').length"), 1)
            self.is_quiet()
        b.run("openCall(0)")
        self.assertIn("<script>window.owned=1</script>", b.run("document.getElementById('side').textContent"))
        b.run("document.getElementById('help').close(); document.getElementById('compare').close()")
        b.picture(PICTURES / "hostile.png")

    def test_of_ten_thousand_messages_only_those_in_sight_are_drawn(self):
        payloads = []
        for at in range(5000):
            payloads += [(True, request("OPTIONS", "long", at + 1)), (False, response(200, "OK", "OPTIONS", "long", at + 1))]
        capture(self.folder / "long.pcap", payloads)
        b = self.browser
        self.open(self.page_of(self.folder / "long.pcap"))
        self.assertGreaterEqual(b.run("ladder.rows.length"), 10_000)
        for place in (0, 0.33, 0.66, 1):
            b.run(f"byId('ladder').scrollTop = {place} * ladder.height; drawLadder()")
            self.assertLess(b.run("document.querySelectorAll('#canvas *').length"), 2500)
            self.assertGreater(b.run("document.querySelectorAll('#canvas .row-box').length"), 10)
        b.press("End")
        self.assertEqual(b.run("ladder.rows[ladder.chosen].number"), 10_000)
        self.is_quiet()

    def test_of_many_calls_only_those_in_sight_are_drawn(self):
        capture(self.folder / "many.pcap", [(True, request("OPTIONS", f"c{at}", 1, user=f"u{at}")) for at in range(3000)])
        b = self.browser
        self.open(self.page_of(self.folder / "many.pcap"))
        self.assertEqual(b.run("list.all.length"), 3000)
        self.assertLess(b.run("document.querySelectorAll('#list .line').length"), 120)
        b.press("End")
        self.assertEqual(b.run("list.shown[list.chosen].number"), 3000)
        self.is_quiet()

    def test_every_text_stands_out_from_its_ground_as_wcag_asks(self):
        attack(self.folder / "attack.pcap")
        pages = [self.page_of(ROOT / "examples/secure-call.pcapng", self.folder / "attack.pcap")]
        for dark in (False, True):
            for page in pages:
                for place in ("", "#call=3&message=1", "#call=5&message=2"):
                    self.open(page, place, dark=dark)
                    got = self.browser.run(CONTRAST)
                    self.assertGreater(got["seen"], 20)
                    self.assertEqual(got["low"], [], f"{'dark' if dark else 'light'} {place}")
                    self.browser.picture(PICTURES / f"{'dark' if dark else 'light'}{place.replace('#', '-').replace('&', '-')}.png")

    def test_redacted_pages_hold_no_message(self):
        page = self.page_of(ROOT / "examples/secure-call.pcapng", "--redact")
        text = page.read_text(encoding="utf-8")
        self.assertNotIn("lab.example", text)
        self.assertNotIn("SIP/2.0\\r\\n", text)
        self.open(page, "#call=3&message=1")
        self.assertIn("not in this report", self.browser.run("document.getElementById('side').textContent"))
        self.is_quiet()


if __name__ == "__main__":
    if not chromium.find():
        print("skipped: chromium is not installed (tools/packages.txt, section browser)")
        sys.exit(77)
    unittest.main(verbosity=2)
