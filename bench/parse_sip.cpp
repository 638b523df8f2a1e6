// Our parser on the INVITE: start line, every header's boundaries and id, the body, and the values
// of Via (all), From, To, CSeq, Contact, Call-ID and the Request-URI. Counts allocations.
#include <cstdio>
#include <cstdlib>
#include <new>

#include "invite.hpp"
#include "rounds.hpp"
#include "sip/cseq.hpp"
#include "sip/message.hpp"
#include "sip/name_addr.hpp"
#include "sip/via.hpp"

namespace {

std::size_t allocations = 0;

bool parse_one(cw::sip::HeaderIndex& headers) {
    using namespace cw::sip;
    auto bytes = bench_invite;
    asm volatile("" : "+m"(bytes)); // the compiler must not know the message
    const auto message = parse(bytes, headers);
    if (!message) {
        return false;
    }
    const auto uri = parse_uri(message->request_uri());
    const auto from = parse_name_addr(message->value(HeaderId::From));
    const auto to = parse_name_addr(message->value(HeaderId::To));
    const auto contact = parse_name_addr(message->value(HeaderId::Contact));
    const auto cseq = parse_cseq(message->value(HeaderId::CSeq));
    int vias = 0;
    for (const auto& header : message->headers()) {
        if (header.id == HeaderId::Via) {
            const auto via = parse_via(header.value);
            vias += via && !via->branch.empty() ? 1 : 0;
        }
    }
    return uri && from && to && contact && cseq && vias == 2 && cseq->number == 271828 &&
           from->tag.size() == 10 && to->uri.host.size() == 19 && contact->uri.port == 50312 &&
           !message->value(HeaderId::CallId).empty() && message->body().size() == 316;
}

} // namespace

void* operator new(std::size_t size) {
    ++allocations;
    if (auto* p = std::malloc(size)) {
        return p;
    }
    throw std::bad_alloc{};
}
void operator delete(void* p) noexcept {
    std::free(p);
}
void operator delete(void* p, std::size_t) noexcept {
    std::free(p);
}

int main() {
    cw::sip::HeaderIndex headers;
    const auto before = allocations;
    const auto status = run_rounds(200'000, [&headers] { return parse_one(headers); });
    std::fprintf(stderr, "%zu bytes, %zu allocations\n", bench_invite.size(), allocations - before);
    return status;
}
