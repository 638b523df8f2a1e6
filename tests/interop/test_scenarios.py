"""SIPp's scenarios, performed by us and by SIPp with the same other end: those of the folder scenarios, odd
ones of our own, and a bounded sample of the material's."""
import os
import socket
import struct
import subprocess
import sys
import unittest

from harness import InteropTest, material, need

HERE = os.path.dirname(os.path.abspath(__file__))
SAMPLE = 10
TONE = """<scenario name="It makes a sound">
  <send retrans="500"><![CDATA[
    INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
    Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
    From: <sip:caller@[local_ip]:[local_port]>;tag=[call_number]
    To: <sip:[service]@[remote_ip]:[remote_port]>
    Call-ID: [call_id]
    CSeq: 1 INVITE
    Content-Type: application/sdp
    Content-Length: [len]

    v=0
    c=IN IP4 [media_ip]
    m=audio [media_port] RTP/AVP 0
  ]]></send>
  <recv response="200"/>
  <nop><action><exec %s/></action></nop>
  <pause milliseconds="300"/>
</scenario>
"""


class ScenarioTest(InteropTest):
    def setUp(self):
        need("sipp")
        super().setUp()

    def measured(self, folder, *more):
        environment = dict(os.environ, CALLWRIGHT=os.environ["CALLWRIGHT_PROGRAM"])
        done = subprocess.run(
            [sys.executable, "-B", os.path.join(HERE, "sipp_scenarios.py"), str(folder), "--jobs", "4", *more],
            env=environment, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("performs", done.stdout)

    def test_odd_ones_are_performed_as_sipp_performs_them(self):
        self.measured(os.path.join(HERE, "scenarios"), "--transport", "udp,tcp", "--least", "100")

    def test_a_sample_is_performed_as_sipp_performs_it(self):
        self.measured(material("sipp/curated"), "--transport", "udp,tcp", "--sample", str(SAMPLE), "--least", "80")

    def test_what_it_streams_and_replays_is_that_of_its_files(self):
        """SIPp is not needed for this: what comes is looked at."""
        with open(os.path.join(self.folder, "tone.raw"), "wb") as sound:
            sound.write(bytes(range(160)) * 3)
        frame = bytes(12) + b"\x08\x00" + bytes.fromhex("4500002c000000004011000000000000" "00000000" "1388138800180000")
        with open(os.path.join(self.folder, "tone.pcap"), "wb") as capture:
            packet = frame + bytes([0x80, 8]) + bytes(10) + b"tone"
            capture.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
            capture.write(struct.pack("<IIII", 1, 0, len(packet), len(packet)) + packet)
        for action, wanted in (('rtp_stream="tone.raw,1,0"', [bytes(range(160))] * 3), ('play_pcap_audio="tone.pcap"', [b"tone"])):
            with self.subTest(action), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sip, \
                    socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as media:
                for end in (sip, media):
                    end.bind(("127.0.0.1", 0))
                    end.settimeout(5)
                with open(os.path.join(self.folder, "tone.xml"), "w") as out:
                    out.write(TONE % action)
                run = subprocess.Popen(
                    [os.environ["CALLWRIGHT_PROGRAM"], "run", "tone.xml", "--at", f"uas=udp:127.0.0.1:{sip.getsockname()[1]}"],
                    cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
                request, caller = sip.recvfrom(65536)
                kept = [line for line in request.decode().split("\r\n") if line.split(":")[0] in ("Via", "From", "To", "Call-ID", "CSeq")]
                body = f"v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio {media.getsockname()[1]} RTP/AVP 0\r\n"
                sip.sendto(("SIP/2.0 200 OK\r\n" + "\r\n".join(kept) + f"\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode(), caller)
                got = [media.recv(2048)[12:] for _ in wanted]
                said, _ = run.communicate(timeout=10)
                self.assertEqual(run.returncode, 0, said)
                self.assertEqual(got, wanted)


if __name__ == "__main__":
    unittest.main()
