#!/usr/bin/env python3
"""`callwright read -i` and `callwright watch` in a real terminal (tmux, 80×24): sngrep's own walk through list, ladder, message
and comparison, key by key, on a capture and while calls go on; other sizes and kinds of terminal. Exit status 77: no tmux.
CALLWRIGHT_PROGRAM is the program."""
import fcntl
import os
import pathlib
import pty
import re
import select
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "interop"))
from hep import hep3, message  # noqa: E402

PROGRAM = os.environ.get("CALLWRIGHT_PROGRAM", str(ROOT / "build/release/callwright"))
EXAMPLE = ROOT / "examples/secure-call.pcapng"
SECONDS = 60  # that a screen may take on a busy machine


class Terminal:
    """A tmux server of its own with one window, in which a shell waits."""

    def __init__(self, folder, width=80, height=24, kind="screen-256color", locale="C.UTF-8"):
        self.socket = str(pathlib.Path(folder) / "tmux")
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(width), "-y", str(height), "-c", folder,
                  "env", f"TERM={kind}", f"LC_ALL={locale}", f"PS1=ready$ ", "sh",
                  environment={**os.environ, "LC_ALL": "C.UTF-8", "SHELL": "/bin/sh"})
        self.wait_for("ready$")

    def tmux(self, *arguments, environment=None):
        return subprocess.run(["tmux", "-u", "-S", self.socket, *arguments], check=True, capture_output=True, text=True,
                              timeout=SECONDS, env=environment).stdout

    def start(self, *options):
        self.keys(f"{PROGRAM} read {EXAMPLE} -i {' '.join(options)}", "Enter")
        self.wait_for("3 of 3 calls")

    def keys(self, *keys):
        self.tmux("send-keys", *keys)

    def save(self, name, *keys, offers):
        """In the dialog, which offers that: types the name, and then the keys."""
        self.keys("F2")
        self.wait_for(*offers, "as: calls.pcapng")
        self.keys("C-u")
        self.keys("-l", name)
        self.keys(*keys)

    def screen(self, colours=False):
        return self.tmux("capture-pane", "-p", *(["-e"] if colours else []))

    def wait_for(self, *texts):
        end = time.monotonic() + SECONDS
        while True:
            screen = self.screen()
            if all(text in screen for text in texts):
                return screen
            if time.monotonic() > end:
                raise AssertionError(f"{texts} never came:\n{screen}")
            time.sleep(0.05)

    def close(self):
        self.tmux("kill-server")


class InTerminal(unittest.TestCase):
    def terminal(self, **how):
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder, True)
        terminal = Terminal(folder, **how)
        self.addCleanup(terminal.close)
        return terminal


class Screen(InTerminal):
    def test_the_walk_of_sngrep(self):
        t = self.terminal()
        t.start()
        t.wait_for("bob@l", "alice", "F7 Filter")
        t.keys("/", "c", "a", "l", "l", "Space", "Enter")
        t.wait_for("1 of 3 calls")
        t.keys("F5")
        t.wait_for("3 of 3 calls")
        t.keys("F7")
        t.wait_for("Filter:")
        t.keys("-l", "method == INVITE")
        t.keys("Enter")
        t.wait_for("1 of 3 calls", "filter: method == INVITE")
        t.keys("Enter")
        t.wait_for("Call 3 of 3", "INVITE SRTP", "SRTP PCMU")
        t.keys("F3")
        end = time.monotonic() + SECONDS
        while "SRTP PCMU" in t.screen():
            self.assertLess(time.monotonic(), end)
        t.keys("F3")
        t.wait_for("SRTP PCMU")
        t.keys("Enter")
        t.wait_for("Message 1 of 13", "INVITE sip:bob@lab.example", "Call-ID:")
        t.keys("q")
        t.wait_for("Call 3 of 3")
        t.keys("Space", "j", "Space")
        t.wait_for("Message 1 ", "Message 2", " # ")
        t.keys("Escape")
        t.wait_for("Call 3 of 3")
        t.keys("?")
        t.wait_for("Keys", "compare them")
        t.keys("q", "q")
        t.wait_for("1 of 3 calls")
        offers = ("call 3, the chosen one", "(*) the 1 that are shown", "( ) all 3")
        t.save("call.mmd", "Enter", offers=offers)
        t.wait_for("1 call saved in call.mmd")
        self.assertIn("sequenceDiagram", (pathlib.Path(t.socket).parent / "call.mmd").read_text(encoding="utf-8"))
        t.save("call.pcapng", "Enter", offers=offers)
        t.wait_for("1 call saved in call.pcapng")
        read = subprocess.run([PROGRAM, "read", "call.pcapng"], cwd=pathlib.Path(t.socket).parent, capture_output=True, text=True,
                              timeout=SECONDS, check=True).stdout
        self.assertIn("2 TLS connections, 2 decrypted", read)  # as it was captured, with its secrets
        t.save("call.messages.pcapng", "Enter", offers=offers)
        t.wait_for("1 call saved in call.messages.pcapng")
        read = subprocess.run([PROGRAM, "read", "call.messages.pcapng"], cwd=pathlib.Path(t.socket).parent, capture_output=True,
                              text=True, timeout=SECONDS, check=True).stdout
        self.assertIn("13 SIP messages", read)
        t.save("call.mmd", "Up", "Enter", offers=offers)
        t.wait_for("call.mmd is there already. Overwrite it? (y/n)")
        t.keys("y")
        t.wait_for("1 call saved in call.mmd")
        t.keys("q")
        t.wait_for("ready$")
        self.assertNotIn("F7 Filter", t.screen())

    def test_several_calls_on_one_ladder_and_their_messages(self):
        t = self.terminal(width=120, height=50)
        t.start()
        t.keys("Space", "Space", "Enter")
        t.wait_for("2 calls", "REGISTER")
        t.keys("w")
        t.wait_for("00:00:00.000")
        t.keys("F5")
        t.wait_for("A column for each address and port", "10.9.0.1:44608")
        t.keys("F6")
        t.wait_for("All 16 messages", "REGISTER sip:lab.example")
        t.keys("q", "q")
        t.wait_for("2 selected")
        t.keys("K")
        t.wait_for("f Filter")

    def test_keys_are_bound_by_a_file(self):
        t = self.terminal()
        folder = pathlib.Path(t.socket).parent
        (folder / "callwright").mkdir()
        (folder / "callwright" / "keys").write_text("# mine\nv = enter\n  W = q \n", encoding="utf-8")
        t.keys(f"export XDG_CONFIG_HOME={folder}", "Enter")
        t.start()
        t.keys("End", "v")
        t.wait_for("Call 3 of 3")
        t.keys("W")
        t.wait_for("3 of 3 calls")

    def test_a_wide_terminal_shows_the_message_beside_the_ladder_and_follows_its_size(self):
        t = self.terminal(width=160, height=40)
        t.start()
        t.keys("End", "Enter")
        t.wait_for("Call 3 of 3", "INVITE sip:bob@lab.example", "t Pane")
        t.tmux("resize-window", "-x", "80", "-y", "24")
        end = time.monotonic() + SECONDS
        while "INVITE sip:bob@lab.example" in t.screen():
            self.assertLess(time.monotonic(), end)
        self.assertIn("Call 3 of 3", t.screen())
        t.tmux("resize-window", "-x", "200", "-y", "50")
        t.wait_for("INVITE sip:bob@lab.example")

    def test_colours_are_as_many_as_the_terminal_has(self):
        for kind, locale, there, not_there in (("screen-256color", "C.UTF-8", "\x1b[32m", None), ("screen", "C.UTF-8", "\x1b[32m", "48;5"),
                                               ("dumb", "C", None, "\x1b[32m")):
            t = self.terminal(kind=kind, locale=locale)
            t.start()
            screen = t.screen(colours=True)
            self.assertTrue(there is None or there in screen, screen)
            self.assertTrue(not_there is None or not_there not in screen, screen)
            if locale == "C":
                self.assertTrue(screen.replace("\x1b", "").isascii(), screen)

    def test_the_terminal_is_as_before_when_the_program_is_told_to_end(self):
        t = self.terminal()
        t.start()
        pid = t.tmux("display-message", "-p", "#{pane_pid}").strip()
        child = subprocess.run(["pgrep", "-P", pid], capture_output=True, text=True, check=True).stdout.split()[0]
        os.kill(int(child), 15)
        t.wait_for("ready$")
        t.keys("echo back again", "Enter")
        t.wait_for("\nback again")

    def test_without_a_terminal_it_says_so(self):
        got = subprocess.run([PROGRAM, "read", str(EXAMPLE), "-i"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                             timeout=SECONDS, start_new_session=True, check=False)
        self.assertEqual(got.returncode, 3)
        self.assertIn("no terminal", got.stderr)


class Loading(InTerminal):
    """The screen of a load stands where it stood before, also where lines are longer than the terminal is wide."""

    def test_each_second_is_drawn_in_the_place_of_the_last(self):
        t = self.terminal(width=44, height=20)
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder, True)
        flow = pathlib.Path(folder) / "a_name_that_is_longer_than_the_terminal_is_wide.mmd"
        flow.write_text("sequenceDiagram\n    actor alice as Alice\n    participant proxy as Proxy\n"
                        "    alice->>proxy: INVITE sip:nobody@example.com\n    proxy-->>alice: 200 OK\n")
        t.keys(f"clear; {PROGRAM} load {flow} --rate 10 --for 60s", "Enter")
        t.wait_for("3 s   ", "Ctrl-C ends it")
        screen = t.screen()
        self.assertEqual(1, screen.count("Ctrl-C ends it"), screen)
        self.assertEqual(1, screen.count("in progress"), screen)
        t.keys("C-c")
        t.wait_for("failed\nready$")


class WhileReading(unittest.TestCase):
    """Rows are there before a capture is read to its end. All that the program draws is kept, so nothing has to be caught in time."""

    CALLS = 100_000  # far more than can be read before the first look

    def capture(self, folder):
        path = pathlib.Path(folder) / "many.pcap"
        ip = struct.Struct("!BBHHHBBH4s4sHHHH")
        here, there = socket.inet_aton("192.0.2.1"), socket.inet_aton("192.0.2.9")
        with open(path, "wb") as file:
            file.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 101))  # raw IP
            for i in range(self.CALLS):
                for first, source, target in (("OPTIONS sip:bob@b.example SIP/2.0", here, there), ("SIP/2.0 200 OK", there, here)):
                    text = (f"{first}\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{i}\r\nFrom: <sip:u{i}@a.example>;tag=1\r\n"
                            f"To: <sip:bob@b.example>\r\nCall-ID: {i}@a\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n").encode()
                    packet = ip.pack(0x45, 0, 28 + len(text), 0, 0, 64, 17, 0, source, target, 5060, 5060, 8 + len(text), 0) + text
                    file.write(struct.pack("<IIII", 1_700_000_000 + i // 1000, i % 1000 * 1000, len(packet), len(packet)) + packet)
        return path

    def test_rows_are_shown(self):
        with tempfile.TemporaryDirectory() as folder:
            path = self.capture(folder)
            pid, terminal = pty.fork()
            if pid == 0:
                os.execvpe(PROGRAM, [PROGRAM, "read", str(path), "-i"], {**os.environ, "TERM": "xterm", "LC_ALL": "C.UTF-8"})
            fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
            drawn = b""
            end = time.monotonic() + 4 * SECONDS
            over = False
            try:
                while True:
                    self.assertLess(time.monotonic(), end, drawn[-3000:])
                    if select.select([terminal], [], [], 1)[0]:
                        drawn += os.read(terminal, 65536)
                    if not over and b"100000 of 100000 calls    " in drawn[-4000:]:  # nothing goes on any more
                        os.write(terminal, b"q")
                        over = True
            except OSError:  # it has left
                pass
            self.assertEqual(0, os.waitpid(pid, 0)[1])
            early = [int(count) for count in re.findall(rb"of (\d+) calls \xc2\xb7 (?:\x1b\[\d+m)?reading, ", drawn)]
            self.assertTrue(any(0 < count < self.CALLS for count in early), early)


class Watching(InTerminal):
    """Calls that a capture agent reports, while they go on."""

    def watching(self, *options, **how):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        t = self.terminal(**how)
        t.keys(f"{PROGRAM} watch --hep 127.0.0.1:{self.port} {' '.join(options)}", "Enter")
        t.wait_for("0 of 0 calls", "hep 127.0.0.1")
        self.agent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(self.agent.close)
        return t

    def say(self, call, first, cseq="1 INVITE"):
        ends = (5070, 5060) if first.startswith("SIP/2.0") else (5060, 5070)
        text = message(first, f"{call}@example.com", cseq).replace("sip:alice@", f"sip:{call}@")
        self.agent.sendto(hep3(text, *ends), ("127.0.0.1", self.port))

    def hang_up(self, call):
        self.say(call, "BYE sip:bob@example.com SIP/2.0", "2 BYE")
        self.say(call, "SIP/2.0 200 OK", "2 BYE")

    def test_calls_appear_change_and_end_while_one_looks(self):
        t = self.watching()
        self.say("anna", "INVITE sip:bob@example.com SIP/2.0")
        t.wait_for("1 of 1 calls", "anna@", "trying")
        self.say("anna", "SIP/2.0 180 Ringing")
        t.wait_for("ringing", "p Pause")
        self.say("carl", "INVITE sip:bob@example.com SIP/2.0")
        t.wait_for("2 of 2 calls", "carl@")
        t.keys("Enter")  # the first is chosen still
        t.wait_for("180 Ringing", "anna@")
        self.say("anna", "SIP/2.0 200 OK")
        self.say("anna", "ACK sip:bob@example.com SIP/2.0", "1 ACK")
        t.wait_for("200 OK", "ACK")
        t.keys("Enter")
        t.wait_for("Message 1 of 4", "Call-ID: anna@example.com")
        t.keys("q")
        t.wait_for("180 Ringing")
        t.keys("q")
        t.wait_for("2 of 2 calls", "up, ")
        self.hang_up("anna")
        t.wait_for("✓ comple")
        self.say("carl", "SIP/2.0 486 Busy Here")
        self.say("carl", "ACK sip:bob@example.com SIP/2.0", "1 ACK")
        t.wait_for("busy (486)")
        t.keys("F7")
        t.wait_for("Filter:")
        t.keys("-l", "state == busy")
        t.keys("Enter")
        t.wait_for("1 of 2 calls", "carl@")
        self.say("dora", "INVITE sip:bob@example.com SIP/2.0")
        t.wait_for("1 of 3 calls")
        self.say("dora", "SIP/2.0 486 Busy Here")
        t.wait_for("2 of 3 calls", "dora@")
        t.keys("F7")
        t.wait_for("Filter:")
        t.keys("C-u", "Enter")
        t.wait_for("3 of 3 calls")
        t.keys("z")
        t.wait_for("time^")
        t.keys("p")
        t.wait_for("paused")
        self.say("emil", "INVITE sip:bob@example.com SIP/2.0")
        time.sleep(1)
        self.assertNotIn("emil", t.screen())
        t.keys("p")
        t.wait_for("4 of 4 calls", "emil@")
        # Ended calls are forgotten when one asks for it; the others stay.
        end = time.monotonic() + SECONDS
        while "1 of 1 calls" not in t.screen():
            self.assertLess(time.monotonic(), end, t.screen())
            t.keys("F5")
            time.sleep(0.5)
        t.wait_for("emil@")
        t.keys("q")
        t.wait_for("1 of 1 calls is not saved")
        t.keys("n", "q")
        t.wait_for("Leave? (y/n, s saves)")
        t.keys("s")
        t.wait_for("(*) all 1", "as: calls.pcapng")
        t.keys("C-u")
        t.keys("-l", "emil.txt")
        t.keys("Enter")
        t.wait_for("1 call saved in emil.txt")
        self.say("fred", "INVITE sip:bob@example.com SIP/2.0")
        t.wait_for("fred@")
        t.keys("q")
        t.wait_for("not saved")
        t.keys("y")
        t.wait_for("ready$")

    def test_who_has_them_in_a_file_anyway_is_not_asked(self):
        t = self.watching("--write", "all.pcapng")
        self.say("anna", "INVITE sip:bob@example.com SIP/2.0")
        t.wait_for("1 of 1 calls", "anna@")
        t.keys("q")
        t.wait_for("ready$")

    def test_no_more_calls_are_kept_than_asked_for(self):
        t = self.watching("--keep", "20")
        for i in range(60):
            self.say(f"c{i:02}", "MESSAGE sip:bob@example.com SIP/2.0", "1 MESSAGE")
            self.say(f"c{i:02}", "SIP/2.0 200 OK", "1 MESSAGE")
            time.sleep(0.005)
        t.wait_for("60 of 60 calls")
        end = time.monotonic() + SECONDS
        while (kept := int((screen := t.screen()).split(" of ")[1].split(" ")[0])) > 20:  # until they have ended
            self.assertLess(time.monotonic(), end, screen)
            time.sleep(0.1)
        self.assertEqual(kept, 19, screen)  # some more go at once, so that it happens seldom
        t.keys("End")
        t.wait_for("c59@")


if __name__ == "__main__":
    if not shutil.which("tmux"):
        print("skipped: tmux is not installed (tools/packages.txt, section test)")
        sys.exit(77)
    unittest.main(verbosity=2)
