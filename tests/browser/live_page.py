#!/usr/bin/env python3
"""The page of `callwright watch --web` and `serve --web` in a browser: login, calls that come, change and end, a ladder that
grows, the past, a hostile call, who may not look; what a server serves. Pictures are in build/browser/live. Exit status 77: no browser.
CALLWRIGHT_PROGRAM is the program."""
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "interop"))
import chromium  # noqa: E402
import sip  # noqa: E402
from hep import hep3, message  # noqa: E402
from page import ATTACKS, CONTRAST  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = os.environ.get("CALLWRIGHT_PROGRAM", str(ROOT / "build/release/callwright"))
PICTURES = ROOT / "build" / "browser" / "live"
SECONDS = 60


def is_quiet(test, address):
    """The page threw nothing, its policy refused nothing, and it asked nobody else for anything."""
    test.assertEqual(test.browser.complaints(), [])
    own = address.split("#")[0]
    test.assertEqual([url for url in test.browser.loaded() if not url.startswith((own, own.replace("http", "ws")))], [])


class InBrowser(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.browser = chromium.Chromium()
        cls.browser.call("Security.setIgnoreCertificateErrors", ignore=True)  # that of a page is of its run alone

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()
        cls.folder.cleanup()


class LivePage(InBrowser):
    def watch(self, *options, web=":0"):
        """A watcher with a page; its address with the token."""
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as free, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
            free.bind(("127.0.0.1", 0))  # one that TCP has free, which connections take from, and UDP
            self.port = free.getsockname()[1]
            datagrams.bind(("127.0.0.1", self.port))
        log = pathlib.Path(self.folder.name) / f"{self.id()}.log"
        with open(log, "w", encoding="utf-8") as out:
            watcher = subprocess.Popen([PROGRAM, "watch", "--hep", f"127.0.0.1:{self.port}", "--web", web, *options], stderr=out,
                                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        self.addCleanup(watcher.wait)
        self.addCleanup(watcher.terminate)
        end = time.monotonic() + SECONDS
        while not (found := re.search(r"https?://\S+", log.read_text(encoding="utf-8"))) or "watching" not in log.read_text(encoding="utf-8"):
            self.assertLess(time.monotonic(), end, log.read_text(encoding="utf-8"))
            time.sleep(0.05)
        self.agent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(self.agent.close)
        self.watcher = watcher
        return found.group(0)

    def say(self, call, first, cseq="1 INVITE", more="", evil=None):
        ends = (5070, 5060) if first.startswith("SIP/2.0") else (5060, 5070)
        text = message(first, f"{call}@example.com", cseq).replace("sip:alice@", f"sip:{call}@")
        text = text.replace("Content-Length", more + "Content-Length")
        if evil:
            text = text.replace("From: <", f'From: "{evil}" <')
        self.agent.sendto(hep3(text, *ends), ("127.0.0.1", self.port))

    def call(self, name, *, status=200, hang_up=True):
        self.say(name, "INVITE sip:bob@example.com SIP/2.0")
        self.say(name, "SIP/2.0 180 Ringing")
        self.say(name, f"SIP/2.0 {status} {'OK' if status == 200 else 'Busy Here'}")
        self.say(name, "ACK sip:bob@example.com SIP/2.0", "1 ACK")
        if status == 200 and hang_up:
            self.say(name, "BYE sip:bob@example.com SIP/2.0", "2 BYE")
            self.say(name, "SIP/2.0 200 OK", "2 BYE")

    def is_quiet(self, address):
        is_quiet(self, address)

    def text(self):
        return self.browser.run("document.querySelector('#list-rows').textContent")

    def test_calls_come_change_and_end_and_a_ladder_grows(self):
        b = self.browser
        address = self.watch()
        b.open(address)
        b.wait_for("document.body.textContent.includes('Waiting for the first call')")
        self.assertEqual(b.run("location.hash"), "", "the token does not stay in the address")
        self.say("anna", "INVITE sip:bob@example.com SIP/2.0")
        b.wait_for("document.querySelector('#list-rows').textContent.includes('anna@')")
        self.assertIn("trying", self.text())
        self.say("anna", "SIP/2.0 180 Ringing")
        b.wait_for("document.querySelector('#list-rows').textContent.includes('ringing')")
        for i in range(30):
            self.call(f"user{i}", status=486 if i % 5 == 0 else 200, hang_up=i % 3 > 0)
        b.wait_for("document.querySelectorAll('#list .line').length > 20")
        b.wait_for("document.querySelector('#cards')?.children.length === 5")
        b.wait_for("document.querySelector('.shares svg path.bad')?.getAttribute('d').startsWith('M')")  # in clear, over time
        b.picture(PICTURES / "list.png")
        b.run("document.querySelector('#search').value = 'anna'; document.querySelector('#search').dispatchEvent(new Event('input'))")
        b.wait_for("document.querySelectorAll('#list .line').length === 1")
        b.run("document.querySelector('#list-rows').focus()")
        b.press("Enter")
        b.wait_for("document.querySelector('#title').textContent.includes('anna@')")
        self.assertIn("Call-ID: anna@example.com", b.run("document.querySelector('#side pre').textContent"))
        self.assertFalse(b.run("document.querySelector('#copy-mermaid').hidden"))
        self.assertTrue(b.run("document.querySelector('#copy-command').hidden"), "nothing is kept that a command could show")
        b.press("ArrowDown")
        self.say("anna", "SIP/2.0 200 OK")
        self.say("anna", "ACK sip:bob@example.com SIP/2.0", "1 ACK")
        b.wait_for("[...document.querySelectorAll('#canvas .row-box')].some(row => row.textContent.includes('ACK'))")
        self.assertEqual(b.run("location.hash").split("&")[0], f"#call=live-1")
        b.picture(PICTURES / "ladder.png")
        b.press("Escape")
        b.wait_for("document.querySelector('#list').hidden === false")
        self.is_quiet(address)

    def test_it_looks_well_in_the_dark_and_its_contrast_is_enough(self):
        b = self.browser
        address = self.watch()
        for i in range(24):
            self.call(f"user{i}", status=486 if i % 4 == 0 else 200, hang_up=i % 3 > 0)
        for dark in (False, True):
            b.open(address, dark=dark)
            b.wait_for("document.querySelectorAll('#list .line').length > 20 && document.querySelector('#cards')?.children.length === 5")
            got = b.run(CONTRAST)
            self.assertGreater(got["seen"], 100)
            self.assertEqual(got["low"], [])
            b.picture(PICTURES / ("dark.png" if dark else "light.png"))

    def test_the_past_is_searched_and_shown(self):
        b = self.browser
        store = os.path.join(self.folder.name, "past.db")
        address = self.watch("--store", store)
        for i in range(8):
            self.call(f"past{i}", status=486 if i % 2 else 200)
        b.open(address)
        b.wait_for("!document.querySelector('#tabs').hidden")
        b.run("document.querySelector('[data-tab=past]').click()")
        end = time.monotonic() + SECONDS
        while b.run("document.querySelectorAll('#list .line').length") != 8:  # when they have ended
            self.assertLess(time.monotonic(), end)
            b.run("document.querySelector('#search').dispatchEvent(new Event('input'))")
            time.sleep(0.5)
        b.run("document.querySelector('#search').value = 'past3 486'; document.querySelector('#search').dispatchEvent(new Event('input'))")
        b.wait_for("document.querySelectorAll('#list .line').length === 1")
        b.picture(PICTURES / "past.png")
        b.run("document.querySelector('#list-rows').focus()")
        b.press("Enter")
        b.wait_for("document.querySelector('#title').textContent.includes('past3@')")
        self.assertIn("SIP/2.0 486", b.run("document.querySelector('#canvas').textContent + document.querySelector('#side').textContent")
                      .replace("486 Busy", "SIP/2.0 486"))
        self.assertRegex(b.run("location.hash"), r"^#call=stored-\d+")
        self.assertRegex(b.run("commandOf(ladder.entry.call)"), r"^callwright search --store '.*past.db' '.past3@example.com.' --format ladder$")
        self.is_quiet(address)

    def test_whatever_a_call_says_stays_text(self):
        b = self.browser
        store = os.path.join(self.folder.name, "evil.db")
        address = self.watch("--store", store)
        b.open(address)
        b.wait_for("document.body.textContent.includes('Waiting for the first call')")
        for at, evil in enumerate(ATTACKS):
            more = "".join(f"{name}: {evil}\r\n" for name in ("User-Agent", "Subject", "X-<script>window.owned=10</script>", "Reason", "Warning"))
            token = evil.replace(" ", "")
            self.say(f"{at}{token}", f"INVITE sip:{token}@example.com SIP/2.0", more=more, evil=evil)
            self.say(f"{at}{token}", f"SIP/2.0 486 {evil}", more=more, evil=evil)
            self.say(f"{at}{token}", f"ACK sip:{token}@example.com SIP/2.0", "1 ACK", more=more, evil=evil)
        b.wait_for(f"document.querySelectorAll('#list .line').length >= {len(ATTACKS)}")
        for _ in range(len(ATTACKS)):
            b.press("Enter")
            b.wait_for("!document.querySelector('#flow').hidden")
            for _ in range(3):
                b.press("ArrowDown")
            b.press("Escape")
            b.wait_for("!document.querySelector('#list').hidden")
            b.press("ArrowDown")
        b.run("document.querySelector('[data-tab=past]').click()")
        end = time.monotonic() + SECONDS
        while b.run("document.querySelectorAll('#list .line').length") < len(ATTACKS):
            self.assertLess(time.monotonic(), end)
            b.run("document.querySelector('#search').dispatchEvent(new Event('input'))")
            time.sleep(0.5)
        self.assertIsNone(b.run("window.owned ?? null"))
        self.assertEqual(b.run("document.querySelectorAll('#list img, #flow img, #side img, #side script, #list script').length"), 0)
        self.is_quiet(address)

    def test_who_has_no_token_sees_nothing(self):
        b = self.browser
        address = self.watch()
        own = address.split("#")[0]
        b.open(own)
        b.wait_for("!document.querySelector('#login').hidden")
        b.picture(PICTURES / "login.png")
        b.run("document.querySelector('#token').value = 'wrong'; document.querySelector('#login button').click()")
        b.wait_for("document.querySelector('#login-said').textContent !== ''")
        self.assertEqual(b.run("getComputedStyle(document.querySelector('main')).display"), "none")
        b.run(f"document.querySelector('#token').value = '{address.split('token=')[1]}'; document.querySelector('#login button').click()")
        b.wait_for("document.querySelector('#login').hidden && !document.body.classList.contains('locked')")
        port = own.rstrip("/").rsplit(":", 1)[1]
        cookie = next(one for one in b.call("Network.getCookies", urls=[own])["cookies"] if one["name"].endswith(port))
        self.assertTrue(cookie["httpOnly"])
        self.assertEqual(cookie["sameSite"], "Strict")

        def status(path, headers, data=None):
            try:
                with urllib.request.urlopen(urllib.request.Request(own + path, headers=headers, data=data), timeout=10,
                                            context=sip.trusting_nobody()) as answer:
                    return answer.read() if path == "session" else answer.status
            except urllib.error.HTTPError as error:
                return error.code

        upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Protocol": "callwright",
                   "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
        good = {"Cookie": f"{cookie['name']}={cookie['value']}"}
        self.assertEqual(status("session", {}), b"no\n")
        self.assertEqual(status("session", good), b"yes\n")
        self.assertEqual(status("live", upgrade), 401, "without a session")
        self.assertEqual(status("live", {**upgrade, **good, "Origin": "http://evil.example"}), 403, "another site's page")
        self.assertEqual(status("login", {"Origin": "http://evil.example"}, b"x"), 403)
        self.assertEqual(status("etc/passwd", {}), 404)
        guesses = [status("login", {"Origin": own.rstrip("/")}, b"guess") for _ in range(12)]
        self.assertIn(429, guesses, "who guesses is slowed down")

    def test_it_is_tls_unless_loopback_alone_is_told_otherwise(self):
        self.assertTrue(self.watch().startswith("https://127.0.0.1:"))
        self.assertTrue(self.watch(web="0.0.0.0:0").startswith("https://"))
        address = self.watch("--web-http")
        self.assertTrue(address.startswith("http://127.0.0.1:"), address)
        self.browser.open(address)
        self.browser.wait_for("document.body.textContent.includes('Waiting for the first call')")
        refused = subprocess.run([PROGRAM, "watch", "--hep", "127.0.0.1:0", "--web", "0.0.0.0:0", "--web-http"], capture_output=True,
                                 text=True, timeout=SECONDS, check=False)
        self.assertEqual(refused.returncode, 2, refused.stderr)
        self.assertIn("loopback", refused.stderr)


class ServerPage(InBrowser):
    """A server of ours shows what it serves: the calls that it forwards, registrations, handshakes."""

    def serve(self, *options):
        data = pathlib.Path(self.folder.name) / self.id()
        log = data.with_suffix(".log")
        with open(log, "w", encoding="utf-8") as out:
            server = subprocess.Popen(
                [PROGRAM, "serve", "--listen", "tls:127.0.0.1:0", "--user", "alice:swordfish", "--user", "bob:swordfish", "--data", str(data),
                 "--web", ":0", *options], stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        self.addCleanup(server.wait)
        self.addCleanup(server.terminate)
        end = time.monotonic() + SECONDS
        while "callwright: ready" not in (said := log.read_text(encoding="utf-8")):
            self.assertLess(time.monotonic(), end, said)
            self.assertIsNone(server.poll(), said)
            time.sleep(0.05)
        self.port = int(re.search(r"listening on tls:127.0.0.1:(\d+)", said)[1])
        token = (data / "web-token").read_text(encoding="utf-8").strip()
        self.assertNotIn(token, said, "what is no terminal may be a log")
        self.assertEqual((data / "web-token").stat().st_mode & 0o777, 0o600)
        return f"{re.search(r'page at (https://[^ ,]+)', said)[1]}#token={token}", str(data / "ca.pem")

    def agent(self, user, authority):
        link = sip.Connection("tls", ("127.0.0.1", self.port), tls=sip.trusting(authority))
        self.addCleanup(link.close)
        return sip.Agent(user, "localhost", "swordfish", link)

    def test_it_shows_registrations_calls_and_handshakes(self):
        b = self.browser
        store = os.path.join(self.folder.name, "served.db")
        address, authority = self.serve("--store", store)
        b.open(address)
        b.wait_for("document.body.textContent.includes('Waiting for the first call')")
        b.wait_for("document.querySelector('header').textContent.includes('this server')")
        alice, bob = self.agent("alice", authority), self.agent("bob", authority)
        alice.register()
        bob.register()
        b.wait_for("document.querySelectorAll('#list .line').length === 2")
        self.assertIn("alice@localhost", b.run("document.querySelector('#list-rows').textContent"))
        alice.call(bob)
        b.wait_for("document.querySelector('#list-rows').textContent.includes('up, ')")
        b.run("document.querySelector('#search').value = 'up,'; document.querySelector('#search').dispatchEvent(new Event('input'))")
        b.wait_for("document.querySelectorAll('#list .line').length === 1")
        b.run("document.querySelector('#list-rows').focus()")
        b.press("Enter")
        b.wait_for("document.querySelector('#canvas').textContent.includes('200 OK')")
        self.assertEqual(b.run("document.querySelectorAll('#canvas .pill').length"), 2, "a handshake with each of the two")
        self.assertEqual(b.run("document.querySelectorAll('#heads .column').length"), 3, "both legs, decrypted")
        alice.hang_up(bob)
        b.wait_for("document.querySelector('#chips').textContent.includes('completed')")
        b.picture(PICTURES / "serve.png")
        is_quiet(self, address)
        b.press("Escape")
        b.run("document.querySelector('#search').value = ''; document.querySelector('[data-tab=past]').click()")
        end = time.monotonic() + SECONDS * 2
        while "alice@localhost" not in b.run("document.querySelector('#list-rows').textContent"):  # when it is past
            self.assertLess(time.monotonic(), end)
            b.run("document.querySelector('#search').dispatchEvent(new Event('input'))")
            time.sleep(0.5)


if __name__ == "__main__":
    if not chromium.find():
        print("skipped: there is no Chromium (tools/packages.txt, section test)")
        sys.exit(77)
    unittest.main(verbosity=2)
