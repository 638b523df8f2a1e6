#include "capture/tls/session_cache.hpp"

#include <openssl/crypto.h>

namespace cw::capture::tls {

SessionCache::~SessionCache() {
    for (auto& [key, master] : sessions_) {
        OPENSSL_cleanse(master.data(), master.size());
    }
}

bool SessionCache::key_of(Bytes id_or_ticket, Key& key) {
    return !id_or_ticket.empty() && hasher().digest(Hash::Sha256, {id_or_ticket}, key.data());
}

void SessionCache::remember(Bytes id_or_ticket, const MasterSecret& master) {
    Key key{};
    if (!key_of(id_or_ticket, key)) {
        return;
    }
    const auto [at, fresh] = sessions_.insert_or_assign(key, master);
    if (!fresh) {
        return;
    }
    if (order_.size() < most_sessions) {
        order_.push_back(key);
        return;
    }
    sessions_.erase(order_[next_]);
    order_[next_] = key;
    next_ = (next_ + 1) % most_sessions;
}

const MasterSecret* SessionCache::find(Bytes id_or_ticket) {
    Key key{};
    if (sessions_.empty() || !key_of(id_or_ticket, key)) {
        return nullptr;
    }
    const auto found = sessions_.find(key);
    return found != sessions_.end() ? &found->second : nullptr;
}

void SessionCache::mark_used(std::uint32_t entry) {
    if (entry >= used_.size()) {
        used_.resize(entry + std::size_t{1});
    }
    used_[entry] = true;
}

bool SessionCache::spend(std::size_t bytes) {
    const auto cost = static_cast<std::int64_t>(bytes) + cost_of_try;
    if (credit_ < cost) {
        return false;
    }
    credit_ -= cost;
    return true;
}

} // namespace cw::capture::tls
