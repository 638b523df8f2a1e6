#include "play/literal/player.hpp"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <utility>

#include <fmt/format.h>

#include "base/hash.hpp"
#include "base/text.hpp"
#include "crypto/digest_client.hpp"
#include "play/literal/received.hpp"
#include "script/sipp/injection.hpp"

namespace cw::play::literal {

using script::literal::Key;
using script::literal::Keyword;

namespace {

constexpr std::size_t most_variables = 1024;
constexpr std::size_t longest_value = 256 * 1024;
constexpr std::size_t longest_message = 1 << 20;

// "[…]" around an IPv6 address, as SIP writes it.
std::string address_of(const Endpoint& at) {
    auto text = to_string(at);
    text.resize(text.rfind(':'));
    return text;
}

std::string date_of(Instant now) {
    const auto seconds = static_cast<std::time_t>(now.ns / 1'000'000'000);
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    char out[64];
    const auto size = std::strftime(out, sizeof out, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    return {out, size};
}

bool is_empty(const Text& text) {
    return text.pieces.empty();
}

// username=joe password="[field1]": the value of one, quotes taken off.
std::string_view argument(std::string_view arguments, std::string_view name) {
    std::size_t at = 0;
    while (at < arguments.size()) {
        at = arguments.find(name, at);
        if (at == std::string_view::npos) {
            return {};
        }
        const auto after = at + name.size();
        if ((at == 0 || is_blank(arguments[at - 1])) && after < arguments.size() &&
            arguments[after] == '=') {
            auto value = arguments.substr(after + 1);
            if (value.starts_with('"')) {
                value.remove_prefix(1);
                return value.substr(0, value.find('"'));
            }
            std::size_t depth = 0;
            std::size_t end = 0;
            for (; end < value.size() && (depth > 0 || !is_blank(value[end])); ++end) {
                depth += value[end] == '[' ? 1 : 0;
                depth -= value[end] == ']' && depth > 0 ? 1 : 0;
            }
            return value.substr(0, end);
        }
        at = after;
    }
    return {};
}

} // namespace

Player::Player(const script::literal::Program& program, const script::Plan& plan, const Cast& cast,
               const Given& given, crypto::Digester& digester)
    : program_(program), plan_(plan), cast_(cast), given_(given), digester_(digester),
      chance_(hash_bytes(plan.parties[program.party].id, given.seed + given.number)) {
    call_id_ = fmt::format("{}{}-{:x}", given.mark, given.number, random());
}

// xorshift: what is left to chance is not secret.
std::uint64_t Player::random() {
    chance_ |= 1;
    chance_ ^= chance_ << 13U;
    chance_ ^= chance_ >> 7U;
    chance_ ^= chance_ << 17U;
    return chance_;
}

bool Player::chance(std::uint32_t millionths) {
    return millionths > 0 && random() % 1'000'000 < millionths;
}

double Player::sample(script::literal::Sample::From from, double first, double second) {
    using From = script::literal::Sample::From;
    switch (from) {
    case From::Uniform:
        return first + (second - first) * (1 - uniform());
    case From::Normal:
        return first + second * normal();
    case From::Lognormal:
        return std::exp(first + second * normal());
    case From::Exponential:
        return -first * std::log(uniform());
    case From::Weibull:
        return second > 0 ? first * std::pow(-std::log(uniform()), 1 / second) : 0;
    case From::Pareto:
        return first > 0 ? second * std::pow(uniform(), -1 / first) : 0;
    case From::Gamma:
        return second * gamma(first);
    case From::NegativeBinomial: // a Poisson number whose mean is drawn from a gamma distribution
        return first > 0 && first <= 1 ? poisson(gamma(second) * (1 - first) / first) : 0;
    }
    return 0;
}

// Above 0 to 1.
double Player::uniform() {
    return 1 - static_cast<double>(random() >> 11U) / 9007199254740992.0;
}

// Box and Muller.
double Player::normal() {
    const double radius = std::sqrt(-2 * std::log(uniform()));
    return radius * std::cos(6.283185307179586 * uniform());
}

// Marsaglia and Tsang, with a scale of 1.
double Player::gamma(double shape) {
    if (shape <= 0) {
        return 0;
    }
    const double raised = shape < 1 ? shape + 1 : shape;
    const double d = raised - 1.0 / 3;
    const double c = 1 / std::sqrt(9 * d);
    double out = d;
    for (int i = 0; i < 1000; ++i) { // each is refused one time in 20
        const double x = normal();
        const double v = std::pow(1 + c * x, 3);
        if (v > 0 && std::log(uniform()) < x * x / 2 + d - d * v + d * std::log(v)) {
            out = d * v;
            break;
        }
    }
    return shape < 1 ? out * std::pow(uniform(), 1 / shape) : out;
}

// Knuth; where the mean is large, the normal distribution is near enough.
double Player::poisson(double mean) {
    if (mean > 500) {
        return std::max(0.0, std::round(mean + std::sqrt(mean) * normal()));
    }
    const double least = std::exp(-mean);
    double product = uniform();
    double out = 0;
    for (; product > least; ++out) {
        product *= uniform();
    }
    return out;
}

Duration Player::length_of(const script::literal::Pause& pause) {
    using Kind = script::literal::Pause::Kind;
    const auto limited = [](double number) {
        return Duration{static_cast<std::int64_t>(std::clamp(number * 1e6, 0.0, 3.6e15))};
    };
    switch (pause.kind) {
    case Kind::Fixed:
        return pause.time;
    case Kind::Variable:
        return limited(number_of(value(pause.variable)));
    case Kind::Default: {
        const auto given = given_.set.find("pause");
        const auto number =
            given != given_.set.end() ? parse_number<std::uint32_t>(given->second) : std::nullopt;
        return milliseconds(number.value_or(0));
    }
    case Kind::Drawn:
        return limited(sample(pause.from, pause.first, pause.second));
    }
    return {};
}

// ---- variables

const Value& Player::value(const std::string& name) const {
    static const Value none;
    const auto found = variables_.find(name);
    return found == variables_.end() ? none : found->second;
}

void Player::set(const std::string& name, Value value) {
    if (auto* text = std::get_if<std::string>(&value);
        text != nullptr && text->size() > longest_value) {
        text->resize(longest_value);
    }
    if (variables_.size() < most_variables || variables_.contains(name)) {
        variables_[name] = std::move(value);
    }
}

bool Player::is_set(const std::string& variable) const {
    const auto& found = value(variable);
    if (const auto* truth = std::get_if<bool>(&found)) {
        return *truth;
    }
    if (const auto* number = std::get_if<double>(&found)) {
        return *number != 0;
    }
    return std::holds_alternative<std::string>(found);
}

std::string Player::text_of(const Value& value) const {
    if (const auto* text = std::get_if<std::string>(&value)) {
        return *text;
    }
    if (const auto* number = std::get_if<double>(&value)) {
        return fmt::format("{:f}", *number);
    }
    const auto* truth = std::get_if<bool>(&value);
    return truth != nullptr ? *truth ? "true" : "false" : "";
}

// As SIPp counts: a text is no number before it is made one (`number x into y`), whatever it says.
double Player::number_of(const Value& value) const {
    const auto* number = std::get_if<double>(&value);
    return number != nullptr ? *number : 0;
}

double Player::number_of(const script::literal::Operand& operand) const {
    const auto* number = std::get_if<double>(&operand);
    return number != nullptr ? *number : number_of(value(std::get<std::string>(operand)));
}

// ---- writing

std::string Player::fill(const Text& text, Index index, const Wire& wire, Instant now) {
    Writing writing;
    writing.index = index;
    writing.wire = &wire;
    writing.now = now;
    std::string out;
    append(out, text, writing);
    return out;
}

void Player::append(std::string& out, const Text& text, Writing& writing) {
    for (const auto& piece : text.pieces) {
        if (const auto* plain = std::get_if<std::string>(&piece)) {
            out += *plain;
        } else {
            append(out, std::get<Keyword>(piece), writing);
        }
        if (out.size() > longest_message) {
            writing.failed = "the message is too long";
            return;
        }
    }
}

void Player::append(std::string& out, const Keyword& keyword, Writing& writing) {
    const auto& wire = *writing.wire;
    const auto& member = cast_.members[program_.party];
    const auto local = member.at[static_cast<std::size_t>(wire.transport)].value_or(wire.local);
    const auto number = [&](std::int64_t base) { out += fmt::format("{}", base + keyword.plus); };
    switch (keyword.key) {
    case Key::Service: {
        const auto given = given_.set.find("service");
        out += given != given_.set.end() ? given->second : "service";
        return;
    }
    case Key::RemoteIp:
        out += address_of(wire.remote);
        return;
    case Key::RemotePort:
        number(wire.remote.port);
        return;
    case Key::Transport:
        out += via_transport(wire.transport);
        return;
    case Key::LocalIp:
    case Key::MediaIp: {
        auto address = address_of(local);
        // An address in SDP has no brackets; in a URI it has them.
        if (keyword.key == Key::MediaIp && address.starts_with('[')) {
            address = address.substr(1, address.size() - 2);
        }
        out += address;
        return;
    }
    case Key::LocalIpType:
    case Key::MediaIpType:
        out += address_of(local).starts_with('[') ? '6' : '4';
        return;
    case Key::LocalPort:
        number(local.port);
        return;
    case Key::MediaPort: {
        const auto media = member.media.find(1);
        number(media != member.media.end() ? media->second.rtp.port : 6000);
        return;
    }
    case Key::CallNumber: // SIPp adds nothing to it
    case Key::UserId:
        out += fmt::format("{}", given_.number);
        return;
    case Key::CallId:
        out += call_id_heard_ ? call_id_ : call_id_ + "@" + address_of(local);
        return;
    case Key::Cseq:
        number(cseq_);
        return;
    case Key::Pid:
        out += fmt::format("{}", given_.seed % 100'000);
        return;
    case Key::Len:
        writing.length_at = out.size();
        writing.length_plus = keyword.plus;
        return;
    case Key::Branch:
        out += own_branch(static_cast<std::int64_t>(writing.index) + keyword.plus);
        return;
    case Key::MsgIndex:
        number(writing.index);
        return;
    case Key::ClockTick:
        number(writing.now.ns / 1'000'000 % 1'000'000'000);
        return;
    case Key::Timestamp:
        out += to_rfc3339(writing.now);
        return;
    case Key::Date:
        out += date_of(writing.now);
        return;
    case Key::LastMessage:
        out += last_;
        return;
    case Key::LastRequestUri: {
        const auto to = value_of_header(last_, "To");
        out += uri_in(to);
        return;
    }
    case Key::LastCseqNumber: {
        const auto cseq = value_of_header(last_, "CSeq");
        number(parse_number<std::uint32_t>(cseq.substr(0, cseq.find(' '))).value_or(0));
        return;
    }
    case Key::LastCseqMethod:
        out += method_in(value_of_header(last_, "CSeq"));
        return;
    case Key::Last: {
        const std::string_view name{keyword.name};
        if (const auto part = name.find(':');
            part != std::string_view::npos && part + 1 < name.size()) {
            out += last_part(name.substr(0, part), name.substr(part + 1));
            return;
        }
        bool first = true;
        for (const auto line : lines_of_header(last_, name.substr(0, name.find(':')))) {
            out += std::exchange(first, false) ? "" : "\r\n";
            out += line;
        }
        return;
    }
    case Key::PeerTag:
        out += peer_tag_.empty() ? "" : ";tag=" + peer_tag_;
        return;
    case Key::NextUrl:
        out += next_url_;
        return;
    case Key::Routes:
        out += routes_;
        return;
    case Key::Authentication:
        // It needs the body, and so is written at the end; a NUL keeps its place.
        writing.authentication = keyword.name;
        writing.authenticates = true;
        out += '\0';
        return;
    case Key::Field:
        append_field(out, keyword, writing);
        return;
    case Key::Fill: {
        const auto size = std::clamp(number_of(value(keyword.argument)), 0.0,
                                     static_cast<double>(longest_message));
        for (std::size_t i = 0; i < static_cast<std::size_t>(size); ++i) {
            out += keyword.name[i % keyword.name.size()];
        }
        return;
    }
    case Key::DynamicId: // from 10,000 on by four up to 12,000, as SIPp counts
        number(10'000 + static_cast<std::int64_t>((given_.number - 1) % 500 * 4));
        return;
    case Key::Variable: { // SIPp takes a number of zero for not set
        const auto& found = value(keyword.name);
        const auto* known = std::get_if<double>(&found);
        out += known != nullptr && *known == 0 ? "" : text_of(found);
        return;
    }
    case Key::File: {
        const auto file = given_.files.find(keyword.name);
        if (file == given_.files.end()) {
            writing.failed = fmt::format("the file {} is not there", keyword.name);
            return;
        }
        out += file->second;
        return;
    }
    case Key::Crypto:
        append_crypto(out, keyword.name);
        return;
    case Key::Custom: {
        const auto given = given_.set.find(keyword.name);
        if (given == given_.set.end() && keyword.name == "sipp_version") {
            out += "callwright";
            return;
        }
        if (given == given_.set.end() && keyword.name == "server_ip") {
            out += address_of(local);
            return;
        }
        if (given == given_.set.end()) {
            writing.failed =
                fmt::format("[{}] has no value: give --set {}=…", keyword.name, keyword.name);
            return;
        }
        out += given->second;
        return;
    }
    }
}

void Player::append_field(std::string& out, const Keyword& keyword, Writing& writing) {
    const auto found = field_of(keyword, writing);
    if (!found) {
        writing.failed = fmt::format("[field{}] has no value: give --rows FILE", keyword.plus);
        return;
    }
    // A field may hold keywords; those of what they stand for do not count.
    for (const auto& piece : script::literal::parse_text(*found).pieces) {
        const auto* inner = std::get_if<Keyword>(&piece);
        if (inner == nullptr) {
            out += std::get<std::string>(piece);
        } else if (inner->key != Key::Field && inner->key != Key::Custom) {
            append(out, *inner, writing);
        } else {
            out += "[" + inner->name + "]";
        }
    }
}

// Of the call's row, or of the one that `line=` says; empty where there is no such row.
std::optional<std::string> Player::field_of(const Keyword& keyword, const Writing& writing) {
    const auto number = static_cast<std::size_t>(std::max(0, keyword.plus));
    const auto* file = given_.tables != nullptr ? given_.tables->find(keyword.name) : nullptr;
    if (file != nullptr && keyword.argument.empty()) {
        return file->field(file->row_of(given_.number, given_.seed), number);
    }
    if (file != nullptr) {
        const auto line = fill(script::literal::parse_text(keyword.argument), writing.index,
                               *writing.wire, writing.now);
        const double row = std::strtod(line.c_str(), nullptr);
        return row >= 0 && row < static_cast<double>(file->size())
                   ? file->field(static_cast<std::uint64_t>(row), number).value_or("")
                   : std::string{};
    }
    const auto name = fmt::format("field{}", keyword.plus);
    auto row = given_.row.find(keyword.name.empty() ? name : keyword.name + "/" + name);
    if (row == given_.row.end()) {
        row = given_.row.find(name);
    }
    return row == given_.row.end() ? std::nullopt : std::optional{row->second};
}

// [last_From:value], [last_From:uri], [last_From:param.tag]: of the last message's first such
// field.
std::string_view Player::last_part(std::string_view header, std::string_view part) const {
    const auto value = value_of_header(last_, header);
    if (part == "value") {
        return value;
    }
    if (part == "uri") {
        return uri_in(value);
    }
    return part.starts_with("param.") ? parameter_in(value, part.substr(6)) : std::string_view{};
}

// [cryptotag1audio], [cryptosuiteaescm128sha1801audio], [cryptokeyparams1audio] [RFC 4568 §4].
void Player::append_crypto(std::string& out, std::string_view name) {
    if (name.starts_with("cryptotag")) {
        out += name.substr(9, 1);
    } else if (name.starts_with("cryptosuite")) {
        out += name.find("null") != name.npos ? "NULL_HMAC_SHA1_" : "AES_CM_128_HMAC_SHA1_";
        out += name.find("sha132") != name.npos ? "32" : "80";
    } else {
        auto& key = crypto_[std::string{name}];
        while (key.size() < 40) { // 30 octets in Base64
            key +=
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[random() % 64];
        }
        out += "inline:" + key;
    }
}

// The same for a step each time, so that [branch-2] is that of the step two above.
std::string Player::own_branch(std::int64_t index) const {
    return fmt::format("z9hG4bK-{:x}-{}-{}", given_.seed % 0xffff'ffffU, given_.number, index);
}

// Headers and body, lengths and credentials last: they need all the rest.
std::expected<std::string, std::string> Player::write(const Instruction& instruction, Index index,
                                                      const Wire& wire, Instant now) {
    Writing writing;
    writing.index = index;
    writing.wire = &wire;
    writing.now = now;
    const auto& message = instruction.message;
    const bool counts = message.request && instruction.kind == Instruction::Kind::Send &&
                        message.method != "ACK" && message.method != "CANCEL";
    cseq_ += counts ? 1 : 0;
    // An ACK belongs to a transaction, and has a branch of its own unless it says otherwise.
    if (!instruction.transaction.empty() && message.method != "ACK") {
        transactions_[instruction.transaction] = own_branch(index);
    }
    std::string out;
    std::string line;
    std::optional<std::size_t> length_at;
    for (const auto& text : message.head) {
        line.clear();
        writing.length_at.reset();
        append(line, text, writing);
        if (line.empty() && !is_empty(text)) {
            continue; // [routes] of none, a header that did not come
        }
        if (writing.length_at) {
            length_at = out.size() + *writing.length_at;
        }
        out += line;
        out += "\r\n";
    }
    std::string body;
    for (const auto& text : message.body) {
        const auto before = body.size();
        append(body, text, writing);
        if (body.size() > before || is_empty(text)) {
            body += "\r\n";
        }
    }
    if (length_at) {
        out.insert(*length_at,
                   fmt::format("{}", static_cast<std::int64_t>(body.size()) + writing.length_plus));
    }
    out += "\r\n";
    out += body;
    if (writing.authenticates && writing.failed.empty()) {
        const auto place = out.find('\0');
        const auto said = credentials(out, writing);
        if (place != std::string::npos) {
            out.replace(place, 1, said);
        }
    }
    if (!writing.failed.empty()) {
        return std::unexpected{writing.failed};
    }
    if (message.request && instruction.kind == Instruction::Kind::Send &&
        instruction.transaction.empty() && methods_.size() < 64) {
        methods_.insert(std::string{opening_of(out).method});
    }
    return out;
}

std::string Player::credentials(std::string_view message, Writing& writing) {
    if (challenge_.empty()) {
        writing.failed = "[authentication]: nobody has asked for it";
        return {};
    }
    const auto filled = [&](std::string_view name, std::string_view key,
                            std::string_view otherwise) {
        const auto given = argument(writing.authentication, name);
        if (!given.empty()) {
            Writing inner = writing;
            std::string out;
            append(out, script::literal::parse_text(given), inner);
            return out;
        }
        const auto set = given_.set.find(std::string{key});
        return set != given_.set.end() ? set->second : std::string{otherwise};
    };
    const auto service = given_.set.find("service");
    const auto user = filled("username", "auth_username",
                             service != given_.set.end() ? service->second : "service");
    const auto password = filled("password", "auth_password", "password");
    const std::vector<std::string_view> values{challenge_};
    const auto chosen = crypto::choose_challenge(values);
    if (!chosen) {
        writing.failed = "the challenge cannot be answered";
        return {};
    }
    crypto::DigestAnswer answer;
    answer.username = user;
    answer.password = password;
    const auto opening = opening_of(message);
    answer.method = opening.method;
    answer.uri = opening.uri;
    answer.body = body_of(message);
    const auto nonce = fmt::format("{:016x}", random());
    answer.cnonce = nonce;
    answer.nc = ++answered_;
    return fmt::format("{}: {}", challenge_status_ == 401 ? "Authorization" : "Proxy-Authorization",
                       crypto::answer_challenge(digester_, *chosen, answer));
}

// ---- what comes

bool Player::fits(const Instruction& instruction, std::string_view message) const {
    const auto opening = opening_of(message);
    if (instruction.status == 0) {
        return opening.status == 0 &&
               (instruction.methods ? !instruction.methods->search(opening.method).empty()
                                    : opening.method == instruction.method);
    }
    if (opening.status != instruction.status) {
        return false;
    }
    if (!instruction.transaction.empty()) {
        const auto known = transactions_.find(instruction.transaction);
        return known != transactions_.end() &&
               branch_in(value_of_header(message, "Via")) == known->second;
    }
    const auto method = method_in(value_of_header(message, "CSeq"));
    return methods_.contains(method);
}

// A call that begins with what comes has the Call-ID of that.
void Player::adopt_call_id(std::string_view message) {
    const auto id = value_of_header(message, "Call-ID");
    if (!id.empty() && last_.empty() && methods_.empty()) {
        call_id_ = id;
        call_id_heard_ = true;
    }
}

void Player::take(const Instruction& instruction, std::string_view message) {
    adopt_call_id(message);
    last_ = message;
    const auto opening = opening_of(message);
    if (opening.status == 0) { // requests are counted on from the other side's
        const auto cseq = value_of_header(message, "CSeq");
        cseq_ = std::max(cseq_,
                         parse_number<std::uint32_t>(cseq.substr(0, cseq.find(' '))).value_or(0));
    }
    // [peer_tag_param] is that of a response, as SIPp documents it.
    const auto tag =
        opening.status != 0 ? tag_in(value_of_header(message, "To")) : std::string_view{};
    if (!tag.empty()) {
        peer_tag_ = tag;
    }
    if (opening.status == 401 || opening.status == 407) {
        for (const std::string_view name : {"WWW-Authenticate", "Proxy-Authenticate"}) {
            if (const auto asked = value_of_header(message, name); !asked.empty()) {
                if (asked != challenge_) {
                    answered_ = 0;
                }
                challenge_ = asked;
                challenge_status_ = opening.status;
                break;
            }
        }
    }
    if (instruction.keeps_route) {
        learn_route(message);
    }
}

// [RFC 3261 §12.1.1, §12.1.2]: the route set is the Record-Route as it came in a request, and in
// reverse order in a response; the remote target is the Contact.
void Player::learn_route(std::string_view message) {
    std::vector<std::string_view> routes;
    for (const auto line : lines_of_header(message, "Record-Route")) {
        auto value = trim(line.substr(line.find(':') + 1));
        while (!value.empty() && routes.size() < 64) {
            const auto close = value.find('>');
            const auto comma = value.find(',', close == std::string_view::npos ? 0 : close);
            routes.push_back(trim(value.substr(0, comma)));
            value = comma == std::string_view::npos ? std::string_view{}
                                                    : trim(value.substr(comma + 1));
        }
    }
    if (opening_of(message).status != 0) {
        std::ranges::reverse(routes);
    }
    if (const auto contact = uri_in(value_of_header(message, "Contact")); !contact.empty()) {
        next_url_ = contact;
    }
    if (routes.empty() && !routes_.empty()) {
        return; // an ACK records none: the set stays
    }
    std::vector<std::string> set{routes.begin(), routes.end()};
    // A strict router stands in the request line, and the target at the end [RFC 3261 §12.2.1.1].
    if (!set.empty() && uri_in(set.front()).find(";lr") == std::string_view::npos) {
        set.push_back("<" + next_url_ + ">");
        next_url_ = uri_in(set.front());
        set.erase(set.begin());
    }
    routes_ = set.empty() ? "" : fmt::format("Route: {}", fmt::join(set, ","));
}

// ---- orders

namespace {

// What strcmp(3) gives where SIPp is built: by how much the first octets differ that do.
double distance(std::string_view left, std::string_view right) {
    const auto octet = [](std::string_view text, std::size_t at) {
        return at < text.size() ? static_cast<unsigned char>(text[at]) : 0;
    };
    for (std::size_t at = 0; at < std::max(left.size(), right.size()); ++at) {
        if (octet(left, at) != octet(right, at)) {
            return octet(left, at) - octet(right, at);
        }
    }
    return 0;
}

} // namespace

namespace {

std::optional<sip::Transport> transport_of(std::string_view text) {
    for (const auto one : {sip::Transport::Udp, sip::Transport::Tcp, sip::Transport::Tls}) {
        if (iequals(text, sip::to_string(one))) {
            return one;
        }
    }
    return std::nullopt;
}

} // namespace

struct Player::Doing {
    Player& self;
    std::string_view message;
    Index index;
    const Wire& wire;
    Instant now;
    Outcome out;

    [[nodiscard]] std::string filled(const Text& text) const {
        return self.fill(text, index, wire, now);
    }

    void operator()(const script::literal::Take& take) {
        using Take = script::literal::Take;
        std::string kept;
        std::string_view part;
        if (take.from == Take::From::Variable) {
            kept = self.text_of(self.value(take.name));
            part = kept;
        } else {
            part = part_of(message, take);
        }
        // A header that is not there is searched as an empty one, unless it has to match.
        if (take.from == Take::From::Header && part.empty()) {
            if (take.must == Take::Must::Match) {
                out.failed = fmt::format("{} is not there", take.name);
                return;
            }
            part = "";
        }
        const auto found = take.regex.search(part);
        for (std::size_t i = 0; i < take.into.size(); ++i) {
            self.set(take.into[i], i < found.size() && found[i].data() != nullptr
                                       ? Value{std::string{found[i]}}
                                       : Value{});
        }
        if (found.empty() ? take.must == Take::Must::Match : take.must == Take::Must::NotMatch) {
            out.failed =
                fmt::format("{} {} what it must{}", take.name.empty() ? "it" : take.name,
                            found.empty() ? "does not have" : "has", found.empty() ? "" : " not");
        }
    }
    void operator()(const script::literal::SetText& set) { self.set(set.into, filled(set.text)); }
    void operator()(const script::literal::Calculate& sum) {
        const auto old = self.number_of(self.value(sum.into));
        const auto with = self.number_of(sum.with);
        double made = with;
        if (sum.sign == '+') {
            made = old + with;
        } else if (sum.sign == '-') {
            made = old - with;
        } else if (sum.sign == '*') {
            made = old * with;
        } else if (sum.sign == '/') {
            made = with == 0 ? old : old / with;
        }
        self.set(sum.into, made);
    }
    void operator()(const script::literal::Compare& compare) {
        const auto text_in = [&](const std::string& name) { // of a number: none
            const auto* text = std::get_if<std::string>(&self.value(name));
            return text != nullptr ? *text : std::string{};
        };
        const auto* text = std::get_if<Text>(&compare.with);
        self.set(compare.into,
                 distance(text_in(compare.what),
                          text != nullptr ? filled(*text)
                                          : text_in(std::get<std::string>(compare.with))));
    }
    void operator()(const script::literal::Test& test) {
        using How = script::literal::Test::How;
        const auto left = self.number_of(self.value(test.what));
        const auto right = self.number_of(test.with);
        bool holds = false;
        switch (test.how) {
        case How::Equal:
            holds = left == right;
            break;
        case How::NotEqual:
            holds = left != right;
            break;
        case How::Greater:
            holds = left > right;
            break;
        case How::Less:
            holds = left < right;
            break;
        case How::GreaterEqual:
            holds = left >= right;
            break;
        case How::LessEqual:
            holds = left <= right;
            break;
        }
        self.set(test.into, holds);
    }
    void operator()(const script::literal::ToNumber& order) {
        const auto& from = self.value(order.what);
        if (const auto* text = std::get_if<std::string>(&from)) {
            char* end = nullptr;
            const double number = std::strtod(text->c_str(), &end);
            if (*end == '\0') { // what is no number changes nothing
                self.set(order.into, number);
            }
        } else if (const auto* truth = std::get_if<bool>(&from)) {
            self.set(order.into, *truth ? 1.0 : 0.0);
        } else if (const auto* number = std::get_if<double>(&from)) {
            self.set(order.into, *number);
        }
    }
    void operator()(const script::literal::Trim& order) {
        if (const auto* text = std::get_if<std::string>(&self.value(order.what))) {
            const auto first = text->find_first_not_of(" \t\r\n\f\v");
            const auto last = text->find_last_not_of(" \t\r\n\f\v");
            self.set(order.what, first == std::string::npos
                                     ? std::string{}
                                     : text->substr(first, last - first + 1));
        }
    }
    void operator()(const script::literal::Sample& order) {
        self.set(order.into, self.sample(order.from, order.first, order.second));
    }
    void operator()(const script::literal::Log& /*log*/) {}
    void operator()(const script::literal::Fail& fail) {
        const auto why = filled(fail.text);
        out.failed = why.empty() ? "the flow ends here, as failed" : why;
        out.stop = true;
    }
    void operator()(const script::literal::Stop& /*stop*/) { out.stop = true; }
    void operator()(const script::literal::Jump& jump) {
        const auto to = self.number_of(jump.to);
        if (to >= 0 && to <= static_cast<double>(self.program_.steps.size())) {
            out.jump = static_cast<Index>(to);
        } else {
            out.failed = "a jump beyond the flow";
        }
    }
    void operator()(const script::literal::CheckDigest& check);
    void operator()(const script::literal::LookUp& look) {
        auto* tables = tables_with(look.file);
        const auto row =
            tables != nullptr ? tables->look_up(filled(look.file), filled(look.key)) : std::nullopt;
        self.set(look.into, row ? static_cast<double>(*row) : -1.0);
    }
    void operator()(const script::literal::Insert& insert) {
        if (auto* tables = tables_with(insert.file);
            tables != nullptr && !tables->insert(filled(insert.file), filled(insert.row))) {
            out.failed = "no row can be inserted there";
        }
    }
    void operator()(const script::literal::Replace& replace) {
        const double number = std::strtod(filled(replace.number).c_str(), nullptr);
        if (auto* tables = tables_with(replace.file);
            tables != nullptr &&
            (number < 0 || number > 1e9 ||
             !tables->replace(filled(replace.file), static_cast<std::uint64_t>(number),
                              filled(replace.row)))) {
            out.failed = fmt::format("{} has no row {}", filled(replace.file), number);
        }
    }
    // The injection files, if that one is among them.
    script::sipp::Tables* tables_with(const Text& file) {
        auto* tables = self.given_.tables.get();
        const auto name = filled(file);
        if (tables == nullptr || tables->find(name) == nullptr) {
            out.failed = fmt::format("{} is not among the files of --rows", name);
            return nullptr;
        }
        return tables;
    }
    void operator()(const script::literal::SendTo& order) {
        const auto host = filled(order.host);
        const auto port = parse_number<std::uint16_t>(filled(order.port));
        const auto transport = transport_of(filled(order.transport));
        const auto ip = IpAddress::parse(host);
        if (!ip || !port || *port == 0 || !transport) {
            out.failed = fmt::format("“{} {} {}” is no address, port and transport", host,
                                     filled(order.port), filled(order.transport));
            return;
        }
        out.send_to = Destination{Endpoint{*ip, *port}, *transport};
    }
    void operator()(const script::literal::CloseConnection& /*close*/) { out.close = true; }
    void operator()(const script::literal::Clock& clock) {
        self.set(clock.into[0], static_cast<double>(now.ns / 1'000'000'000));
        self.set(clock.into[1], static_cast<double>(now.ns / 1000 % 1'000'000));
    }
    void operator()(const script::literal::Sound& sound) {
        out.sounds.push_back({sound.how, sound.what});
    }
};

// Does the credential that came prove that password? [RFC 3261 §22.1]
void Player::Doing::operator()(const script::literal::CheckDigest& check) {
    const auto user = filled(check.user);
    const auto password = filled(check.password);
    bool right = false;
    for (const std::string_view name : {"Authorization", "Proxy-Authorization"}) {
        const auto value = value_of_header(message, name);
        const auto said = crypto::parse_credentials(value);
        const auto algorithm = said ? crypto::digest_algorithm(said->algorithm)
                                    : std::optional<crypto::DigestAlgorithm>{};
        if (!said || !algorithm || said->username != user) {
            continue;
        }
        const auto ha1 = self.digester_.ha1(*algorithm, user, said->realm, password);
        crypto::DigestQuestion question;
        question.algorithm = *algorithm;
        question.ha1 = ha1.text();
        question.method = opening_of(message).method;
        question.uri = said->uri;
        question.nonce = said->nonce;
        question.qop = said->qop;
        question.nc = said->nc;
        question.cnonce = said->cnonce;
        question.body = body_of(message);
        right =
            right || crypto::same_digest(self.digester_.response(question).text(), said->response);
    }
    self.set(check.into, right);
}

Player::Outcome Player::obey(const std::vector<script::literal::Order>& orders,
                             std::string_view message, Index index, const Wire& wire, Instant now) {
    Doing doing{*this, message, index, wire, now, {}};
    for (const auto& order : orders) {
        std::visit(doing, order);
        // As in SIPp, the call goes on without the orders that come after the one that failed.
        if (doing.out.stop || !doing.out.failed.empty()) {
            break;
        }
    }
    return std::move(doing.out);
}

} // namespace cw::play::literal
