// callwright probe: goes to a SIP server as a client would, and shows what happens.
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "cli/certificate_text.hpp"
#include "cli/commands.hpp"
#include "cli/terminal.hpp"
#include "flow/book.hpp"
#include "host/probe/probe.hpp"
#include "view/cells.hpp"
#include "view/figures.hpp"
#include "view/json_writer.hpp"
#include "view/ladder_text.hpp"
#include "view/mermaid.hpp"

namespace cw::cli {
namespace {

using host::ProbeReport;
using Resumption = host::ProbeTls::Resumption;

constexpr const char* description =
    "Goes to a SIP server as a client would, and shows what happens: where its name leads, the "
    "handshake message by message, the verdict on its certificate with the reason, what it asks "
    "of clients, resumption, its answer to OPTIONS, keep-alives.";

constexpr const char* footer = R"(
Examples:
  callwright probe sips:example.com                          by DNS, as RFC 3263 says
  callwright probe sips:example.com --at 192.0.2.1           not yet in DNS
  callwright probe tls:sbc.example.com:5061 --name example.com
  callwright probe tls:192.0.2.1 --name example.com --ca ca/ca.pem
  callwright probe tls:trunk.example.com --cert us.pem --key us.key    with mutual TLS
  callwright probe wss:example.com/ws          udp:192.0.2.1:5060      tcp:…      ws:…
  callwright probe sips:example.com --format json

The certificate has to speak for the target's host, or for --name. Without --ca the system's CAs are
trusted. A request for credentials (401, 407) is an answer like any other.

Exit status: 0 all is well, 1 something did not verify or answer, 2 usage, 3 not reached.)";

struct ProbeCommand {
    std::string target;
    std::string name;
    std::string at;
    std::string dns;
    std::vector<std::string> trusted;
    std::string crl;
    bool ocsp = false;
    std::string certificate;
    std::string key;
    std::string version;
    std::string policy = "server";
    std::string format = "text";
    std::string color = "auto";
    double timeout = 5;
    int width = 0;
    bool ascii = false;
    bool system = false;
    bool wildcards = false;
};

std::string_view transport_name(sip::Transport t) {
    switch (t) {
    case sip::Transport::Udp:
        return "UDP";
    case sip::Transport::Tls:
        return "TLS";
    case sip::Transport::Ws:
        return "WebSocket";
    case sip::Transport::Wss:
        return "secure WebSocket";
    case sip::Transport::Tcp:
    case sip::Transport::Sctp:
    case sip::Transport::Hep:
        break;
    }
    return "TCP";
}

std::string in_figures(Duration d) {
    std::string out;
    view::append_duration(out, d);
    return out;
}

const char* resumption_words(Resumption r) {
    switch (r) {
    case Resumption::Works:
        return "works: a second connection took up the session of the first";
    case Resumption::Refused:
        return "refused: a second connection had to begin anew";
    case Resumption::NotOffered:
        return "not offered: the server gave no session to take up";
    case Resumption::NotTried:
        break;
    }
    return "not tried";
}
const char* resumption_word(Resumption r) {
    switch (r) {
    case Resumption::Works:
        return "works";
    case Resumption::Refused:
        return "refused";
    case Resumption::NotOffered:
        return "not offered";
    case Resumption::NotTried:
        break;
    }
    return "not tried";
}

// What of the flow a ladder is to show: the OPTIONS with every connection of the probe.
flow::Call flow_of(flow::Book& book) {
    flow::Call call;
    book.for_each_call([&](const flow::Call& first) {
        call = first;
        return false;
    });
    book.for_each_connection([&](const flow::Connection& connection) {
        const bool known = std::ranges::any_of(
            call.connections, [&](const auto& c) { return c.id == connection.id; });
        if (!known) {
            call.connections.push_back(connection);
        }
        return true;
    });
    std::ranges::sort(call.connections, {}, &flow::Connection::id);
    if (!call.connections.empty()) {
        const auto first = call.connections.front().opened;
        call.start = call.start.known() ? std::min(call.start, first) : first;
        for (const auto& connection : call.connections) {
            call.end = std::max(call.end, connection.closed);
        }
    }
    return call;
}

class Printer {
  public:
    Printer(const ProbeCommand& options, const host::ProbeSettings& settings,
            const ProbeReport& report)
        : options_(options), settings_(settings), report_(report) {}

    std::string text(const flow::Call& call) {
        add_way();
        if (!call.connections.empty() || !call.messages.empty()) {
            out_ += '\n';
            add_ladder(call);
        }
        if (report_.reached) {
            out_ += '\n';
            add_tls();
            add_options();
            add_keep_alive();
        }
        out_ += '\n';
        add_verdict();
        return view_ascii() ? view::to_ascii(out_) : std::move(out_);
    }

    std::string json() {
        json_.open_object();
        json_.member("target", std::string_view{settings_.target.text});
        json_.member("expected", std::string_view{expected()});
        json_.member("reached", report_.reached);
        json_.member("good", report_.good());
        write_list("problems", report_.problems);
        write_way();
        write_tls();
        write_options();
        json_.key("keep_alive");
        json_.open_object();
        json_.member("tried", report_.keep_alive.tried);
        json_.member("answered", report_.keep_alive.answered);
        write_milliseconds("ms", report_.keep_alive.took, report_.keep_alive.answered);
        json_.close_object();
        json_.close_object();
        return std::string{json_.text()} + "\n";
    }

  private:
    [[nodiscard]] const std::string& expected() const {
        return settings_.expected.empty() ? settings_.target.host : settings_.expected;
    }
    [[nodiscard]] bool view_ascii() const {
        return options_.ascii || !look_at_terminal(ColorChoice::Never).utf8;
    }
    void row(std::string_view name, std::string_view value) {
        out_ += fmt::format("{:<12} {}\n", name, view::printable(value));
    }

    void add_way() {
        row("target", settings_.target.text);
        for (const auto& step : report_.resolution.steps) {
            row("", step);
        }
        if (!report_.resolution.failure.empty()) {
            row("", report_.resolution.failure);
        }
        for (const auto& attempt : report_.attempts) {
            row("", fmt::format("{} over {}: {}", to_string(attempt.place.endpoint),
                                transport_name(attempt.place.transport),
                                attempt.reached ? "reached" : attempt.why));
        }
    }

    void add_ladder(const flow::Call& call) {
        auto color = options_.color == "always"  ? ColorChoice::Always
                     : options_.color == "never" ? ColorChoice::Never
                                                 : ColorChoice::Auto;
        const auto terminal = look_at_terminal(color);
        view::append_text(out_, view::layout(call),
                          {.width = static_cast<std::size_t>(options_.width > 0 ? options_.width
                                                                                : terminal.columns),
                           .ascii = view_ascii(),
                           .colour = terminal.color});
    }

    void add_tls() {
        if (!report_.tls) {
            return;
        }
        const auto& tls = *report_.tls;
        if (tls.done) {
            row("handshake", fmt::format("{}, {}, {}; {}; took {}", tls.version, tls.cipher,
                                         tls.group.empty() ? "no group" : tls.group,
                                         tls.alpn.empty() ? "no ALPN" : "ALPN " + tls.alpn,
                                         in_figures(tls.took)));
        } else {
            row("handshake", "failed: " + tls.failure);
        }
        if (!tls.chain.empty()) {
            add_certificates(tls);
        }
        if (tls.ocsp) {
            row("OCSP", fmt::format("{}: {} ({})", to_string(tls.ocsp->verdict.state),
                                    view::printable(tls.ocsp->verdict.what),
                                    view::printable(tls.ocsp->from.empty() ? "no responder is named"
                                                                           : tls.ocsp->from)));
        }
        row("clients", client_words(tls));
        row("resumption", resumption_words(tls.resumption));
    }

    void add_certificates(const host::ProbeTls& tls) {
        row("certificate", tls.verdict.good() ? tls.verdict.summary() : "does not verify");
        out_ += verdict_text(tls.verdict, 13);
        for (std::size_t i = 0; i < tls.chain.size(); ++i) {
            const auto& facts = tls.chain[i];
            out_ += fmt::format("{:13}{} of {}: {}\n", "", i + 1, tls.chain.size(),
                                view::printable(facts.name));
            out_ += certificate_text(facts, wall_clock(), 15);
        }
    }

    static std::string client_words(const host::ProbeTls& tls) {
        if (!tls.certificate_asked) {
            return tls.done ? "are not asked for a certificate" : "(not known)";
        }
        std::string from;
        for (const auto& ca : tls.acceptable) {
            from += (from.empty() ? ", of one of: " : "; ") + ca;
        }
        return "are asked for a certificate" + from +
               (tls.certificate_given      ? "; ours was given"
                : tls.certificate_demanded ? "; none was given, and the server refused"
                                           : "; none was given, and the server went on");
    }

    void add_options() {
        const auto& options = report_.options;
        if (!options.sent) {
            return;
        }
        if (options.status == 0) {
            row("OPTIONS", options.failure);
            return;
        }
        row("OPTIONS", fmt::format("{} {} after {}{}", options.status, options.reason,
                                   in_figures(options.took),
                                   options.server.empty() ? "" : "; server " + options.server));
        if (!options.allow.empty()) {
            row("", "allows " + options.allow);
        }
        if (!options.supported.empty()) {
            row("", "supports " + options.supported);
        }
        for (const auto& challenge : options.challenges) {
            row("", fmt::format("asks for digest {} in the realm {}", challenge.algorithm,
                                challenge.realm));
        }
    }

    void add_keep_alive() {
        const auto& keep = report_.keep_alive;
        if (!keep.tried) {
            return;
        }
        row("keep-alive", keep.answered ? "answered after " + in_figures(keep.took)
                          : keep.failure.empty()
                              ? "not answered (RFC 5626 section 3.5.1 is optional)"
                              : "not answered: " + keep.failure);
    }

    void add_verdict() {
        if (!report_.reached) {
            out_ += "not reached\n";
        } else if (report_.problems.empty()) {
            out_ += "all is well\n";
        }
        for (const auto& problem : report_.problems) {
            out_ += "✗ " + view::printable(problem) + "\n";
        }
    }

    template <std::size_t N>
    void write_list(const char (&name)[N], const std::vector<std::string>& texts) {
        json_.key(name);
        json_.open_array();
        for (const auto& text : texts) {
            json_.value(std::string_view{text});
        }
        json_.close_array();
    }
    template <std::size_t N>
    void write_milliseconds(const char (&name)[N], Duration d, bool known) {
        json_.key(name);
        known ? json_.value(d.milliseconds(), 3) : json_.null();
    }

    void write_way() {
        json_.key("resolution");
        json_.open_object();
        write_list("steps", report_.resolution.steps);
        json_.member_or_null("failure", report_.resolution.failure);
        json_.close_object();
        json_.key("attempts");
        json_.open_array();
        for (const auto& attempt : report_.attempts) {
            json_.open_object();
            json_.member("transport", to_string(attempt.place.transport));
            json_.member("address", std::string_view{to_string(attempt.place.endpoint)});
            json_.member("reached", attempt.reached);
            json_.member_or_null("why", attempt.why);
            json_.close_object();
        }
        json_.close_array();
    }

    void write_tls() {
        json_.key("tls");
        if (!report_.tls) {
            json_.null();
            return;
        }
        const auto& tls = *report_.tls;
        json_.open_object();
        json_.member("done", tls.done);
        json_.member_or_null("failure", tls.failure);
        json_.member_or_null("version", tls.version);
        json_.member_or_null("cipher", tls.cipher);
        json_.member_or_null("group", tls.group);
        json_.member_or_null("alpn", tls.alpn);
        json_.member_or_null("sni", tls.sni);
        write_milliseconds("ms", tls.took, tls.done);
        json_.key("messages");
        json_.open_array();
        for (const auto& step : report_.handshake) {
            json_.open_object();
            json_.member("from", step.from_client ? "client" : "server");
            json_.member("name", std::string_view{step.name});
            json_.member_or_null("detail", step.detail);
            json_.close_object();
        }
        json_.close_array();
        json_.key("verdict");
        json_.open_object();
        write_verdict(json_, tls.verdict);
        json_.close_object();
        json_.key("chain");
        json_.open_array();
        for (const auto& facts : tls.chain) {
            write_certificate(json_, facts, wall_clock());
        }
        json_.close_array();
        json_.key("ocsp");
        write_ocsp(tls.ocsp);
        json_.key("client_certificate");
        json_.open_object();
        json_.member("asked", tls.certificate_asked);
        json_.member("given", tls.certificate_given);
        json_.member("demanded", tls.certificate_demanded);
        write_list("acceptable", tls.acceptable);
        json_.close_object();
        json_.member("resumption", resumption_word(tls.resumption));
        json_.close_object();
    }

    void write_ocsp(const std::optional<host::ProbeOcsp>& ocsp) {
        if (!ocsp) {
            json_.null();
            return;
        }
        json_.open_object();
        json_.member_or_null("from", ocsp->from);
        json_.member("state", to_string(ocsp->verdict.state));
        json_.member("what", std::string_view{ocsp->verdict.what});
        json_.member_or_null("produced", ocsp->verdict.produced.known()
                                             ? to_rfc3339(ocsp->verdict.produced)
                                             : std::string{});
        json_.member_or_null("next", ocsp->verdict.next.known() ? to_rfc3339(ocsp->verdict.next)
                                                                : std::string{});
        json_.close_object();
    }

    void write_options() {
        const auto& options = report_.options;
        json_.key("options");
        if (!options.sent) {
            json_.null();
            return;
        }
        json_.open_object();
        json_.key("status");
        options.status == 0 ? json_.null() : json_.value(std::uint32_t{options.status});
        json_.member_or_null("reason", options.reason);
        json_.member_or_null("failure", options.failure);
        write_milliseconds("ms", options.took, options.status != 0);
        json_.member_or_null("server", options.server);
        json_.member_or_null("allow", options.allow);
        json_.member_or_null("supported", options.supported);
        json_.member("retransmissions", options.retransmissions);
        json_.key("challenges");
        json_.open_array();
        for (const auto& challenge : options.challenges) {
            json_.open_object();
            json_.member("realm", std::string_view{challenge.realm});
            json_.member("algorithm", std::string_view{challenge.algorithm});
            json_.close_object();
        }
        json_.close_array();
        json_.close_object();
    }

    const ProbeCommand& options_;
    const host::ProbeSettings& settings_;
    const ProbeReport& report_;
    std::string out_;
    view::JsonWriter json_;
};

int complain(Exit status, const std::string& what) {
    fmt::print(stderr, "callwright: probe: {}\n", view::printable(what));
    return status;
}

// Empty when all went well, else what is wrong with which file.
std::string load_files(const ProbeCommand& options, host::ProbeSettings& settings) {
    for (const auto& file : options.trusted) {
        auto loaded = load_certificates(file);
        if (!loaded) {
            return loaded.error();
        }
        std::ranges::move(*loaded, std::back_inserter(settings.trusted));
    }
    if (!options.crl.empty()) {
        auto loaded = load_crls(options.crl);
        if (!loaded) {
            return loaded.error();
        }
        settings.crls = std::move(*loaded);
    }
    return {};
}

int run(const ProbeCommand& options) {
    host::ProbeSettings settings;
    auto target = host::parse_probe_target(options.target);
    if (!target) {
        return complain(BadUsage, options.target + ": " + target.error().what);
    }
    if (options.certificate.empty() && !options.key.empty()) {
        return complain(BadUsage, "--key " + options.key + ": give its certificate with --cert");
    }
    settings.target = std::move(*target);
    settings.expected = options.name;
    settings.dns_servers = options.dns;
    settings.ask_ocsp = options.ocsp;
    if (!options.at.empty()) {
        settings.at = parse_endpoint(options.at, 0);
        if (!settings.at) {
            return complain(BadUsage, "--at " + options.at + ": no address like 192.0.2.1:5061");
        }
    }
    settings.system_trust = options.system || options.trusted.empty();
    settings.certificate = options.certificate;
    settings.key = options.key;
    settings.identity = {.purposes = options.policy == "strict" ? crypto::PurposePolicy::Strict
                                     : options.policy == "role" ? crypto::PurposePolicy::ByRole
                                     : options.policy == "any"
                                         ? crypto::PurposePolicy::Ignore
                                         : crypto::PurposePolicy::AcceptServerAuth,
                         .wildcards = options.wildcards};
    settings.timeout = milliseconds(static_cast<std::int64_t>(options.timeout * 1000));
    settings.minimum_version = options.version == "1.3" ? 0x0304 : 0x0303;
    settings.maximum_version = options.version == "1.2" ? 0x0303 : 0x0304;
    if (const auto wrong = load_files(options, settings); !wrong.empty()) {
        return complain(BadInput, wrong);
    }

    flow::Book book;
    const auto report = host::probe(settings, book);
    if (!report) {
        return complain(BadInput, report.error());
    }
    Printer printer{options, settings, *report};
    if (options.format == "json") {
        fmt::print("{}", printer.json());
    } else if (options.format == "mermaid") {
        std::string out;
        view::append_mermaid(out, view::layout(flow_of(book)));
        fmt::print("{}", out);
    } else {
        fmt::print("{}", printer.text(flow_of(book)));
    }
    return !report->reached ? BadInput : report->good() ? Good : WorkFailed;
}

} // namespace

Command add_probe(CLI::App& app) {
    auto options = std::make_shared<ProbeCommand>();
    auto* command = app.add_subcommand("probe", description);
    command->footer(footer);
    command
        ->add_option("TARGET", options->target,
                     "sips:DOMAIN, sip:DOMAIN, tls:HOST[:PORT], also tcp: udp: ws: wss:")
        ->required();
    command->add_option("--name", options->name,
                        "the identity that the certificate has to speak for, and the SNI");
    command->add_option("--at", options->at,
                        "go to this ADDRESS[:PORT] instead of asking DNS for the target");
    command->add_option("--dns", options->dns, "ask this name server, ADDRESS[:PORT]");
    command->add_option("--ca", options->trusted, "PEM with the CAs to trust (repeatable)");
    command->add_flag("--system", options->system, "trust the system's CAs beside --ca");
    command->add_option("--crl", options->crl, "PEM or DER with revocation lists");
    command->add_flag("--ocsp", options->ocsp,
                      "ask the CA's responder, where the server staples no OCSP response");
    command->add_option("--cert", options->certificate, "our certificate, for mutual TLS (PEM)");
    command->add_option("--key", options->key, "its key (default: in the same file)");
    command->add_option("--timeout", options->timeout, "seconds to wait, at each step")
        ->check(CLI::Range(0.1, 600.0))
        ->capture_default_str();
    command->add_option("--tls", options->version, "only this version: 1.2 or 1.3")
        ->check(CLI::IsMember({"1.2", "1.3"}));
    command
        ->add_option("--policy", options->policy,
                     "on extended key usage: strict, role, server or any, as certs check has it")
        ->check(CLI::IsMember({"strict", "role", "server", "any"}))
        ->capture_default_str();
    command->add_flag("--wildcards", options->wildcards, "let *.example.com stand for one label");
    command->add_option("--format", options->format, "text, json or mermaid")
        ->check(CLI::IsMember({"text", "json", "mermaid"}))
        ->capture_default_str();
    command->add_option("--color", options->color, "auto, always or never")
        ->check(CLI::IsMember({"auto", "always", "never"}));
    command->add_option("--width", options->width, "columns of text to fill")
        ->check(CLI::Range(60, 1000));
    command->add_flag("--ascii", options->ascii, "draw with ASCII characters only");
    return [options] { return run(*options); };
}

} // namespace cw::cli
