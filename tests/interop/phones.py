"""Two phones from Debian, without a sound card: baresip and linphone. Each registers one account over
TLS, is told what to do over its control channel, and reports what it saw."""
import json
import os
import re
import socket
import struct
import subprocess
import wave

from harness import Process, free_port, wait_for
from servers import write

BARESIP_MODULES = "/usr/lib/baresip/modules"
BARESIP_CONFIG = """poll_method epoll
sip_listen 127.0.0.1:{sip_port}
sip_cafile {trusted}
call_local_timeout 30
call_max_calls 4
audio_player aubridge,{user}
audio_source {source}
audio_path {home}
audio_buffer 20-160
rtp_stats yes
rtp_ports {rtp_port}-{rtp_last}
dns_server 127.0.0.1:{dns_port}
module_path {modules}
module g711.so
module g722.so
module opus.so
module aubridge.so
module aufile.so
module srtp.so
module dtls_srtp.so
module_tmp uuid.so
module_tmp account.so
module_app auloop.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:{control_port}
"""


class Baresip(Process):
    """`media`: srtp-mand (SDES) or dtls_srtp. `before`: a command that starts it. `plays`: a WAV file with the rate and channels of
    `codec`; without, it says what it hears. Its digest is MD5 only."""

    def __init__(self, folder, user, domain, password, trusted, dns_port, media="srtp-mand", name=None, before=(), plays=None,
                 codec="pcmu"):
        name = name or f"baresip-{user}"
        home = os.path.join(folder, name)
        os.makedirs(home)
        self.control_port, rtp_port = free_port(), free_port()
        write(os.path.join(home, "config"), BARESIP_CONFIG.format(
            sip_port=free_port(), trusted=trusted, user=user, rtp_port=rtp_port, rtp_last=rtp_port + 40, dns_port=dns_port,
            modules=BARESIP_MODULES, home=home, control_port=self.control_port,
            source=f"aufile,{plays}" if plays else f"aubridge,{user}"))
        write(os.path.join(home, "accounts"),
              f"<sip:{user}@{domain};transport=tls>;auth_user={user};auth_pass={password};regint=600;"
              f"mediaenc={media};audio_codecs={codec};mwi=no\n")
        write(os.path.join(home, "contacts"), "")
        super().__init__(name, [*before, "/usr/bin/baresip", "-f", home, "-v"], folder)
        self.events, self.input, self.control, self.summaries = [], b"", None, 0
        self.user = user

    def _connect(self):
        try:
            self.control = socket.create_connection(("127.0.0.1", self.control_port), 1)
            self.control.setblocking(False)
        except OSError:
            return False
        return True

    def command(self, word, parameters=""):
        if not self.control:
            wait_for(f"{self.name} takes commands", self._connect)
        text = json.dumps({"command": word, "params": parameters, "token": word}).encode()
        self.control.sendall(b"%d:%s," % (len(text), text))

    def _read_events(self):
        """Netstrings of JSON: events, and the answers to commands."""
        if not self.control and not self._connect():
            return
        try:
            self.input += self.control.recv(65536)
        except BlockingIOError:
            pass
        while match := re.match(rb"(\d+):", self.input):
            end = match.end() + int(match[1])
            if len(self.input) <= end:
                break
            self.events.append(json.loads(self.input[match.end():end]))
            self.input = self.input[end + 1:]

    def wait_event(self, kind, seconds=15):
        """Takes the first event of that kind out of those that came."""
        def look():
            self._read_events()
            for number, event in enumerate(self.events):
                if event.get("type") == kind:
                    return self.events.pop(number)
            return None

        return wait_for(f"{self.name} reports {kind}", look, seconds)

    def wait_registered(self):
        self.wait_log(r"(?m)200 OK .*\[\d+ binding", 15)

    def dial(self, uri):
        self.command("dial", uri)

    def accept(self):
        self.wait_event("CALL_INCOMING")
        self.command("accept")

    def wait_established(self):
        return self.wait_event("CALL_ESTABLISHED")

    def hang_up(self):
        self.command("hangup")

    def wait_closed(self):
        self.wait_event("CALL_CLOSED")

    def wait_media(self, seconds=0.5):
        """Speech comes in: for so long it says so itself."""
        self.wait_log(r"incoming rtp for 'audio' established")
        wait_for(f"{self.name} hears for a while", lambda: self._heard() >= 12 * seconds, 10 + seconds)

    def _heard(self):
        """How often its status line, some twelve a second, has told of audio since speech came in."""
        return len(re.findall(r"\] audio=", self.log().rpartition("incoming rtp for")[2]))

    def media_packets(self):
        """(sent, received) in the call that ended last, by its own summary."""
        self.summaries += 1
        found = self.wait_log(r"(?m)^packets: +(\d+) +(\d+)$", count=self.summaries)
        return int(found[1]), int(found[2])

    def stop(self, seconds=5):
        if self.control:
            self.control.close()
        super().stop(seconds)


LINPHONE_CONFIG = """[sip]
verify_server_certs=1
verify_server_cn=1
root_ca={trusted}
sip_port=0
sip_tcp_port=0
sip_tls_port=-1
bind_address=127.0.0.1
media_encryption={media}
media_encryption_mandatory=1
default_proxy=0
[proxy_0]
reg_proxy=<sip:localhost:{server_port};transport=tls>
reg_route=<sip:localhost:{server_port};transport=tls;lr>
reg_identity=sip:{user}@{domain}
reg_sendregister=1
reg_expires=600
[auth_info_0]
username={user}
passwd={password}
realm={domain}
[rtp]
audio_rtp_port={rtp_port}
[misc]
user_certificates_path={home}
"""


class Linphone(Process):
    """`media`: srtp (SDES) or dtls. Plays a WAV file, of its own unless there is `plays`; told what to do on standard input."""

    def __init__(self, folder, user, domain, password, trusted, server_port, media="srtp", name=None, plays=None):
        name = name or f"linphone-{user}"
        home = os.path.join(folder, name)
        os.makedirs(os.path.join(home, ".local/share/linphone"))
        config = write(os.path.join(home, "rc"), LINPHONE_CONFIG.format(
            trusted=trusted, user=user, domain=domain, password=password, media=media, server_port=server_port,
            rtp_port=free_port(), home=home))
        self.user, self.debug_path, self.read_to = user, os.path.join(home, "debug"), 0
        super().__init__(name, ["/usr/bin/linphonec", "-c", config, "-d", "5", "-l", self.debug_path], folder,
                         environment={"HOME": home}, stdin=subprocess.PIPE)
        self.command("soundcard use files")
        self.command(f"play {plays or self._tone(home)}")
        self.command(f"record {os.path.join(home, 'heard.wav')}")

    @staticmethod
    def _tone(home):
        path = os.path.join(home, "tone.wav")
        with wave.open(path, "wb") as out:
            out.setparams((1, 2, 8000, 0, "NONE", ""))
            out.writeframes(b"".join(struct.pack("<h", 8000 if n % 16 < 8 else -8000) for n in range(8000 * 30)))
        return path

    def command(self, line):
        self.process.stdin.write((line + "\n").encode())
        self.process.stdin.flush()

    def debug(self):
        try:
            with open(self.debug_path, encoding="utf-8", errors="replace") as log:
                return log.read()
        except FileNotFoundError:
            return ""

    def wait_debug(self, pattern, seconds=15):
        """Takes the next match in its debug log after the last one taken."""
        def look():
            found = re.compile(pattern).search(self.debug(), self.read_to)
            if not found and not self.running():
                raise AssertionError(f"{self.name} ended with {self.process.returncode}")
            return found

        found = wait_for(f"{pattern!r} in the debug log of {self.name}", look, seconds)
        self.read_to = found.end()
        return found

    def wait_registered(self):
        self.wait_debug(r"to \[LinphoneRegistrationOk\]", 20)

    def dial(self, uri):
        self.command(f"call {uri}")

    def accept(self):
        self.wait_debug(r"to LinphoneCallIncomingReceived")
        self.command("answer")

    def wait_established(self):
        self.wait_debug(r"to LinphoneCallStreamsRunning")

    def wait_media(self, seconds=1):
        """Its own measure, one line a second: kbit/s of RTP, down and up."""
        for _ in range(seconds):
            self.wait_debug(r"Stream #0 \(audio\) .*RTP : \[d=([1-9]\d\.\d+),u=([1-9]\d\.\d+)\]")

    def hang_up(self):
        self.command("terminate")

    def wait_closed(self):
        self.wait_debug(r"to LinphoneCallReleased")

    def log(self):
        return super().log() + self.debug()


def talk_over_dtls_srtp(alice, bob, address):
    """Two registered phones: one calls the other at `address`, media flows, and the other hangs up."""
    for phone in (alice, bob):
        phone.wait_registered()
    alice.dial(address)
    bob.accept()
    for phone in (alice, bob):
        phone.wait_log(r"DTLS-SRTP complete")
        phone.wait_established()
        phone.wait_media()
    bob.hang_up()
    for phone in (alice, bob):
        phone.wait_closed()
