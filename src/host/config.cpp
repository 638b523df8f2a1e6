#include "host/config.hpp"

#include "base/nearest.hpp"
#include "base/text.hpp"
#include "crypto/digest.hpp"
#include "crypto/private_file.hpp"
#include "host/config_section.hpp"

namespace cw::host {
namespace {

constexpr std::size_t largest_file = std::size_t{16} << 20; // a hundred thousand users

std::string quoted(std::string_view text) {
    std::string out{"'"};
    for (const char c : text.substr(0, 80)) {
        out += static_cast<unsigned char>(c) < 0x20 ? '?' : c;
    }
    return out += '\'';
}

std::string_view line_of(std::string_view text, std::uint32_t number) {
    for (std::uint32_t i = 1; i < number && !text.empty(); ++i) {
        const auto end = text.find('\n');
        text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    }
    return text.substr(0, text.find_first_of("\r\n"));
}

} // namespace

std::string ConfigError::text() const {
    std::string out = file;
    if (line != 0) {
        out += ":" + std::to_string(line) + ":" + std::to_string(column);
    }
    out += ": " + what;
    if (!source.empty()) {
        out += "\n  " + source + "\n  " + std::string(column > 0 ? column - 1 : 0, ' ') + "^";
    }
    return out;
}

// ---- readers

bool unknown_key(const toml::key& key, const std::vector<std::string_view>& known,
                 Problem& problem) {
    auto what = "unknown key " + quoted(key.str());
    if (const auto like = nearest(key.str(), known); !like.empty()) {
        what += "; did you mean " + quoted(like) + "?";
    }
    return problem.say(key.source(), std::move(what));
}

std::string one_of(const std::vector<std::string_view>& words, std::string_view found) {
    std::string what = "expected ";
    for (std::size_t i = 0; i < words.size(); ++i) {
        what += (i == 0 ? "" : i + 1 == words.size() ? " or " : ", ") + quoted(words[i]);
    }
    return what + ", found " + quoted(found);
}

bool read_string(const toml::node& node, std::string& into, Problem& problem) {
    const auto* string = node.as_string();
    if (string == nullptr) {
        return problem.say(node, "expected a string");
    }
    into = string->get();
    if (into.find_first_of(std::string_view{"\0\r\n", 3}) != std::string::npos) {
        return problem.say(node, "a line end in a string");
    }
    return true;
}

bool read_strings(const toml::node& node, std::vector<std::string>& into, Problem& problem) {
    const auto* array = node.as_array();
    if (array == nullptr) {
        return problem.say(node, "expected an array of strings");
    }
    for (const auto& element : *array) {
        if (!read_string(element, into.emplace_back(), problem)) {
            return false;
        }
    }
    return true;
}

bool read_bool(const toml::node& node, bool& into, Problem& problem) {
    const auto* value = node.as_boolean();
    if (value == nullptr) {
        return problem.say(node, "expected true or false");
    }
    into = value->get();
    return true;
}

bool read_number(const toml::node& node, std::int64_t least, std::int64_t most, std::int64_t& into,
                 Problem& problem) {
    const auto* value = node.as_integer();
    if (value == nullptr || value->get() < least || value->get() > most) {
        return problem.say(node, "expected a whole number from " + std::to_string(least) + " to " +
                                     std::to_string(most));
    }
    into = value->get();
    return true;
}

// ---- values with a grammar of their own

std::expected<server::Listener, std::string> parse_listener(std::string_view text) {
    const auto bad = [&](const char* why) {
        return std::unexpected{quoted(text) + " is not a listener: " + why +
                               "; expected TRANSPORT:ADDRESS:PORT, as in 'tls:0.0.0.0:5061'"};
    };
    const auto colon = text.find(':');
    if (colon == std::string_view::npos) {
        return bad("no transport");
    }
    server::Listener listener;
    using enum sip::Transport;
    bool known = false;
    for (const auto transport : {Udp, Tcp, Tls, Ws, Wss}) {
        if (iequals(text.substr(0, colon), sip::to_string(transport))) {
            listener.transport = transport;
            known = true;
        }
    }
    if (!known) {
        return bad("the transport is udp, tcp, tls, ws or wss");
    }
    const auto where = text.substr(colon + 1);
    const std::uint16_t usual = listener.transport == Ws    ? 8080
                                : listener.transport == Wss ? 8443
                                : listener.transport == Tls ? 5061
                                                            : 5060;
    if (const auto port = parse_number<std::uint16_t>(where)) {
        listener.at = {*IpAddress::parse("0.0.0.0"), *port};
        return listener;
    }
    const auto endpoint = parse_endpoint(where, usual);
    if (!endpoint) {
        return bad("no address");
    }
    listener.at = *endpoint;
    return listener;
}

server::User make_user(std::string_view name, std::string_view domain, std::string_view password) {
    using enum crypto::DigestAlgorithm;
    crypto::Digester digester;
    const auto ha1 = [&](crypto::DigestAlgorithm algorithm) {
        return std::string{digester.ha1(algorithm, name, domain, password).text()};
    };
    return {std::string{name}, ha1(Md5), ha1(Sha256), ha1(Sha512_256)};
}

// ---- the file

std::expected<Config, ConfigError> parse_config(std::string_view text, const std::string& name) {
    ConfigError error;
    bool hide = false;
    try {
        const auto root = toml::parse(text, name);
        Config config;
        Problem problem;
        if (read_root(root, config, problem)) {
            return config;
        }
        error = *problem.error();
        hide = problem.lines_hidden();
    } catch (const toml::parse_error& bad) {
        const auto& where = bad.source().begin;
        error = {{}, where.line, where.column, std::string{bad.description()}, {}};
    }
    error.file = name;
    const auto line = line_of(text, error.line);
    if (error.line != 0 && !hide && !line.contains("pass") && !line.contains("ha1")) {
        error.source = line;
    }
    return std::unexpected{std::move(error)};
}

std::expected<Config, ConfigError> read_config(const std::string& path) {
    const auto text = crypto::read_whole(path, largest_file);
    if (!text) {
        return std::unexpected{ConfigError{path, 0, 0, text.error().what, {}}};
    }
    return parse_config(*text, path);
}

} // namespace cw::host
