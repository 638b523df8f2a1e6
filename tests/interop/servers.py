"""The servers: ours under test, and Kamailio as somebody else's."""
import os
import re

from harness import PROGRAM, Process, free_port, wait_for

KAMAILIO_MODULES = "/usr/lib/x86_64-linux-gnu/kamailio/modules/"
KAMAILIO = """#!KAMAILIO
debug=2
log_stderror=yes
children=1
tcp_children=2
auto_aliases=no
alias={domain}
dns=yes
rev_dns=no
dns_try_ipv6=no
enable_tls=yes
tcp_connection_lifetime=3605
listen={listen}
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
loadmodule "nathelper.so"
loadmodule "xlog.so"
modparam("tls", "config", "{folder}/{name}-tls.cfg")
modparam("usrloc", "db_mode", 0)
modparam("rr", "enable_full_lr", 0)
modparam("registrar|nathelper", "received_avp", "$avp(came_from)")
request_route {{
    xlog("L_NOTICE", "request $rm $ru from $fu\\n");
    if (!mf_process_maxfwd_header("10")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
    if (has_totag()) {{
        if (loose_route()) {{ handle_ruri_alias(); t_relay(); exit; }}
        if (is_method("ACK")) {{ if (t_check_trans()) t_relay(); exit; }}
        sl_send_reply("404", "Not Found");
        exit;
    }}
    if (is_method("CANCEL")) {{ if (t_check_trans()) t_relay(); exit; }}
    t_check_trans();
    if (is_method("OPTIONS") && uri == myself && $rU == $null) {{ sl_send_reply("200", "OK"); exit; }}
    if (is_method("REGISTER")) {{ fix_nated_register(); if (!save("location")) sl_reply_error(); exit; }}
    if (is_method("INVITE|SUBSCRIBE")) {{ record_route(); add_contact_alias(); t_on_reply("answers"); }}
    if (uri == myself) {{
        if (!lookup("location")) {{ sl_send_reply("404", "Not Found"); exit; }}
    }} else {{
        $du = "{elsewhere}";
    }}
    if (!t_relay()) sl_reply_error();
    exit;
}}
onreply_route[answers] {{ xlog("L_NOTICE", "response $rs to $rm\\n"); add_contact_alias(); }}
"""
KAMAILIO_TLS = """[server:default]
method = TLSv1.2+
verify_certificate = {verify}
require_certificate = {require}
private_key = {key}
certificate = {certificate}
ca_list = {trusted}
[client:default]
method = TLSv1.2+
verify_certificate = {verify}
require_certificate = {require}
private_key = {key}
certificate = {certificate}
ca_list = {trusted}
server_name = {server_name}
"""


def write(path, text):
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
    return path


class Kamailio(Process):
    """A registrar and proxy for one domain on TLS. What is for another domain goes to `elsewhere`. `before`: a command that
    starts it. `daemon`: it goes into the background, with these options."""

    def __init__(self, folder, domain, certificate, trusted, elsewhere="sip:127.0.0.1:9;transport=tls", mutual=True,
                 name="kamailio", server_name="localhost", port=None, before=(), daemon=()):
        self.port = port or free_port()
        yes = "yes" if mutual else "no"
        write(os.path.join(folder, name + "-tls.cfg"), KAMAILIO_TLS.format(
            verify=yes, require=yes, key=certificate.key, certificate=certificate.certificate, trusted=trusted,
            server_name=server_name))
        config = write(os.path.join(folder, name + ".cfg"), KAMAILIO.format(
            domain=domain, listen=f"tls:127.0.0.1:{self.port}", modules=KAMAILIO_MODULES, folder=folder, name=name,
            elsewhere=elsewhere))
        # The system allocators: Debian's default is a debugging one, slow to start.
        super().__init__(name, [*before, "/usr/sbin/kamailio", *(daemon or ("-DD", "-E")), "-m", "64", "-M", "8", "-x", "qm", "-X", "qm",
                                "-Y", folder, "-f", config], folder)
        wait_for("Kamailio listens", lambda: (daemon or self.running()) and listens(self.port))


def listens(port, transport="tcp"):
    """Looked up, not tried: a connection that says nothing would be one more thing in its log."""
    state = {"tcp": "0A", "udp": "07"}[transport]
    with open(f"/proc/net/{transport}", encoding="ascii") as table:
        return any(re.search(rf"(0100007F|00000000):{port:04X} 00000000:0000 {state}", line) for line in table)


class Callwright(Process):
    """`callwright serve`, ready to answer. `before`: a command that starts it."""

    def __init__(self, folder, arguments, name="serve", ready=True, environment=None, before=()):
        super().__init__(name, [*before, PROGRAM, "serve", *arguments], folder, environment)
        if ready:
            self.wait_log(r"(?m)^callwright: ready", 20)


def callwright_config(folder, listeners, domain, users=(), certificates=(), trusted=None, more="", host=None):
    """A configuration file. `users`: (name, password); none: the domain does not authenticate. `certificates`:
    Certificates, the first is the default one. `host`: what phones call the listeners in a Route."""
    people = "".join(f'[[domain.users]]\nname = "{name}"\npassword = "{password}"\n' for name, password in users)
    pairs = ", ".join(f'{{ certificate = "{c.certificate}", key = "{c.key}"'
                      + (f', ocsp = "{c.ocsp}"' if c.ocsp else "") + " }" for c in certificates)
    listen = ", ".join(f'{{ at = "{listener}", host = "{host or listener.split(":")[1]}" }}' for listener in listeners)
    trust = f'trusted = "{trusted}"\n' if trusted else ""
    return write(os.path.join(folder, "serve.toml"), f"""listen = [{listen}]
data = "{folder}/data"
shards = 2
log_level = "debug"
[[domain]]
name = "{domain}"
authenticate = {"true" if users else "false"}
allow_md5 = true
{people}[tls]
certificates = [{pairs}]
{trust}{more}
""")
