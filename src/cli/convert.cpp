// callwright convert: SIPp's scenarios in, flows out.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "cli/commands.hpp"
#include "cli/output.hpp"
#include "crypto/private_file.hpp"
#include "script/complaint.hpp"
#include "script/sipp/convert.hpp"
#include "view/json_writer.hpp"

namespace cw::cli {
namespace {

constexpr const char* description =
    "Makes a flow of a SIPp scenario: a Mermaid sequence diagram that 'run' and 'load' perform as "
    "SIPp performs the XML. What is usual is not written down; the rest stands beneath its arrow. "
    "XML that is not well-formed is understood where that is possible, and said. Several files are "
    "those of 3PCC, a pair or master and slaves, and become one flow.";

constexpr const char* footer = R"(
Examples:
  callwright convert uac.xml -o uac.mmd
  callwright convert 3pcc-A.xml 3pcc-B.xml -o 3pcc.mmd
  callwright convert master.xml slave1.xml slave2.xml -o transfer.mmd
  callwright run uac.xml --at uas=udp:127.0.0.1:5060         the same, without a file in between
  callwright run uas.xml --listen uas=udp:127.0.0.1:5060

The party that plays the scenario is called uac where it sends first, else uas; of a pair they are
left and right, and their other ends left_peer and right_peer. Scenarios of the extended mode have
the names that <sendCmd dest> and <recvCmd src> use: master, slave1, master_peer …

SIPp's options and what stands for them:
  -sf FILE                run FILE, load FILE, convert FILE
  REMOTE[:PORT], -t u1|t1|l1   --at uas=udp:HOST:PORT, tcp: or tls:
  -i IP, -p PORT          --listen uac=udp:IP:PORT (uas=… where the scenario begins by waiting)
  -s NAME                 --set service=NAME
  -key NAME VALUE         --set NAME=VALUE
  -au USER, -ap PASSWORD  --set auth_username=USER, --set auth_password=PASSWORD
  -inf FILE               --rows FILE (also CSV with a heading)
  -d MS                   --set pause=MS, for <pause/> without a time
  -recv_timeout MS        --timeout TIME
  -3pcc, -master, -slave  convert A.xml B.xml … -o all.mmd, then run all.mmd
  -r N -rp MS, -m N, -l N load --rate N/s, --calls N, --concurrency N
  -trace_msg              --trace, --pcap-out FILE, --report DIR

Exit status: 0 converted, 2 the scenario has something that a flow cannot do (the line is named),
3 a file could not be read or written.)";

struct ConvertOptions {
    std::vector<std::string> files;
    std::string output;
    std::string format = "mermaid";
    bool quiet = false;
};

std::string base_name(const std::string& path) {
    const auto slash = path.rfind('/');
    auto name = slash == std::string::npos ? path : path.substr(slash + 1);
    return name.ends_with(".xml") ? name.substr(0, name.size() - 4) : name;
}

// Notes about a file have lines that count on after those of the files before it.
void say_notes(std::string& out, const std::vector<script::sipp::Note>& notes, bool warning,
               const std::vector<std::string>& files, const std::vector<std::string>& texts) {
    for (const auto& note : notes) {
        script::Complaint complaint{note.place, warning, note.what, {}, {}};
        std::size_t file = 0;
        for (; file + 1 < texts.size(); ++file) {
            const auto lines =
                static_cast<std::uint32_t>(std::ranges::count(texts[file], '\n') + 1);
            if (complaint.place.line <= lines) {
                break;
            }
            complaint.place.line -= lines;
        }
        script::append(out, files[file], texts[file], complaint);
    }
}

void put_notes(view::JsonWriter& json, const std::vector<script::sipp::Note>& notes) {
    json.open_array();
    for (const auto& note : notes) {
        json.open_object();
        json.key("line");
        json.value(note.place.line);
        json.key("column");
        json.value(note.place.column);
        json.key("what");
        json.value(note.what);
        json.close_object();
    }
    json.close_array();
}

std::string json_of(const ConvertOptions& options, const script::sipp::Conversion& done) {
    view::JsonWriter json;
    json.open_object();
    json.key("callwright");
    json.value(CALLWRIGHT_VERSION);
    json.key("file");
    json.value(options.files.front());
    json.key("converted");
    json.value(done.ok());
    json.key("notes");
    put_notes(json, done.notes);
    json.key("refused");
    put_notes(json, done.refused);
    json.key("flow");
    json.value(done.flow);
    json.close_object();
    auto out = std::string{json.text()};
    out += '\n';
    return out;
}

std::expected<std::string, std::string> read_scenario(const std::string& path) {
    if (path == "-") {
        std::string out;
        char buffer[65'536];
        for (std::size_t n = 0; out.size() <= script::sipp::limit::bytes &&
                                (n = std::fread(buffer, 1, sizeof buffer, stdin)) > 0;) {
            out.append(buffer, n);
        }
        return out;
    }
    auto text = crypto::read_whole(path, script::sipp::limit::bytes + 1);
    if (!text) {
        return std::unexpected{fmt::format("{}: {}", path, text.error().what)};
    }
    return std::move(*text);
}

int convert(const ConvertOptions& options) {
    std::vector<std::string> texts;
    for (const auto& file : options.files) {
        auto text = read_scenario(file);
        if (!text) {
            fmt::print(stderr, "callwright: convert: {}\n", text.error());
            return BadInput;
        }
        texts.push_back(std::move(*text));
    }
    const auto name = base_name(options.files.front());
    const auto done = texts.size() > 1 ? script::sipp::convert_together(texts, name)
                                       : script::sipp::convert(texts[0], name);
    std::string said;
    if (!options.quiet) {
        say_notes(said, done.notes, true, options.files, texts);
    }
    say_notes(said, done.refused, false, options.files, texts);
    fmt::print(stderr, "{}", said);
    const bool json = options.format == "json";
    if (!done.ok() && !json) {
        return BadUsage;
    }
    auto output = Output::open(options.output);
    if (!output) {
        fmt::print(stderr, "callwright: convert: {}: {}\n", options.output, output.error().what);
        return BadInput;
    }
    output->write(json ? json_of(options, done) : done.flow);
    if (!output->finish()) {
        fmt::print(stderr, "callwright: convert: {}: cannot be written\n", options.output);
        return BadInput;
    }
    return done.ok() ? Good : BadUsage;
}

} // namespace

Command add_convert(CLI::App& app) {
    auto options = std::make_shared<ConvertOptions>();
    auto* command = app.add_subcommand("convert", description);
    command->footer(footer);
    command
        ->add_option("FILE", options->files,
                     "a scenario, or those of 3PCC that speak to each other; - is "
                     "standard input")
        ->required()
        ->expected(1, 16);
    command->add_option("-o,--output", options->output, "where to; standard output unless said")
        ->type_name("FILE");
    command->add_option("--format", options->format, "mermaid or json")
        ->check(CLI::IsMember({"mermaid", "json"}))
        ->capture_default_str();
    command->add_flag("-q,--quiet", options->quiet, "do not say what was repaired in the XML");
    return [options] { return convert(*options); };
}

} // namespace cw::cli
