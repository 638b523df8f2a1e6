#include "flow/prepared.hpp"

#include "flow/references.hpp"

namespace cw::flow {

void prepare(std::string_view bytes, PreparedMessage& out, sdp::Session& session) {
    out.message = sip::index(bytes, out.headers);
    out.session = nullptr;
    if (out.message) {
        out.session = parse_session(*out.message, session) ? &session : nullptr;
        digest(*out.message, out.session, out.digest);
    }
}

} // namespace cw::flow
