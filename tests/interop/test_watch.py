"""callwright watch: calls of a wire that are decrypted while they happen, and what a real Kamailio's capture agent reports."""
import json
import os
import signal
import socket
import subprocess
import time
import unittest

from harness import PROGRAM, SOURCE, InteropTest, Process, free_port, need, wait_for
from hep import hep3, message
from servers import KAMAILIO_MODULES, listens, write

KAMAILIO = """#!KAMAILIO
debug=2
log_stderror=yes
children=1
auto_aliases=no
listen=udp:127.0.0.1:{port}
mpath="{modules}"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "siptrace.so"
modparam("siptrace", "duplicate_uri", "sip:127.0.0.1:{hep}")
modparam("siptrace", "hep_mode_on", 1)
modparam("siptrace", "hep_version", 3)
modparam("siptrace", "trace_to_database", 0)
modparam("siptrace", "trace_on", 1)
modparam("siptrace", "trace_mode", 1)
request_route {{ sl_send_reply("200", "OK"); exit; }}
"""


class Watch(InteropTest):
    def watch(self, *options):
        """A watcher that has opened all, and writes an object a call."""
        watcher = self.started(Process("watch", [PROGRAM, "watch", "--format", "json", *options], self.folder))
        wait_for("the watcher watches, or has ended", lambda: "watching" in watcher.log() or not watcher.running())
        if "not permitted" in watcher.log():
            self.skipTest("capturing is not permitted here")
        self.assertIn("callwright: watching", watcher.log())
        return watcher

    def calls(self, watcher):
        """What it has shown so far."""
        return [json.loads(line) for line in watcher.log().splitlines() if line.startswith("{")]

    def ended(self, watcher):
        os.kill(watcher.pid, signal.SIGINT)
        self.assertEqual(0, watcher.wait_exit(20), watcher.log())
        return self.calls(watcher)


class Wire(Watch):
    def test_a_secure_call_is_decrypted_while_it_happens(self):
        keys = os.path.join(self.folder, "tls.keys")
        stored = os.path.join(self.folder, "stored.pcapng")
        watcher = self.watch("-i", "lo", "--keys", keys, "--write", stored)
        done = subprocess.run([PROGRAM, "run", os.path.join(SOURCE, "flows", "secure-call.mmd"), "--keys-out", keys],
                              capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)

        def secure_calls():
            return [call for call in self.calls(watcher) if call["kind"] == "call" and call["from"] == "sip:alice@example.com"
                    and all(m["transport"] == "tls" for m in call["messages"])]

        # Shown while the watcher goes on, not at its end.
        call = wait_for("the call is shown", secure_calls, 30)[0]
        self.assertEqual("completed", call["state"])
        self.assertGreaterEqual(len(call["messages"]), 14)
        self.ended(watcher)
        again = subprocess.run([PROGRAM, "read", stored, "--format", "json", "--call", call["call_ids"][0]],
                               capture_output=True, text=True, timeout=60, check=True)
        read = json.loads(again.stdout)["calls"][0]
        self.assertEqual([(m["method"], m["status"]) for m in call["messages"]], [(m["method"], m["status"]) for m in read["messages"]])
        self.assertEqual(0o600, os.stat(stored).st_mode & 0o777, "the file holds secrets")


class Agents(Watch):
    def test_hep_over_udp_and_tcp_from_an_agent(self):
        port = free_port()
        watcher = self.watch("--hep", f"127.0.0.1:{port}")
        flow = [("INVITE sip:bob@example.com SIP/2.0", "1 INVITE", 5060, 5070), ("SIP/2.0 486 Busy Here", "1 INVITE", 5070, 5060),
                ("ACK sip:bob@example.com SIP/2.0", "1 ACK", 5060, 5070)]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.create_connection(("127.0.0.1", port)) as tcp:
            for first, cseq, source, destination in flow:
                udp.sendto(hep3(message(first, "udp@example.com", cseq), source, destination), ("127.0.0.1", port))
                packet = hep3(message(first, "tcp@example.com", cseq), source, destination)
                tcp.sendall(packet[:100])  # in pieces, as streams come
                time.sleep(0.01)
                tcp.sendall(packet[100:])
            udp.sendto(b"HEP3\xff\xff nonsense", ("127.0.0.1", port))
            time.sleep(0.5)
        calls = {call["legs"][0]["call_id"]: call for call in self.ended(watcher)}
        self.assertEqual({"udp@example.com", "tcp@example.com"}, set(calls))
        for call in calls.values():
            self.assertEqual("busy", call["state"], call)
            self.assertEqual(3, len(call["messages"]))
            self.assertEqual("127.0.0.1:5060", call["messages"][0]["src"])

    def test_what_kamailio_traces(self):
        need("kamailio", "sipsak")
        hep, port = free_port(), free_port()
        watcher = self.watch("--hep", f"127.0.0.1:{hep}")
        config = write(os.path.join(self.folder, "kamailio.cfg"),
                       KAMAILIO.format(port=port, hep=hep, modules=KAMAILIO_MODULES))
        kamailio = self.started(Process("kamailio", ["/usr/sbin/kamailio", "-DD", "-E", "-m", "64", "-M", "8", "-x", "qm", "-X",
                                                     "qm", "-Y", self.folder, "-f", config], self.folder))
        wait_for("Kamailio listens", lambda: kamailio.running() and listens(port, "udp"))
        subprocess.run(["sipsak", "-s", f"sip:someone@127.0.0.1:{port}"], check=True, timeout=20, capture_output=True)
        time.sleep(0.5)
        calls = self.ended(watcher)
        self.assertEqual(1, len(calls), calls)
        self.assertEqual([("OPTIONS", None), (None, 200)], [(m["method"], m["status"]) for m in calls[0]["messages"]])


class Refused(InteropTest):
    def test_what_cannot_be_opened_is_said_with_its_name(self):
        taken = free_port()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.1", taken))
            for options, status, words in (
                    (["-i", "no-such-interface"], 3, "no-such-interface: "),
                    (["--hep", f"127.0.0.1:{taken}"], 3, f"127.0.0.1:{taken}, udp: bind: Address already in use"),
                    (["--hep", "nowhere"], 2, "--hep nowhere: not an address"),
                    (["--hep", ":0", "--filter", "colour = 3"], 2, "--filter: column 1"),
                    (["--hep", ":0", "--write", "/no/such/folder/x.pcapng"], 3, "/no/such/folder/x.pcapng: No such file"),
                    (["--hep", ":0", "--format", "svgz"], 2, "--format")):
                with self.subTest(options=options):
                    done = subprocess.run([PROGRAM, "watch", "--for", "1", *options], capture_output=True, text=True, timeout=30,
                                          check=False)
                    self.assertEqual(status, done.returncode, done.stderr)
                    self.assertIn(words, done.stderr)


@unittest.skipUnless(os.geteuid() == 0, "only root can become somebody else")
class Users(InteropTest):
    """Who may not write where the files are to be is refused before anything is made or emptied."""

    def refused(self, *options):
        done = subprocess.run([PROGRAM, "watch", "--hep", "127.0.0.1:0", "--format", "json", *options], capture_output=True,
                              text=True, timeout=60, check=False, cwd=self.folder)
        self.assertEqual(3, done.returncode, done.stdout + done.stderr)
        return done.stderr

    def test_a_user_who_may_not_write_there_leaves_no_file(self):
        os.chmod(self.folder, 0o700)
        kept = os.path.join(self.folder, "kept-00001.pcapng")
        write(kept, "of yesterday")
        for options in (("--write", "kept.pcapng", "--ring-mb", "10"), ("--write", "ring.pcapng", "--store", "calls.db")):
            self.assertIn("nobody, whom this becomes when all is open, may not write", self.refused(*options, "--user", "nobody"))
        self.assertIn("user no-such-user: not known", self.refused("--write", "one.pcapng", "--user", "no-such-user"))
        self.assertEqual(["kept-00001.pcapng"], os.listdir(self.folder))
        with open(kept, encoding="utf-8") as file:
            self.assertEqual("of yesterday", file.read())


class Capture(Watch):
    def test_a_wrong_capture_filter_is_a_fault_of_the_command_line(self):
        done = subprocess.run([PROGRAM, "watch", "-i", "lo", "--capture", "prt 5060"], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(2, done.returncode, done.stderr)
        self.assertIn("--capture 'prt 5060'", done.stderr)
        self.assertIn("syntax error", done.stderr)


class Store(Watch):
    def search(self, store, *words):
        done = subprocess.run([PROGRAM, "search", "--store", store, "--format", "json", *words], capture_output=True, text=True,
                              timeout=60, check=False)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        return json.loads(done.stdout)["calls"]

    def test_what_ended_is_found_after_the_watcher_was_killed(self):
        port, store = free_port(), os.path.join(self.folder, "calls.db")
        watcher = self.watch("--hep", f"127.0.0.1:{port}", "--store", store)
        self.assertEqual(0o600, os.stat(store).st_mode & 0o777, "it holds whole messages")
        evil = "evil'; DROP TABLE call; --\x01@example.com"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            for call in ("one@example.com", "two@example.com", evil):
                for first, source, destination in (("OPTIONS sip:bob@example.com SIP/2.0", 5060, 5070), ("SIP/2.0 200 OK", 5070, 5060)):
                    udp.sendto(hep3(message(first, call, "1 OPTIONS"), source, destination), ("127.0.0.1", port))
        wait_for("they have ended", lambda: len(self.calls(watcher)) == 3, 30)
        wait_for("and are kept", lambda: len(self.search(store)) == 3, 30)
        os.kill(watcher.pid, signal.SIGKILL)
        watcher.wait_exit(20)
        self.assertEqual([["one@example.com"]], [call["call_ids"] for call in self.search(store, "one@example.com", "OPTIONS")])
        self.assertEqual(1, len(self.search(store, "'; DROP TABLE call; --")))
        self.assertEqual([], self.search(store, "three"))
        number = str(self.search(store, "two@example.com")[0]["id"])
        ladder = subprocess.run([PROGRAM, "search", "--store", store, "--call", number, "--format", "ladder"], capture_output=True,
                                text=True, timeout=60, check=True).stdout
        self.assertIn("OPTIONS", ladder)
        # Another watcher goes on with the same store.
        again = self.started(Process("again", [PROGRAM, "watch", "--hep", f"127.0.0.1:{port}", "--store", store], self.folder))
        wait_for("it watches", lambda: "watching" in again.log())
        self.ended(again)
        self.assertEqual(3, len(self.search(store)))
