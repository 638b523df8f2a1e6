"""What every interop test stands on: a temporary folder, processes that end with the test, free
ports, waiting for a condition, and the logs of all peers when a test fails."""
import contextlib
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MATERIAL = os.path.join(os.environ.get("CALLWRIGHT_SHARED_DIR", os.path.join(SOURCE, "..", "shared")), "material")
PROGRAM = os.environ.get("CALLWRIGHT_PROGRAM", os.path.join(SOURCE, "build", "release", "callwright"))
LOG_SHOWN = int(os.environ.get("LOG_SHOWN", "6000"))  # characters of each log that a failed test prints

_ports = random.Random(os.getpid())
_given = set()


def free_port():
    """A port that is free for TCP and UDP on loopback. Below the range that the kernel gives to
    outgoing connections, so that none of those takes it before the peer listens."""
    while True:
        port = _ports.randrange(20000, 32000)
        if port in _given:
            continue
        try:
            with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
                tcp.bind(("127.0.0.1", port))
                udp.bind(("127.0.0.1", port))
        except OSError:
            continue
        _given.add(port)
        return port


def wait_for(what, condition, seconds=10):
    """Returns what `condition` returns as soon as that is true; fails with `what` after a time that
    a loaded machine does not need."""
    end = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s in vain: {what}")
        time.sleep(0.02)


def need(*programs):
    """Skips the test when a peer is not installed."""
    for program in programs:
        if not shutil.which(program):
            raise unittest.SkipTest(f"{program} is not installed (tools/packages.txt, section interop)")


def material(*path):
    """A file of the shared test material; skips the test where there is none."""
    found = os.path.join(MATERIAL, *path)
    if not os.path.exists(found):
        raise unittest.SkipTest(f"{found} is not here")
    return found


class Process:
    """A peer, with its output in a file."""

    def __init__(self, name, command, folder, environment=None, stdin=subprocess.DEVNULL):
        self.name = name
        self.log_path = os.path.join(folder, name + ".log")
        # A home of its own: peers read and write ~/.baresip, ~/.local/share/linphone.
        variables = {**os.environ, "HOME": folder, "LC_ALL": "C.UTF-8", **(environment or {})}
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, stdin=stdin, cwd=folder, env=variables,
                start_new_session=True,
            )

    @property
    def pid(self):
        return self.process.pid

    def running(self):
        return self.process.poll() is None

    def log(self):
        with open(self.log_path, "rb") as log:
            return log.read().decode("utf-8", "replace")

    def wait_log(self, pattern, seconds=10, count=1):
        """The last match of the pattern once it stood `count` times in the log."""
        def look():
            found = list(re.finditer(pattern, self.log()))
            if len(found) >= count:
                return found[-1]
            if not self.running():
                raise AssertionError(f"{self.name} ended with {self.process.returncode} before its log said {pattern!r}")
            return None

        return wait_for(f"{pattern!r} in the log of {self.name}", look, seconds)

    def wait_exit(self, seconds=10):
        return self.process.wait(seconds)

    def kill(self):
        """At once, with all that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self, seconds=5):
        """Ends it and all that it started."""
        if self.running():
            os.killpg(self.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(seconds)
        self.kill()
        if self.process.stdin:
            self.process.stdin.close()


class InteropTest(unittest.TestCase):
    """Peers that a test starts end with it, the last one first."""

    @classmethod
    def setUpClass(cls):
        cls.shared_folder = tempfile.mkdtemp(prefix="callwright-interop-")
        cls.addClassCleanup(shutil.rmtree, cls.shared_folder, True)

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="callwright-interop-")
        self.peers = []
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.addCleanup(self._stop_peers)

    def started(self, peer):
        self.peers.append(peer)
        return peer

    def _stop_peers(self):
        for peer in reversed(self.peers):
            peer.stop()
        if self._failed():
            for peer in self.peers:
                text = peer.log()
                print(f"---- {self.id()}: {peer.name} ({len(text)} characters)\n{text[-LOG_SHOWN:]}", flush=True)

    def _failed(self):
        """Also when only a part of it has (subTest)."""
        result = self._outcome.result
        bad = [getattr(test, "test_case", test) for test, _ in result.failures + result.errors]
        return any(test is self for test in bad) or not self._outcome.success
