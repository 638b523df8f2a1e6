"""kill -9 in the middle of a registration storm: what was answered 200 is still there afterwards."""
import re
import select
import time
import unittest

from harness import InteropTest, free_port
from servers import Callwright, callwright_config
from sip import Agent, Connection, first_message

DOMAIN = "example.test"
STORM = 13_000  # so that over 10,000 are acknowledged before the last kill
IN_FLIGHT = 200
KILLS = (0.3, 0.8)  # after this share of the storm has been acknowledged


class Crash(InteropTest):
    def setUp(self):
        super().setUp()
        self.port = free_port()
        self.config = callwright_config(self.folder, [f"tcp:127.0.0.1:{self.port}"], DOMAIN)

    def start(self, name):
        self.server = self.started(Callwright(self.folder, ["-c", self.config], name=name))
        connection = Connection("tcp", ("127.0.0.1", self.port))
        self.addCleanup(connection.close)
        return connection

    @staticmethod
    def register(connection, user, contact=True):
        agent = Agent(user, DOMAIN, "", connection)
        agent.contact = f"<sip:{user}@127.0.0.1:9;transport=tcp>"
        text = agent.request("REGISTER", f"sip:{DOMAIN}", to=f"<{agent.aor}>", call_id=user, headers=["Expires: 3600"])
        return text if contact else re.sub(r"(?m)^(Contact|Expires): .*\r\n", "", text)

    def storm(self, connection, users, contact=True, until=None):
        """Registers them, many at a time; the 200s by user. Ends when `until` of them are there, or when
        the server is gone."""
        acknowledged, waiting = {}, iter(users)
        connection.socket.setblocking(False)
        out, sent = b"", 0
        while len(acknowledged) < (until or len(users)):
            while sent - len(acknowledged) < IN_FLIGHT and (user := next(waiting, None)) is not None:
                out += self.register(connection, user, contact).encode()
                sent += 1
            readable, writable, _ = select.select([connection.socket], [connection.socket] if out else [], [], 20)
            self.assertTrue(readable or writable, f"no answer; {len(acknowledged)} of {len(users)}")
            if writable:
                out = out[connection.socket.send(out):]
            if readable:
                try:
                    got = connection.socket.recv(1 << 20)
                except ConnectionError:
                    break
                if not got:
                    break
                connection.data += got
                while True:
                    message, connection.data = first_message(connection.data)
                    if not message:
                        break
                    self.assertEqual(message.status, 200, message.text)
                    acknowledged[message.header("Call-ID", "i")] = message
        return acknowledged

    def test_no_acknowledged_binding_is_lost(self):
        users, acknowledged = [f"user{number}" for number in range(STORM)], set()
        for number, share in enumerate(KILLS):
            connection = self.start(f"serve-{number}")
            rest = [user for user in users if user not in acknowledged]
            began = time.monotonic()
            acknowledged |= set(self.storm(connection, rest, until=int(STORM * share) - len(acknowledged)))
            self.server.kill()
            # What had left the server before it died was acknowledged too.
            acknowledged |= self.left_over(connection)
            print(f"killed after {len(acknowledged)} acknowledged bindings, {time.monotonic() - began:.1f} s")
        connection = self.start("serve-last")
        found = self.storm(connection, sorted(acknowledged), contact=False)
        lost = [user for user, answer in found.items() if f"sip:{user}@127.0.0.1:9" not in (answer.header("Contact", "m") or "")]
        print(f"{len(found)} asked for, {len(lost)} lost")
        self.assertEqual(lost, [])
        self.assertEqual(len(found), len(acknowledged))
        self.assertGreaterEqual(len(found), 10_000)

    @staticmethod
    def left_over(connection):
        data, users = connection.data, set()
        try:
            while got := connection.socket.recv(1 << 20):
                data += got
        except OSError:
            pass
        while True:
            message, data = first_message(data)
            if not message:
                return users
            if message.status == 200:
                users.add(message.header("Call-ID", "i"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
