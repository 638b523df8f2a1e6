#include "script/pattern.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "base/text.hpp"
#include "script/registry.hpp"
#include "sip/header.hpp"

namespace cw::script {
namespace {

constexpr std::uint32_t most_times = 1'000'000;

bool only(std::string_view text, bool (*allowed)(char)) {
    return !text.empty() && std::ranges::all_of(text, allowed);
}

bool read_count(std::string_view word, Argument& out) {
    const auto count = parse_number<std::uint32_t>(word);
    out.number = count.value_or(0);
    return count && *count >= 1 && *count <= most_times;
}
bool read_time(std::string_view word, Argument& out) {
    const auto time = parse_duration(word);
    out.number = time.value_or(Duration{}).ns;
    return time.has_value();
}
bool read_share(std::string_view word, Argument& out) {
    const auto share = parse_percent(word);
    out.number = share.value_or(Percent{}).millionths;
    return share.has_value();
}
bool read_mos(std::string_view word, Argument& out) {
    const auto score = parse_percent(fmt::format("{}%", word));
    out.number = score ? score->millionths / 100 : 0;
    return score && out.number >= 100 && out.number <= 500;
}
bool read_status(std::string_view word, Argument& out) {
    const auto status = parse_number<std::uint16_t>(word);
    out.number = status.value_or(0);
    return word.size() == 3 && status && *status >= 100 && *status <= 699;
}
bool read_alert(std::string_view word, Argument& out) {
    const auto code = alert_code(word);
    out.number = code.value_or(0);
    return code.has_value();
}
bool read_header_name(std::string_view word, Argument& out) {
    out.number = std::to_underlying(sip::header_id(word));
    return out.number != 0;
}
bool read_cipher(std::string_view word, Argument& /*out*/) {
    return word.starts_with("TLS_") && word.size() <= 60 &&
           only(word, [](char c) { return (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_'; });
}
bool read_suite(std::string_view word, Argument& /*out*/) {
    return is_one_of(suites, word);
}
bool read_codec(std::string_view word, Argument& /*out*/) {
    return is_one_of(codecs, word);
}
bool read_host(std::string_view word, Argument& /*out*/) {
    const auto is_label = [](char c) { return is_alpha(c) || is_digit(c) || c == '-' || c == '.'; };
    const auto last = word.substr(word.rfind('.') + 1); // all of it when there is no dot
    return word.size() <= 253 && only(word, is_label) && !word.starts_with('.') && !last.empty() &&
           word.find("..") == std::string_view::npos && !only(last, is_digit) &&
           (last.size() < word.size() || word == "localhost");
}
bool read_uri(std::string_view word, Argument& /*out*/) {
    return word.size() > 4 && (word.starts_with("sip:") || word.starts_with("sips:") ||
                               word.starts_with("tel:") || word.starts_with("urn:"));
}
bool read_keys(std::string_view word, Argument& /*out*/) {
    return word.size() <= 64 && only(word, [](char c) {
               return is_digit(c) || c == '*' || c == '#' || (c >= 'A' && c <= 'D');
           });
}
bool read_file(std::string_view word, Argument& /*out*/) {
    return word.size() <= 255;
}
bool read_quoted(std::string_view word, Argument& out) {
    const bool whole = word.size() >= 2 && word.starts_with('"') && word.ends_with('"');
    out.text = whole ? word.substr(1, word.size() - 2) : word;
    return whole;
}
bool read_name(std::string_view word, Argument& /*out*/) {
    return word.size() <= 40 && is_alpha(word[0]) &&
           only(word, [](char c) { return is_alpha(c) || is_digit(c) || c == '_' || c == '-'; });
}

struct Kind {
    std::string_view name;
    bool (*read)(std::string_view word, Argument& out); // a word is never empty
    std::string_view expected;
    bool to_end = false; // takes all words that follow
};
constexpr auto kinds = std::to_array<Kind>({
    {"$duration", read_time, "a time, as in 500ms, 2s or 10m"},
    {"$count", read_count, "a number"},
    {"$percent", read_share, "a share, as in 0.5%"},
    {"$mos", read_mos, "a score from 1 to 5"},
    {"$status", read_status, "a status from 100 to 699"},
    {"$alert", read_alert, "a TLS alert, as in unknown_ca or bad_certificate"},
    {"$cipher", read_cipher, "a cipher suite, as in TLS_AES_256_GCM_SHA384"},
    {"$suite", read_suite, "an SRTP suite, as in AES_CM_128_HMAC_SHA1_80"},
    {"$codec", read_codec, "a codec: PCMU, PCMA, G722, G729, opus or telephone-event"},
    {"$header", read_header_name, "the name of a header"},
    {"$host", read_host, "a host name"},
    {"$uri", read_uri, "an address, as in sip:alice@example.com"},
    {"$keys", read_keys, "keys: 0 to 9, *, #, A to D", true},
    {"$file", read_file, "a file name"},
    {"$quoted", read_quoted, "a text in \"quotes\""},
    {"$name", read_name, "a name"},
    {"$rest", read_file, "a value", true},
});

const Kind* kind_of(std::string_view name) {
    const auto* found = std::ranges::find(kinds, name, &Kind::name);
    return found == kinds.end() ? nullptr : found;
}

std::vector<std::string_view> alternatives(std::string_view word) {
    std::vector<std::string_view> out;
    while (true) {
        const auto bar = word.find('|');
        out.push_back(word.substr(0, bar));
        if (bar == std::string_view::npos) {
            return out;
        }
        word.remove_prefix(bar + 1);
    }
}

std::vector<std::string_view> split_pattern(std::string_view pattern) {
    std::vector<std::string_view> out;
    while (!pattern.empty()) {
        const auto blank = pattern.find(' ');
        out.push_back(pattern.substr(0, blank));
        pattern.remove_prefix(blank == std::string_view::npos ? pattern.size() : blank + 1);
    }
    return out;
}

std::string listed(std::span<const std::string_view> words) {
    std::string out;
    for (std::size_t i = 0; i < words.size(); ++i) {
        out += i == 0 ? "" : i + 1 == words.size() ? " or " : ", ";
        out += words[i];
    }
    return out;
}

// What can be heard: a party, or one of three kinds of sound, which are numbered after the parties.
bool match_heard(std::string_view word, const Names& names, Match& out) {
    constexpr std::array<std::string_view, 3> sounds{"music", "speech", "silence"};
    const auto* sound = std::ranges::find(sounds, word);
    const auto party = word.empty() ? std::nullopt : names.find(word);
    out.arguments.push_back(
        {word, party ? std::int64_t{*party} : first_sound + (sound - sounds.begin())});
    out.expected = "the name of a party, music, speech or silence";
    out.choices = names.views();
    out.choices.insert(out.choices.end(), sounds.begin(), sounds.end());
    return party || sound != sounds.end();
}

// One word of a pattern against what stands there.
bool match_word(std::string_view wanted, std::string_view word, const Names& names, Match& out) {
    if (wanted == "$party") {
        const auto party = word.empty() ? std::nullopt : names.find(word);
        out.arguments.push_back({word, party.value_or(0)});
        out.expected = "the name of a party";
        out.choices = names.views();
        return party.has_value();
    }
    if (wanted == "$heard") {
        return match_heard(word, names, out);
    }
    if (const auto* kind = kind_of(wanted)) {
        Argument argument{word};
        const bool fits = !word.empty() && kind->read(word, argument);
        out.arguments.push_back(argument);
        out.expected = kind->expected;
        out.choices = wanted == "$codec"   ? std::vector(codecs.begin(), codecs.end())
                      : wanted == "$suite" ? std::vector(suites.begin(), suites.end())
                                           : std::vector<std::string_view>{};
        return fits;
    }
    out.choices = alternatives(wanted);
    out.expected = listed(out.choices);
    const auto found = std::ranges::find(out.choices, word);
    if (found == out.choices.end()) {
        return false;
    }
    if (out.choices.size() > 1) {
        out.arguments.push_back({word, found - out.choices.begin()});
    }
    return true;
}

// All words from `first` on, as one; `text` holds them all.
std::string_view tail(std::string_view text, std::string_view first) {
    return text.substr(static_cast<std::size_t>(first.data() - text.data()));
}

// Keys may stand apart: "1 2 #".
bool match_keys(std::span<const std::string_view> words, Match& out) {
    while (out.words < words.size()) {
        Argument argument{words[out.words]};
        if (!read_keys(argument.text, argument)) {
            break;
        }
        out.arguments.push_back(argument);
        ++out.words;
    }
    return !out.arguments.empty();
}

} // namespace

Match match(std::string_view pattern, std::span<const std::string_view> words,
            std::string_view text, const Names& names) {
    Match out;
    for (const auto wanted : split_pattern(pattern)) {
        const auto word = out.words < words.size() ? words[out.words] : std::string_view{};
        out.stopped = word;
        if (wanted == "$keys") {
            if (!match_keys(words, out)) {
                out.expected = kind_of(wanted)->expected;
                return out;
            }
            continue;
        }
        if (wanted == "$rest" && !word.empty()) {
            out.arguments.push_back({tail(text, word)});
            out.words = words.size();
            continue;
        }
        if (!match_word(wanted, word, names, out)) {
            return out;
        }
        ++out.words;
    }
    out.complete = out.words == words.size();
    if (!out.complete) {
        out.stopped = words[out.words];
        out.expected = "nothing more here";
        out.choices.clear();
    }
    return out;
}

std::vector<std::string> beginnings(std::string_view pattern) {
    std::vector<std::string> out{""};
    for (const auto word : split_pattern(pattern)) {
        if (word.starts_with('$')) {
            break;
        }
        std::vector<std::string> longer;
        for (const auto& begun : out) {
            for (const auto choice : alternatives(word)) {
                longer.push_back(begun.empty() ? std::string(choice)
                                               : fmt::format("{} {}", begun, choice));
            }
        }
        out = std::move(longer);
    }
    return out[0].empty() ? std::vector<std::string>{} : out;
}

} // namespace cw::script
