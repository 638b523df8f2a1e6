// Makes calls fit to be shared: users, numbers, names, addresses, Call-IDs and all that a peer
// wrote in its own words are replaced, each by the same stand-in wherever it comes back, so that
// the flow stays readable. One Redactor serves a whole report. Keys and digests are not in the
// model at all. Not thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include <boost/unordered/unordered_flat_map.hpp>

#include "flow/call.hpp"

namespace cw::flow {

class Redactor {
  public:
    // The same call with a pool of its own, where nothing of the old one is left.
    Call call(const Call& call);
    Connection connection(const Connection& connection);
    // `texts` is the stream's pool, `out` gets the texts of the result.
    MediaStream stream(const MediaStream& stream, const TextPool& texts, TextPool& out);

    // Addresses of the ranges for documentation and benchmarks [RFC 5737, RFC 2544, RFC 3849].
    // Loopback and "no address" stay what they are.
    IpAddress address(const IpAddress& address);
    // "sip:+4930123456@biloxi.example:5061;user=phone" → "sip:0000000001@host1.example:5061".
    std::string uri(std::string_view uri);
    // Digits and addresses in words that somebody wrote: "Busy at 4930123456" → "Busy at xxxx".
    static std::string words(std::string_view text);

  private:
    enum class What : std::uint8_t { User, Host, Name, CallId };
    std::size_t number(What what, std::string_view text);
    std::string user(std::string_view user);
    std::string host(std::string_view host);
    std::string name(std::string_view display_name);
    std::string call_id(std::string_view call_id);
    std::string note(std::string_view note);
    Endpoint endpoint(const Endpoint& endpoint);
    void certificates(std::vector<Certificate>& chain);
    Message message(const Message& m, const Call& from, TextPool& pool);

    std::array<boost::unordered_flat_map<std::string, std::size_t>, 4> numbers_; // by What
    boost::unordered_flat_map<IpAddress, IpAddress> addresses_;
};

} // namespace cw::flow
