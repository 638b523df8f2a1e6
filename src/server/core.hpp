// What registrar and proxy of one shard share.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "server/authenticator.hpp"
#include "server/branch.hpp"
#include "server/directory.hpp"
#include "server/incoming.hpp"
#include "server/location.hpp"
#include "server/reply.hpp"
#include "server/seal.hpp"
#include "server/server.hpp"
#include "server/temporary_gruu.hpp"
#include "sip/edits.hpp"
#include "transaction/table.hpp"

namespace cw::server {

struct Core {
    Core(std::shared_ptr<const Settings> settings, const ShardIdentity& identity);

    std::shared_ptr<const Directory> directory;
    std::uint8_t shard;
    std::uint64_t boot;
    Seal seal;
    TemporaryGruus gruus;
    Branches branches;
    Authenticator authenticator;
    Location location;
    transaction::Table transactions;
    Counters counters;
    bool draining = false;
    sip::Edits edits;    // scratch
    std::string scratch; // of whoever writes a message now

    // Answers by the transaction of `in`, or without one while it has none.
    void answer(const Incoming& in, const Reply& reply);
    // 401 or 407: `id` is Authorization or ProxyAuthorization.
    void challenge(const Incoming& in, sip::HeaderId id, const DomainEntry& domain,
                   const User* user, bool stale);
    static void log(const Incoming& in, LogLevel level, const char* what, std::string fields);
};

} // namespace cw::server
