#include "net/dns_message.hpp"

#include <algorithm>
#include <optional>

#include "base/text.hpp"

namespace cw::net {
namespace {

constexpr std::uint16_t type_cname = 5;
constexpr std::uint16_t type_soa = 6;
constexpr std::uint16_t class_in = 1;
constexpr std::size_t most_aliases = 8;
constexpr std::size_t most_parsed = 256;  // records of a message
constexpr std::size_t longest_name = 253; // [RFC 1035 §2.3.4] as text
constexpr std::size_t most_labels = 127;
constexpr Duration no_soa = seconds(30); // how long a "no" holds that does not say it

bool is_host_character(char c) {
    return is_alpha(c) || is_digit(c) || c == '-' || c == '_' || c == '.';
}

// A name at the reader, which is left behind it. Nothing when it is broken or has other characters.
// `message` is what pointers point into.
std::optional<std::string> read_name(Reader& r, Bytes message) {
    std::string name;
    bool good = true;
    Reader at = r;
    bool jumped = false;
    for (std::size_t steps = 0; steps < 2 * most_labels; ++steps) {
        const auto length = at.u8();
        if (!at.ok()) {
            break;
        }
        if (length >= 0xc0) { // [RFC 1035 §4.1.4]
            const auto low = at.u8();
            if (!jumped) {
                r = at;
            }
            jumped = true;
            const std::size_t target = static_cast<std::size_t>(length & 0x3f) << 8 | low;
            at = Reader{message};
            at.skip(target);
            continue;
        }
        if (length > 63 || name.size() + length > longest_name) {
            break;
        }
        if (length == 0) {
            if (!jumped) {
                r = at;
            }
            return good && at.ok() ? std::optional{name} : std::nullopt;
        }
        for (const char c : as_text(at.take(length))) {
            good = good && is_host_character(c) && c != '.';
            name += ascii_lower(c);
        }
        if (!at.ok()) {
            break;
        }
        // The dots stand between labels; the last comes off at the end.
        name += '.';
    }
    if (!jumped) {
        r.skip(r.left() + 1); // it cannot be read on behind this
    }
    return std::nullopt;
}

std::string without_dot(std::string name) {
    if (name.ends_with('.')) {
        name.pop_back();
    }
    return name;
}

struct Record {
    std::string owner;
    std::uint16_t type = 0;
    std::uint32_t ttl = 0;
    Reader data{{}}; // at its data; may look back into the message by pointers
    std::size_t size = 0;
};

// Nothing: a record that is not to be used. Whether the message can be read on says r.ok().
std::optional<Record> read_record(Reader& r, Bytes message) {
    const auto owner = read_name(r, message);
    Record record;
    record.type = r.be16();
    const auto of_class = r.be16();
    record.ttl = r.be32();
    record.size = r.be16();
    record.data = r;
    r.skip(record.size);
    if (!owner || !r.ok() || of_class != class_in) {
        return std::nullopt;
    }
    record.owner = without_dot(*owner);
    // [RFC 2181 §8] A TTL with the most significant bit set is to be treated as zero.
    record.ttl = record.ttl > 0x7fff'ffff ? 0 : record.ttl;
    return record;
}

std::string character_string(Reader& r) {
    return std::string{as_text(r.vec8())};
}

void add_srv(DnsAnswer& answer, Reader r, Bytes message) {
    DnsSrv srv{r.be16(), r.be16(), r.be16(), {}};
    if (const auto target = read_name(r, message); target && r.ok()) {
        srv.target = without_dot(*target);
        answer.srv.push_back(std::move(srv));
    }
}

void add_naptr(DnsAnswer& answer, Reader r, Bytes message) {
    DnsNaptr naptr;
    naptr.order = r.be16();
    naptr.preference = r.be16();
    naptr.flags = character_string(r);
    naptr.services = character_string(r);
    naptr.regexp = character_string(r);
    if (const auto name = read_name(r, message); name && r.ok()) {
        naptr.replacement = without_dot(*name);
        answer.naptr.push_back(std::move(naptr));
    }
}

void add(DnsAnswer& answer, const Record& record, DnsType type, Bytes message) {
    auto r = record.data;
    switch (type) {
    case DnsType::A:
        if (record.size == 4) {
            answer.addresses.push_back(IpAddress::v4(r.take(4).data()));
        }
        break;
    case DnsType::Aaaa:
        if (record.size == 16) {
            answer.addresses.push_back(IpAddress::v6(r.take(16).data()));
        }
        break;
    case DnsType::Srv:
        add_srv(answer, r, message);
        break;
    case DnsType::Naptr:
        add_naptr(answer, r, message);
        break;
    }
}

std::size_t count(const DnsAnswer& answer) {
    return answer.addresses.size() + answer.srv.size() + answer.naptr.size();
}

// [RFC 2308 §5] A "no" lives as long as the SOA that comes with it says: its TTL or its MINIMUM,
// whichever is less.
Duration life_of_no(const std::vector<Record>& authority, Bytes message) {
    for (const auto& record : authority) {
        if (record.type == type_soa) {
            auto r = record.data;
            read_name(r, message);
            read_name(r, message);
            r.skip(4 * 4);
            const auto minimum = r.be32();
            return seconds(r.ok() ? std::min(minimum, record.ttl) : 0);
        }
    }
    return no_soa;
}

std::vector<Record> read_records(Reader& r, Bytes message, std::size_t number) {
    std::vector<Record> records;
    for (std::size_t i = 0; i < std::min(number, most_parsed) && r.ok(); ++i) {
        if (auto record = read_record(r, message)) {
            records.push_back(std::move(*record));
        }
    }
    return records;
}

// The name behind the aliases of `name`; `ttl` becomes that of the shortest on the way.
std::string last_alias(const std::vector<Record>& records, std::string name, Bytes message,
                       std::uint32_t& ttl) {
    for (std::size_t i = 0; i < most_aliases; ++i) {
        const auto at = std::ranges::find_if(records, [&name](const Record& record) {
            return record.type == type_cname && record.owner == name;
        });
        if (at == records.end()) {
            break;
        }
        auto r = at->data;
        const auto target = read_name(r, message);
        if (!target) {
            break;
        }
        name = without_dot(*target);
        ttl = std::min(ttl, at->ttl);
    }
    return name;
}

} // namespace

DnsAnswer read_dns_answer(Bytes message, std::string_view name, DnsType type) {
    DnsAnswer answer;
    Reader r{message};
    r.skip(2);
    const auto flags = r.be16();
    const auto questions = r.be16();
    const auto answers = r.be16();
    const auto authorities = r.be16();
    r.skip(2);
    constexpr unsigned response = 0x8000;
    const auto code = flags & 0xf;
    constexpr unsigned no_such_name = 3;
    if (!r.ok() || questions != 1 || (flags & response) == 0 ||
        (code != 0 && code != no_such_name)) {
        return answer;
    }
    read_name(r, message);
    r.skip(4);
    const auto records = read_records(r, message, answers);
    if (!r.ok()) {
        return answer;
    }
    auto ttl = std::uint32_t{0x7fff'ffff};
    const auto owner = last_alias(records, std::string{name}, message, ttl);
    for (const auto& record : records) {
        if (record.type == static_cast<std::uint16_t>(type) && record.owner == owner &&
            count(answer) < most_dns_records) {
            add(answer, record, type, message);
            ttl = std::min(ttl, record.ttl);
        }
    }
    if (count(answer) > 0) {
        answer.status = DnsAnswer::Status::Found;
        answer.ttl = seconds(ttl);
        return answer;
    }
    answer.status =
        code == no_such_name ? DnsAnswer::Status::NoSuchName : DnsAnswer::Status::NoData;
    answer.ttl = life_of_no(read_records(r, message, authorities), message);
    return answer;
}

std::string dns_name(std::string_view text) {
    if (text.ends_with('.')) {
        text.remove_suffix(1);
    }
    std::size_t label = 0;
    for (const char c : text) {
        label = c == '.' ? 0 : label + 1;
        if (!is_host_character(c) || label > 63) {
            return {};
        }
    }
    if (text.empty() || text.size() > longest_name || text.starts_with('.') ||
        text.find("..") != text.npos || text.ends_with('.')) {
        return {};
    }
    std::string name{text};
    std::ranges::transform(name, name.begin(), ascii_lower);
    return name;
}

} // namespace cw::net
