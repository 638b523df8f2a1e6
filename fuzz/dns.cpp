// A hostile DNS answer: whatever its bytes, what comes out is bounded and fit to be used as names.
#include <algorithm>
#include <string>

#include "fuzz.hpp"
#include "net/dns_message.hpp"

void fuzz(std::span<const std::uint8_t> data) {
    using namespace cw::net;
    for (const auto type : {DnsType::A, DnsType::Aaaa, DnsType::Srv, DnsType::Naptr}) {
        const auto answer = read_dns_answer(data, "example.com", type);
        const auto count = answer.addresses.size() + answer.srv.size() + answer.naptr.size();
        require(count <= most_dns_records);
        require((count > 0) == (answer.status == DnsAnswer::Status::Found));
        require(answer.ttl.ns >= 0);
        const auto is_name = [](const std::string& name) {
            return name.empty() || dns_name(name) == name;
        };
        require(std::ranges::all_of(answer.srv, is_name, &DnsSrv::target));
        require(std::ranges::all_of(answer.naptr, is_name, &DnsNaptr::replacement));
    }
}
