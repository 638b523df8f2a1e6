#include "server/core.hpp"

#include <utility>

namespace cw::server {

Core::Core(std::shared_ptr<const Settings> settings, const ShardIdentity& identity)
    : directory(std::make_shared<const Directory>(std::move(settings))), shard(identity.shard),
      boot(identity.boot), seal(identity.secret, identity.boot),
      gruus(identity.secret, identity.shard, identity.boot),
      branches(identity.secret, identity.shard, identity.boot),
      authenticator(identity.secret, identity.shard, identity.boot),
      location(identity.shard, identity.boot), transactions(identity.seed) {}

void Core::answer(const Incoming& in, const Reply& reply) {
    scratch.clear();
    append_reply(scratch, in, seal, reply);
    if (in.transaction) {
        transactions.respond(in.transaction, reply.status, scratch, in.now, in.out.outbox);
    } else {
        in.out.outbox.send(in.back, scratch);
    }
}

void Core::challenge(const Incoming& in, sip::HeaderId id, const DomainEntry& domain,
                     const User* user, bool stale) {
    std::string headers;
    authenticator.append_challenge(headers, in, id, domain, user, stale);
    ++counters.challenges;
    answer(in,
           {.status = static_cast<std::uint16_t>(id == sip::HeaderId::Authorization ? 401 : 407),
            .headers = headers});
}

void Core::log(const Incoming& in, LogLevel level, const char* what, std::string fields) {
    in.out.log.push_back({level, what, std::move(fields)});
}

} // namespace cw::server
