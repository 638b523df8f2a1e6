"""The servers of the benchmarks: started on loopback with a certificate of their own, driven by
serve_driver, their CPU time read from the scheduler's accounting."""
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

KAMAILIO_MODULES = "/usr/lib/x86_64-linux-gnu/kamailio/modules/"
KAMAILIO = """#!KAMAILIO
debug=0
log_stderror=yes
memdbg=10
memlog=10
children=2
tcp_children=4
auto_aliases=no
dns=no
rev_dns=no
enable_tls=yes
tcp_max_connections=32768
tls_max_connections=32768
listen=tls:{host}:{port}
mpath="{modules}"
loadmodule "tls.so"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
modparam("tls", "config", "{folder}/tls.cfg")
modparam("usrloc", "db_mode", 0)
modparam("usrloc", "hash_size", 14)
modparam("rr", "enable_full_lr", 0)
request_route {{
    if (!mf_process_maxfwd_header("10")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
    if (has_totag()) {{
        if (loose_route()) {{ t_relay(); exit; }}
        if (is_method("ACK")) {{ if (t_check_trans()) t_relay(); exit; }}
        sl_send_reply("404", "Not Found");
        exit;
    }}
    if (is_method("CANCEL")) {{ if (t_check_trans()) t_relay(); exit; }}
    t_check_trans();
    if (is_method("REGISTER")) {{ if (!save("location")) sl_reply_error(); exit; }}
    if (is_method("INVITE")) record_route();
    if (!lookup("location")) {{ sl_send_reply("404", "Not Found"); exit; }}
    if (!t_relay()) sl_reply_error();
    exit;
}}
"""
KAMAILIO_TLS = """[server:default]
method = TLSv1.2+
verify_certificate = no
require_certificate = no
private_key = {folder}/key.pem
certificate = {folder}/cert.pem
[client:default]
method = TLSv1.2+
verify_certificate = no
"""
# The peer authenticates nobody and keeps its bindings in memory; here the same is asked of us, but
# for the bindings, which always go to disk.
CALLWRIGHT = """listen = ["tls:{host}:{port}"]
data = "{folder}/data"
shards = SHARDS
[[domain]]
name = "localhost"
authenticate = false
[tls]
certificates = [{{ certificate = "{folder}/cert.pem", key = "{folder}/key.pem" }}]
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """One running server; `with Server(…) as server`. Its processes end with it."""

    def __init__(self, name, command, config, more_files=None, space=None):
        """`space`: the network namespace (Space) that it is to run in; else on loopback."""
        self.name, self.space = name, space
        self.folder = tempfile.mkdtemp(prefix="callwright-bench-")
        self.host, self.port = ("127.0.0.1", free_port()) if space is None else (space.address, 5061)
        values = {"folder": self.folder, "host": self.host, "port": self.port, "modules": KAMAILIO_MODULES}
        for file, text in {"config": config, **(more_files or {})}.items():
            with open(os.path.join(self.folder, file), "w", encoding="utf-8") as out:
                out.write(text.format(**values))
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
             "-keyout", self.folder + "/key.pem", "-out", self.folder + "/cert.pem", "-subj", "/CN=localhost",
             "-addext", "subjectAltName=DNS:localhost,URI:sip:localhost,IP:127.0.0.1"],
            check=True, capture_output=True,
        )
        self.log = open(os.path.join(self.folder, "log"), "w+b")
        self.process = subprocess.Popen(
            (space.enter if space else []) + [word.format(**values) for word in command], stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL,
            start_new_session=True, cwd=self.folder,
        )

    def __enter__(self):
        for _ in range(100):
            if self.process.poll() is not None:
                break
            if self.listens():
                return self
            time.sleep(0.1)
        with open(os.path.join(self.folder, "log"), "rb") as log:
            text = log.read()[-500:].decode("utf-8", "replace")
        self.__exit__()
        raise RuntimeError(f"{self.name} did not start: {text}")

    def listens(self):
        """What the system says of the namespace that it runs in: a connection to it would be one more."""
        wanted = f":{self.port:04X} 00000000:0000 0A"
        with open(f"/proc/{self.process.pid}/net/tcp", encoding="ascii") as table:
            return any(wanted in line for line in table)

    def __exit__(self, *_):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def pids(self):
        """All processes of the session that was started for it."""
        found = []
        for name in os.listdir("/proc"):
            if name.isdigit():
                try:
                    with open(f"/proc/{name}/stat", "rb") as stat:
                        fields = stat.read().rsplit(b")", 1)[1].split()
                    if int(fields[3]) == self.process.pid:
                        found.append(name)
                except OSError:
                    pass
        return found

    def cpu_s(self):
        total = 0
        for pid in self.pids():
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as stat:
                    total += int(stat.read().split()[0])
        return total / 1e9

    def resident_kb(self):
        """Memory of its own: what processes share is counted once, as the share of each."""
        total = 0
        for pid in self.pids():
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as maps:
                total += next(int(line.split()[1]) for line in maps if line.startswith("Pss:"))
        return total


def callwright(program, shards=1, digest_users=0, connections=0, space=None):
    """`digest_users`: so many (u0, u1…) of a second domain, each with the password `secret`, who are asked for it by SHA-256.
    `connections`: that a shard shall bear; 0: not asked for."""
    config = CALLWRIGHT.replace("SHARDS", str(shards))
    if connections:
        config = config.replace("[tls]\n", f"[limits]\nconnections = {connections}\n[tls]\n")
    if digest_users:
        config += '[[domain]]\nname = "digest.localhost"\n'
        hashes = (hashlib.sha256(f"u{i}:digest.localhost:secret".encode()).hexdigest() for i in range(digest_users))
        config += "".join(f'[[domain.users]]\nname = "u{i}"\nha1_sha256 = "{ha1}"\n' for i, ha1 in enumerate(hashes))
    return Server("callwright", [program, "serve", "-c", "{folder}/config"], config, space=space)


def kamailio(_program):
    """Tuned: without the debugging allocator that is packaged as the default."""
    command = ["kamailio", "-DD", "-E", "-f", "{folder}/config", "-m", "2048", "-M", "32", "-x", "fm", "-X", "fm"]
    return Server("kamailio", command, KAMAILIO, {"tls.cfg": KAMAILIO_TLS})


class Space:
    """Two network namespaces with a cable between them: servers run in one, drivers in the other. Gone with the `with`."""

    def __init__(self):
        self.names = [f"callwright-{os.getpid()}-{end}" for end in ("server", "driver")]
        self.address = "192.0.2.1"
        self.enter, self.enter_driver = (["ip", "netns", "exec", name] for name in self.names)

    def __enter__(self):
        server, driver = self.names
        try:
            for name in self.names:
                ip("netns", "add", name)
            ip("-n", server, "link", "add", "bench0", "type", "veth", "peer", "name", "bench0", "netns", driver)
            for name, address in ((server, self.address), (driver, "192.0.2.2")):
                ip("-n", name, "address", "add", address + "/24", "dev", "bench0")
                ip("-n", name, "link", "set", "bench0", "up")
                ip("-n", name, "link", "set", "lo", "up")
        except (OSError, subprocess.CalledProcessError) as error:
            self.__exit__()
            raise RuntimeError(f"no network namespaces here: {error}") from None
        return self

    def __exit__(self, *_):
        for name in self.names:
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True)


class Driver:
    """serve_driver: set up, then the work, then its figures."""

    def __init__(self, tool, mode, server, *options):
        self.process = subprocess.Popen(
            (server.space.enter_driver if server.space else []) + [tool, mode, f"{server.host}:{server.port}", *map(str, options)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        if self.process.stdout.readline().strip() != "ready":
            raise RuntimeError(f"serve_driver {mode}: {self.process.communicate()[1].strip()}")

    def work(self):
        output, errors = self.process.communicate("go\n", timeout=120)
        if self.process.returncode != 0:
            raise RuntimeError(errors.strip())
        return json.loads(output)


def work_together(drivers):
    """Figures of several that begin at the same moment."""
    for driver in drivers:
        driver.process.stdin.write("go\n")
        driver.process.stdin.flush()
    figures = []
    for driver in drivers:
        output, errors = driver.process.communicate(timeout=120)
        if driver.process.returncode != 0:
            raise RuntimeError(errors.strip())
        figures.append(json.loads(output))
    return figures
