// Answers of DNS, read from their bytes: A, AAAA, SRV and NAPTR records of one name, behind aliases
// too. Names come out in lower case, without the last dot; a record whose name has other characters
// than those of host names is left out. Pure; every count is bounded.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/time.hpp"

namespace cw::net {

enum class DnsType : std::uint16_t { A = 1, Aaaa = 28, Srv = 33, Naptr = 35 };

struct DnsSrv { // [RFC 2782]
    std::uint16_t priority = 0;
    std::uint16_t weight = 0;
    std::uint16_t port = 0;
    std::string target; // empty: the service is decidedly not there
};
struct DnsNaptr { // [RFC 3403 §4.1]
    std::uint16_t order = 0;
    std::uint16_t preference = 0;
    std::string flags;
    std::string services;
    std::string regexp;
    std::string replacement;
};

struct DnsAnswer {
    enum class Status : std::uint8_t {
        Found,
        NoData, // the name is there, but has no record of this type
        NoSuchName,
        Failed, // no server, no answer, or none that can be read
    };
    Status status = Status::Failed;
    bool silent = false;              // Failed, because no server said anything
    Duration ttl;                     // of the record that lives shortest
    std::vector<IpAddress> addresses; // of A or AAAA, in the order of the answer, as all
    std::vector<DnsSrv> srv;
    std::vector<DnsNaptr> naptr;
};

constexpr std::size_t most_dns_records = 64; // of an answer; those beyond are left out

// `name` in lower case.
DnsAnswer read_dns_answer(Bytes message, std::string_view name, DnsType type);

// In lower case and without the last dot; empty when it cannot be the name of anything.
std::string dns_name(std::string_view text);

} // namespace cw::net
