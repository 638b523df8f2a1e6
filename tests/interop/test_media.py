"""The media of real phones, which call each other through `callwright serve`: captured from outside, opened by key logs alone,
and taken out by `--audio`. What comes out is what the phones have said, sample by sample where the codec loses nothing."""
import array
import json
import math
import os
import random
import signal
import subprocess
import unittest
import wave

from certificates import OwnAuthority
from dns import NameServer
from harness import PROGRAM, InteropTest, Process, free_port, need, wait_for
from phones import Baresip, Linphone
from servers import Callwright, callwright_config

DOMAIN = "example.test"
USERS = (("alice", "correct-horse"), ("bob", "battery-staple"))
SECONDS = 40  # of speech in a file: longer than any call here


def ulaw(code):
    """[G.711] One of the 255 values that µ-law can say: what is encoded and decoded stays as it is."""
    code = ~code & 0xff
    value = (((code & 15) << 3) + 0x84 << ((code & 0x70) >> 4)) - 0x84
    return -value if code & 0x80 else value


def write_wave(path, samples, rate, channels=1):
    with wave.open(path, "wb") as out:
        out.setparams((channels, 2, rate, 0, "NONE", ""))
        out.writeframes(array.array("h", samples).tobytes())
    return path


def noise(seed):
    """Never the same again, so that a piece of it has one place; not loud, so that nothing limits it."""
    lots = random.Random(seed)
    return [ulaw(lots.randrange(0x20, 0x70) | lots.choice((0, 0x80))) for _ in range(8000 * SECONDS)]


def tone(hertz, rate, channels):
    return [int(6000 * math.sin(2 * math.pi * hertz * n / rate)) for n in range(rate * SECONDS) for _ in range(channels)]


def read_wave(path):
    with wave.open(path, "rb") as sound:
        return sound.getframerate(), array.array("h", sound.readframes(sound.getnframes()))


def longest_alike(heard, said):
    """How many samples in a row of `heard` stand so in `said`."""
    heard, said = array.array("h", heard), array.array("h", said)
    whole = said.tobytes()
    best = at = 0
    while at + 160 <= len(heard):
        found = whole.find(heard[at:at + 160].tobytes())
        while found > 0 and found % 2 == 1:  # not at a sample
            found = whole.find(heard[at:at + 160].tobytes(), found + 1)
        run = 0
        if found >= 0:
            begin = found // 2
            while at + run < len(heard) and begin + run < len(said) and heard[at + run] == said[begin + run]:
                run += 1
        best = max(best, run)
        at += max(run, 160)
    return best


def loudness(samples, rate, hertz):
    """How strong a tone is (Goertzel)."""
    turn = 2 * math.cos(2 * math.pi * hertz / rate)
    one = two = 0.0
    for sample in samples:
        one, two = sample + turn * one - two, one
    return one * one + two * two - turn * one * two


class Media(InteropTest):
    def setUp(self):
        need("baresip", "linphonec", "dumpcap")
        super().setUp()
        self.authority = OwnAuthority(self.folder)
        self.log = os.path.join(self.folder, "tls.keys")
        self.capture = os.path.join(self.folder, "call.pcapng")
        self.port, self.dns_port = free_port(), free_port()
        config = callwright_config(self.folder, [f"tls:127.0.0.1:{self.port}"], DOMAIN, USERS,
                                   [self.authority.issue(DOMAIN, "localhost")], host="localhost")
        # The server's secrets: linphone's mbed TLS writes none.
        self.server = self.started(Callwright(self.folder, ["-c", config], before=self.keys()))
        self.started(NameServer(self.dns_port, {"server.example.test": "127.0.0.1", "localhost": "127.0.0.1"},
                                {f"_sips._tcp.{DOMAIN}": ("server.example.test", self.port)}))
        self.dump = self.started(Process("dumpcap", ["dumpcap", "-q", "-B", "16", "-i", "lo", "-w", self.capture, "-f",
                                                     f"tcp port {self.port} or (udp and not port {self.dns_port})"], self.folder))
        wait_for("dumpcap captures, or has ended", lambda: "File:" in self.dump.log() or not self.dump.running())
        if not self.dump.running():
            self.skipTest("capturing is not permitted here: " + self.dump.log().strip())

    def keys(self):
        return [PROGRAM, "keys", "-o", self.log, "--"]

    def baresip(self, user, **more):
        return self.started(Baresip(self.folder, user, DOMAIN, dict(USERS)[user], self.authority.certificate, self.dns_port,
                                    before=self.keys(), **more))

    def linphone(self, user, **more):
        return self.started(Linphone(self.folder, user, DOMAIN, dict(USERS)[user], self.authority.certificate, self.port, **more))

    def talk(self, caller, callee):
        for phone in (caller, callee):
            phone.wait_registered()
        caller.dial(f"sip:{callee.user}@{DOMAIN}")
        callee.accept()
        for phone in (caller, callee):
            phone.wait_established()
        for phone in (caller, callee):
            phone.wait_media(2)
        caller.hang_up()
        for phone in (caller, callee):
            phone.wait_closed()

    def read(self, *more):
        """The one call, as it stands in the capture, and the folder of its sound."""
        self.dump.process.send_signal(signal.SIGINT)
        self.dump.wait_exit(20)
        sound = os.path.join(self.folder, "sound")
        done = subprocess.run([PROGRAM, "read", self.capture, "--keys", self.log, "--format", "json", "--audio", sound, *more],
                              capture_output=True, text=True, timeout=120, check=True)
        calls = [call for call in json.loads(done.stdout)["calls"] if call["kind"] == "call"
                 and f"127.0.0.1:{self.port}" in (hop["server"] for hop in call["security"]["hops"])]  # others may talk as well
        self.assertEqual(1, len(calls), [call["call_ids"] for call in calls])
        self.assertEqual("tls", calls[0]["security"]["signalling"])
        self.assertEqual("srtp", calls[0]["security"]["media"])
        self.sound = {name: read_wave(os.path.join(sound, name)) for name in os.listdir(sound)}
        return calls[0]

    def assert_said(self, call, caller_said, callee_said, least, early=False):
        """Left the caller, right the callee, and each stream by itself: in one piece, but for the ends. With `early` there may be
        packets before the first that is protected."""
        rate, both = self.sound[f"call-{call['id']}.wav"]
        self.assertEqual(8000, rate)
        for side, said in ((0, caller_said), (1, callee_said)):
            alike = longest_alike(both[side::2], said)
            print(f"{self.id().rpartition('.')[2]}, {('caller', 'callee')[side]}: {alike} samples in a row as they were said")
            self.assertGreaterEqual(alike, least)
        for stream in call["media"]:
            opening = stream["opening"]
            if early and opening["problem"]:
                self.assertRegex(opening["problem"], "before the first that opens|came before any key")
                self.assertGreater(opening["opened"], 50, stream)
                continue
            self.assertEqual((0, 0), (opening["failed"], opening["cut"]), stream)
            self.assertEqual(stream["packets"], opening["opened"], stream)
            self.assertIsNone(opening["problem"], stream)

    def wave(self, name, samples, rate=8000, channels=1):
        return write_wave(os.path.join(self.folder, name), samples, rate, channels)

    def test_two_phones_with_dtls_srtp(self):
        """Keys by the phones' own OpenSSL."""
        mine, other = noise(1), noise(2)
        alice = self.baresip("alice", media="dtls_srtp", plays=self.wave("alice.wav", mine))
        bob = self.baresip("bob", media="dtls_srtp", plays=self.wave("bob.wav", other))
        self.talk(alice, bob)
        call = self.read()
        self.assert_said(call, mine, other, 4000)
        self.assertEqual({"dtls"}, {stream["opening"]["keys"] for stream in call["media"]})

    def test_baresip_and_linphone_with_sdes(self):
        mine, other = noise(3), noise(4)
        alice = self.baresip("alice", plays=self.wave("alice.wav", mine))
        bob = self.linphone("bob", plays=self.wave("bob.wav", other))
        self.talk(alice, bob)
        call = self.read()
        self.assert_said(call, mine, other, 4000)
        self.assertEqual({"sdes"}, {stream["opening"]["keys"] for stream in call["media"]})

    def test_baresip_and_linphone_with_dtls_srtp(self):
        """Both ends have the same secret: baresip's OpenSSL tells it, linphone's mbed TLS does not. Baresip speaks, not protected,
        while linphone still shakes hands."""
        mine, other = noise(5), noise(6)
        alice = self.baresip("alice", media="dtls_srtp", plays=self.wave("alice.wav", mine))
        bob = self.linphone("bob", media="dtls", plays=self.wave("bob.wav", other))
        self.talk(alice, bob)
        call = self.read()
        self.assert_said(call, mine, other, 4000, early=True)
        self.assertEqual({"dtls"}, {stream["opening"]["keys"] for stream in call["media"]})

    def test_g722(self):
        self.check_tones("g722/16000/1", 16000, 1)

    def test_opus(self):
        self.check_tones("opus/48000/2", 48000, 2)

    def check_tones(self, codec, rate, channels):
        """A tone is that tone, and no other, on the side of who says it."""
        mine, other = 700, 1900
        alice = self.baresip("alice", codec=codec, plays=self.wave("alice.wav", tone(mine, rate, channels), rate, channels))
        bob = self.baresip("bob", codec=codec, plays=self.wave("bob.wav", tone(other, rate, channels), rate, channels))
        self.talk(alice, bob)
        call = self.read()
        self.assertEqual({codec.partition("/")[0]}, {stream["codec"].partition("/")[0].lower() for stream in call["media"]})
        heard_rate, both = self.sound[f"call-{call['id']}.wav"]
        self.assertEqual(rate, heard_rate)
        for side, said, silent in ((0, mine, other), (1, other, mine)):
            whole = both[side::2]
            middle = whole[len(whole) // 3:][:len(whole) // 3]
            self.assertGreater(len(middle), heard_rate // 2)
            self.assertGreater(loudness(middle, heard_rate, said), 100 * max(1, loudness(middle, heard_rate, silent)))
        for stream in call["media"]:
            self.assertEqual((stream["packets"], 0), (stream["opening"]["opened"], stream["opening"]["failed"]), stream)


if __name__ == "__main__":
    unittest.main(verbosity=2)
