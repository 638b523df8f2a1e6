// The words of the rules about session descriptions and media.
#include <array>

#include "flow/diagnose/rule.hpp"

namespace cw::flow::diagnose {

std::span<const Rule> media_rules() {
    using enum Severity;
    static constexpr std::array rules{
        Rule{.id = "D69",
             .severity = Error,
             .title = "The media key crossed a clear hop",
             .rfc = "RFC 4568 §8.3",
             .means =
                 "a=crypto carries the master key of SRTP in plain text, so the signalling that "
                 "carries it has to be encrypted on every hop. Here it was not: whoever saw the "
                 "message can listen in.",
             .fix = "Use TLS on this hop too, or DTLS-SRTP (RFC 5763), which puts no key into the "
                    "signalling.",
             .needs = "",
             .brings = "",
             .picture = "Alice->>Proxy: INVITE, a=crypto (TLS)\nProxy->>Bob: INVITE, a=crypto "
                        "(UDP) [!]"},
    };
    return rules;
}

} // namespace cw::flow::diagnose
