#include "cli/sipp_options.hpp"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

namespace cw::cli {
namespace {

struct Counterpart {
    std::string_view option; // of SIPp 3.6
    std::string_view here;
};

constexpr Counterpart all[] = {
    {"-sf", "name the file: load x.xml"},
    {"-sn", "SIPp writes its own scenario down (sipp -sd uac > uac.xml): load uac.xml"},
    {"-r", "--rate N/s"},
    {"-rp", "the unit of --rate: 10/s, 600/m, 3600/h"},
    {"-m", "--calls N"},
    {"-l", "--at-once N; without a rate --concurrency N"},
    {"-users", "--concurrency N"},
    {"-rate_increase", "--ramp TIME, or --steps 100,200,400"},
    {"-rate_max", "the last of --steps 100,200,400"},
    {"-d", "--set pause=MILLISECONDS"},
    {"-i", "--listen uac=udp:IP:PORT"},
    {"-p", "--listen uac=udp:IP:PORT"},
    {"-t", "what stands before the address: --at uas=udp:, tcp: or tls:HOST:PORT; tn and ln with "
           "--connections call"},
    {"-rsa", "--at uas=udp:HOST:PORT is where messages go, whatever they say"},
    {"-max_socket", "--pool N connections, with --connections shared"},
    {"-max_reconnect", "nothing is needed: a lost connection is opened anew"},
    {"-reconnect_close", "nothing is needed: calls go on over a new connection"},
    {"-inf", "--rows FILE"},
    {"-infindex", "nothing is needed: <lookup> looks in all fields of --rows FILE"},
    {"-ip_field", "--source ADDRESS, repeatable"},
    {"-s", "--set service=NAME"},
    {"-au", "--set auth_username=USER"},
    {"-ap", "--set auth_password=PASSWORD"},
    {"-key", "--set NAME=VALUE"},
    {"-set", "--set NAME=VALUE"},
    {"-timeout", "--for TIME"},
    {"-timeout_global", "--for TIME"},
    {"-recv_timeout", "--timeout TIME"},
    {"-mi", "media has the address of --listen"},
    {"-mp", "ports of media are found by themselves"},
    {"-min_rtp_port", "ports of media are found by themselves"},
    {"-max_rtp_port", "ports of media are found by themselves"},
    {"-rtp_echo", "write <exec rtp_echo=\"startaudio\"/> in the scenario"},
    {"-trace_msg", "run: --trace, --pcap-out FILE, --report DIR; load: --failed DIR"},
    {"-trace_shortmsg", "run: --trace; load: --failed DIR"},
    {"-trace_err", "--failed DIR keeps the calls that failed, whole"},
    {"-trace_stat", "--csv FILE, a line a second"},
    {"-trace_rtt", "--csv FILE; percentiles are in the results"},
    {"-trace_screen", "the results are printed at the end; --format json"},
    {"-trace_logs", "nothing is written for <log>"},
    {"-stf", "--csv FILE"},
    {"-fd", "--csv FILE has a line a second"},
    {"-message_file", "run: --pcap-out FILE; load: --failed DIR"},
    {"-error_file", "--failed DIR"},
    {"-nd", "nothing is needed: only what the scenario says is sent; a BYE or CANCEL that is not "
            "awaited is answered"},
    {"-default_behaviors", "nothing is needed: only what the scenario says is sent"},
    {"-aa", "there is none: say <recv request=\"INFO\" optional=\"global\">, and its answer"},
    {"-nr", "there is none: over UDP what is lost is sent again"},
    {"-max_retrans", "there is none: RFC 3261's timers count"},
    {"-bg", "the shell's &"},
    {"-nostdin", "nothing is needed: the keyboard is not read"},
    {"-3pcc", "callwright convert A.xml B.xml -o both.mmd, then run both.mmd"},
    {"-master", "callwright convert master.xml slave1.xml -o all.mmd, then run all.mmd"},
    {"-slave", "callwright convert master.xml slave1.xml -o all.mmd, then run all.mmd"},
    {"-slave_cfg", "--listen master=udp:IP:PORT, --at slave1_peer=udp:IP:PORT"},
    {"-tls_cert", "--at uas=tls:HOST:PORT; %% certificate: beneath a party"},
    {"-tls_key", "--at uas=tls:HOST:PORT; %% certificate: beneath a party"},
    {"-cid_str", "Call-IDs are made by themselves"},
    {"-base_cseq", "[cseq+N] in the scenario"},
};

} // namespace

std::string counterparts(std::span<char* const> arguments) {
    std::string out;
    for (const std::string_view argument : arguments) {
        const auto* found = std::ranges::find(all, argument, &Counterpart::option);
        if (found != std::end(all)) {
            out += fmt::format("  {} is SIPp's. Here: {}\n", found->option, found->here);
        }
    }
    return out;
}

} // namespace cw::cli
