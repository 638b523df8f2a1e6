#include "cli/flow_file.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <random>
#include <sstream>

#include <fmt/format.h>

#include "base/text.hpp"
#include "crypto/private_file.hpp"
#include "rtp/wav.hpp"
#include "script/compose.hpp"
#include "script/literal/order.hpp"
#include "script/literal/text.hpp"
#include "script/parse.hpp"
#include "script/read_flow.hpp"

namespace cw::cli {

namespace {

std::expected<std::string, Failure> read_text(const std::string& path) {
    if (path == "-") {
        std::ostringstream all;
        char buffer[65'536];
        for (std::size_t n = 0; (n = std::fread(buffer, 1, sizeof buffer, stdin)) > 0;) {
            all.write(buffer, static_cast<std::streamsize>(n));
        }
        return all.str();
    }
    auto text = crypto::read_whole(path, script::longest_flow_text + 1);
    if (!text) {
        return std::unexpected{Failure{BadInput, fmt::format("{}: {}", path, text.error().what)}};
    }
    return std::move(*text);
}

std::string complaints_of(const script::Parsed& parsed, const std::string& file,
                          std::string_view text) {
    std::string said;
    for (const auto& complaint : parsed.complaints) {
        script::append(said, file, text, complaint);
    }
    return said;
}

// The flows that are performed before one: those that `before:` of `plan` names, and first those
// that they name in turn. Each is read once.
class Earlier {
  public:
    std::expected<void, Failure> gather(const std::string& file, const script::Plan& plan) {
        constexpr std::size_t most = 16;
        begun_.push_back(std::filesystem::path{file}.lexically_normal());
        for (const auto& setting : plan.settings) {
            const auto* before = std::get_if<script::Before>(&setting.value);
            if (before == nullptr) {
                continue;
            }
            const auto path =
                (std::filesystem::path{file}.parent_path() / before->file).lexically_normal();
            const auto refuse = [&](int status, const std::string& why) {
                return std::unexpected{Failure{
                    status, fmt::format("{}:{}: before: {}", file, setting.place.line, why)}};
            };
            if (std::ranges::find(begun_, path) != begun_.end()) {
                return refuse(BadUsage, path.string() + " comes before itself");
            }
            if (std::ranges::find(files, path.string(), &script::Earlier::name) != files.end()) {
                continue;
            }
            if (files.size() + begun_.size() > most) {
                return refuse(BadUsage, fmt::format("more than {} flows", most));
            }
            auto text = crypto::read_whole(path.string(), script::longest_flow_text + 1);
            if (!text) {
                return refuse(BadInput, fmt::format("{}: {}", path.string(), text.error().what));
            }
            texts_.push_back(std::make_unique<std::string>(std::move(*text)));
            const std::string_view its = *texts_.back();
            if (auto done = gather(path.string(), script::parse(its).plan); !done) {
                return done;
            }
            const auto parsed = script::parse_after(files, its);
            if (!parsed.ok()) {
                return std::unexpected{
                    Failure{BadUsage, complaints_of(parsed, path.string(), its)}};
            }
            files.push_back({path.string(), its});
        }
        begun_.pop_back();
        return {};
    }

    std::vector<script::Earlier> files; // in the order in which they are performed

  private:
    std::vector<std::filesystem::path> begun_; // those that are being read, the outermost first
    std::vector<std::unique_ptr<std::string>> texts_;
};

// [file name="body.xml"] in what a literal party says.
std::vector<std::string> inserted_files(const script::Arrow& arrow) {
    std::vector<std::string> out;
    for (const auto& fact : arrow.facts) {
        const auto* said = std::get_if<script::Said>(&fact.value);
        if (said == nullptr || said->about != script::Said::About::Line) {
            continue;
        }
        for (const auto& piece : script::literal::parse_text(said->text).pieces) {
            const auto* keyword = std::get_if<script::literal::Keyword>(&piece);
            if (keyword != nullptr && keyword->key == script::literal::Key::File) {
                out.push_back(keyword->name);
            }
        }
    }
    return out;
}

// "a.wav" of stream "a.wav,-1,0", "b.pcap" of replay "b.pcap".
std::vector<std::string> sounding_files(const script::Facts& facts) {
    using script::literal::Sound;
    std::vector<std::string> out;
    for (const auto& fact : facts) {
        const auto* said = std::get_if<script::Said>(&fact.value);
        if (said == nullptr || said->about != script::Said::About::Does) {
            continue;
        }
        const auto order = script::literal::parse_order(said->text);
        const auto* sound = order ? std::get_if<Sound>(&*order) : nullptr;
        if (sound != nullptr && sound->how != Sound::How::Echo) {
            const bool streams = sound->how == Sound::How::Stream;
            out.emplace_back(
                trim(sound->what.substr(0, streams ? sound->what.find(',') : std::string::npos)));
        }
    }
    return out;
}

// What the flow's lines name: files of bodies, sounds.
std::expected<void, Failure> load_files(Loaded& flow) {
    std::filesystem::path folder;
    std::string place;
    const auto refuse = [&](const std::string& name, const char* why) {
        return std::unexpected{
            Failure{BadInput, fmt::format("{}: {}: {}", place, (folder / name).string(), why)}};
    };
    const auto body = [&](const std::string& name) -> std::expected<void, Failure> {
        auto text = crypto::read_whole((folder / name).string(), std::size_t{1} << 20);
        if (!text) {
            return refuse(name, text.error().what);
        }
        flow.given.files[name] = std::move(*text);
        return {};
    };
    for (const auto& step : flow.plan.steps) {
        const std::string file{script::file_of(flow.plan, step.place, flow.file)};
        folder = std::filesystem::path{file}.parent_path();
        place = fmt::format("{}:{}", file, step.place.line);
        if (const auto* arrow = std::get_if<script::Arrow>(&step.what)) {
            if (const auto* named = script::find<script::Body>(arrow->facts)) {
                if (auto done = body(named->file); !done) {
                    return done;
                }
            }
            for (const auto& name : inserted_files(*arrow)) {
                if (auto done = body(name); !done) {
                    return done;
                }
            }
        }
        const auto* act = std::get_if<script::Act>(&step.what);
        const auto* arrow = std::get_if<script::Arrow>(&step.what);
        for (const auto& name : sounding_files(arrow != nullptr ? arrow->facts
                                               : act != nullptr ? act->facts
                                                                : script::Facts{})) {
            // Beside the scenario, or where the program is started, as for SIPp. One that is not
            // there is silence; so is what is no file: dtmf, a pattern, "pause".
            for (const auto& path : {folder / name, std::filesystem::path{name}}) {
                if (auto bytes = crypto::read_whole(path.string(), std::size_t{64} << 20)) {
                    flow.given.recordings[name] =
                        std::make_shared<const std::string>(std::move(*bytes));
                    break;
                }
            }
        }
        const auto* says = act != nullptr ? std::get_if<script::Says>(&act->action) : nullptr;
        if (says != nullptr) {
            auto bytes = crypto::read_whole((folder / says->file).string(), std::size_t{64} << 20);
            if (!bytes) {
                return refuse(says->file, bytes.error().what);
            }
            auto samples = rtp::read_wav(as_bytes(std::string_view{*bytes}));
            if (!samples) {
                return refuse(says->file, samples.error().what);
            }
            flow.given.sounds[says->file] =
                std::make_shared<const rtp::Samples>(std::move(*samples));
        }
    }
    return {};
}

// {env.NAME}: those that the flow asks for, and no others.
void take_environment(const std::string& text, play::Given& given) {
    for (auto at = text.find("{env."); at != std::string::npos; at = text.find("{env.", at + 1)) {
        const auto end = text.find('}', at);
        const auto name = text.substr(at + 5, end == std::string::npos ? 0 : end - at - 5);
        if (const char* value = std::getenv(name.c_str())) {
            given.environment[name] = value;
        }
    }
}

// The users: the CSV file that the command line names, else the one that the flow does.
std::expected<void, Failure> take_rows(Loaded& flow, const std::string& text,
                                       const std::string& users) {
    const auto* named = script::find<script::RowsFrom>(flow.plan.settings);
    const auto path = !users.empty() ? users
                      : named != nullptr
                          ? (std::filesystem::path{flow.file}.parent_path() / named->file).string()
                          : std::string{};
    if (!path.empty()) {
        auto csv = crypto::read_whole(path, std::size_t{1} << 30);
        if (!csv) {
            return std::unexpected{
                Failure{BadInput, fmt::format("{}: {}", path, csv.error().what)}};
        }
        auto rows = play::parse_rows(*csv);
        if (!rows) {
            return std::unexpected{Failure{BadInput, fmt::format("{}: {}", path, rows.error())}};
        }
        flow.given.row = rows->row(0);
        flow.rows = std::move(*rows);
    }
    for (auto at = text.find("{row."); at != std::string::npos; at = text.find("{row.", at + 1)) {
        const auto end = text.find_first_of("}+", at);
        const auto name = text.substr(at + 5, end == std::string::npos ? 0 : end - at - 5);
        if (!flow.rows) {
            return std::unexpected{Failure{
                BadUsage, fmt::format("{}: {{row.{}}} needs a CSV file: '%% set: rows from FILE' "
                                      "beneath sequenceDiagram, or --users FILE",
                                      flow.file, name)}};
        }
        const auto& columns = flow.rows->columns;
        if (std::ranges::find(columns, name) == columns.end()) {
            return std::unexpected{
                Failure{BadUsage, fmt::format("{}: there is no column '{}' in {}, which has {}",
                                              flow.file, name, path, fmt::join(columns, ", "))}};
        }
    }
    return {};
}

// SIPp's injection files.
std::expected<void, Failure> take_injections(const FlowOptions& options, Loaded& flow) {
    for (const auto& path : options.injections) {
        auto text = crypto::read_whole(path, std::size_t{256} << 20);
        if (!text) {
            return std::unexpected{
                Failure{BadInput, fmt::format("{}: {}", path, text.error().what)}};
        }
        // A CSV file with a heading does as well: its columns are field0, field1, …
        std::expected<script::sipp::Injection, std::string> file;
        if (script::sipp::is_injection(*text)) {
            file = script::sipp::read_injection(*text, path);
        } else if (auto rows = play::parse_rows(*text)) {
            file->path = path;
            file->name = std::filesystem::path{path}.filename().string();
            file->rows = std::move(rows->rows);
        } else {
            file = std::unexpected{rows.error()};
        }
        if (!file) {
            return std::unexpected{Failure{BadInput, fmt::format("{}: {}", path, file.error())}};
        }
        flow.injections.push_back(std::move(*file));
    }
    script::sipp::fill_row(flow.injections, 1, 0, flow.given.row);
    if (!flow.injections.empty()) {
        flow.given.tables = std::make_shared<script::sipp::Tables>(flow.injections);
    }
    return {};
}

} // namespace

std::expected<Loaded, Failure> load_flow(const FlowOptions& options, const std::string& file) {
    auto text = read_text(file);
    if (!text) {
        return std::unexpected{text.error()};
    }
    if (text->contains('\0')) { // a capture perhaps, and with it secrets that no complaint may show
        return std::unexpected{Failure{
            BadUsage, file + ": is no text, so no flow; captures are for 'callwright read'"}};
    }
    auto parsed = script::read_flow(*text, std::filesystem::path{file}.stem().string());
    Earlier earlier;
    if (script::find<script::Before>(parsed.plan.settings) != nullptr) {
        if (auto done = earlier.gather(file, parsed.plan); !done) {
            return std::unexpected{done.error()};
        }
        parsed = script::parse_after(earlier.files, *text);
    }
    const auto said = complaints_of(parsed, file, *text);
    if (!parsed.ok()) {
        return std::unexpected{Failure{BadUsage, said}};
    }
    if (!said.empty()) {
        fmt::print(stderr, "{}", said);
    }
    Loaded out;
    out.file = file;
    out.plan = std::move(parsed.plan);
    for (const auto& pair : options.set) {
        const auto equals = pair.find('=');
        if (equals == std::string::npos || equals == 0) {
            return std::unexpected{Failure{BadUsage, fmt::format("--set {}: no KEY=VALUE", pair)}};
        }
        out.given.set[pair.substr(0, equals)] = pair.substr(equals + 1);
    }
    if (!options.timeout.empty()) {
        const auto time = script::parse_duration(options.timeout);
        if (!time) {
            return std::unexpected{Failure{
                BadUsage, fmt::format("--timeout {}: no time like 32s or 500ms", options.timeout)}};
        }
        std::erase_if(out.plan.settings, [](const script::Fact& fact) {
            return std::holds_alternative<script::Timeout>(fact.value);
        });
        out.plan.settings.push_back({{}, true, script::Timeout{*time}});
    }
    out.given.folder = std::filesystem::path{file}.parent_path().string();
    std::string all;
    for (const auto& one : earlier.files) {
        all += one.text;
    }
    all += *text;
    take_environment(all, out.given);
    if (auto done = take_rows(out, all, options.users); !done) {
        return std::unexpected{done.error()};
    }
    if (auto done = take_injections(options, out); !done) {
        return std::unexpected{done.error()};
    }
    std::random_device random;
    out.given.seed = options.seed != 0 ? options.seed : (std::uint64_t{random()} << 32 | random());
    if (auto done = load_files(out); !done) {
        return std::unexpected{done.error()};
    }
    return out;
}

} // namespace cw::cli
