#include "rtp/srtp_reader.hpp"

#include <algorithm>
#include <array>

namespace cw::rtp {
namespace {

bool has_lengths_of_suite(const SrtpParameters& p, const SrtpMasterKey& key) {
    const auto& facts = facts_of(p.suite);
    return key.secret.octets().size() == static_cast<std::size_t>(facts.key + facts.salt) &&
           !(facts.aead && !(p.authenticate_rtp && p.encrypt_rtp));
}

// Where the MKI of a packet stands [RFC 3711 §3.1, RFC 7714 §8.2]; empty when it is too short.
Bytes mki_of(Bytes packet, const SrtpParameters& p, std::size_t size, bool rtcp) {
    const auto& facts = facts_of(p.suite);
    const std::size_t rtp_tag = p.authenticate_rtp ? facts.rtp_tag : 0U;
    const std::size_t behind = facts.aead ? 0U : rtcp ? 10U : rtp_tag;
    return packet.size() < size + behind ? Bytes{}
                                         : packet.subspan(packet.size() - behind - size, size);
}

} // namespace

bool SrtpReader::add(SrtpParameters&& alone, std::uint32_t label, KeyDerivation derivation) {
    if (std::ranges::any_of(keys_, [&](const Key& k) {
            return k.derivation == derivation && k.parameters == alone;
        })) {
        return false;
    }
    if (keys_.size() >= most_keys) {
        // The oldest that is not in use makes room.
        const std::size_t oldest = current_ == 0 ? 1 : 0;
        keys_.erase(keys_.begin() + static_cast<std::ptrdiff_t>(oldest));
        current_ = current_ == none ? none : current_ - (current_ > oldest ? 1 : 0);
    }
    keys_.push_back({std::move(alone), label, derivation, std::nullopt, false});
    return true;
}

bool SrtpReader::add_key(const SrtpParameters& parameters, std::uint32_t label) {
    bool added = false;
    for (const auto& key : parameters.keys) {
        auto alone = parameters;
        alone.keys = {key};
        if (!has_lengths_of_suite(alone, key)) {
            continue;
        }
        if (facts_of(parameters.suite).key == 24) {
            added = add(SrtpParameters{alone}, label, KeyDerivation::Libsrtp) || added;
        }
        added = add(std::move(alone), label, KeyDerivation::Rfc6188) || added;
    }
    if (added) {
        misses_ = 0; // worth a search
    }
    return added;
}

SrtpTransform* SrtpReader::transform_of(Key& key) {
    if (!key.transform && !key.unusable) {
        auto made = SrtpTransform::make(key.parameters, key.parameters.keys[0], key.derivation);
        if (made) {
            key.transform = std::move(*made);
        }
        key.unusable = !made;
    }
    return key.transform ? &*key.transform : nullptr;
}

bool SrtpReader::try_rtp(std::size_t key, Bytes rtp, std::size_t header, std::uint64_t index) {
    auto& k = keys_[key];
    const auto& mki = k.parameters.keys[0].mki;
    if (!mki.empty() && !std::ranges::equal(mki_of(rtp, k.parameters, mki.size(), false), mki)) {
        return false;
    }
    auto* transform = transform_of(k);
    if (transform == nullptr) {
        return false;
    }
    scratch_.assign(rtp.begin(), rtp.end());
    return transform->unprotect(scratch_, header, index);
}

bool SrtpReader::try_rtcp(std::size_t key, Bytes rtcp) {
    auto& k = keys_[key];
    const auto& mki = k.parameters.keys[0].mki;
    if (!mki.empty() && !std::ranges::equal(mki_of(rtcp, k.parameters, mki.size(), true), mki)) {
        return false;
    }
    auto* transform = transform_of(k);
    if (transform == nullptr) {
        return false;
    }
    scratch_.assign(rtcp.begin(), rtcp.end());
    return transform->unprotect_rtcp(scratch_);
}

bool SrtpReader::accept(std::size_t key, std::uint64_t index) {
    current_ = key;
    misses_ = 0;
    const auto roc = static_cast<std::uint32_t>(index >> 16U);
    if (!started_ || index_.guess(static_cast<std::uint16_t>(index)) != index) {
        counter_jumps_ += started_ ? 1U : 0U;
        index_ = SrtpIndex{ReplayWindow::most, roc};
    }
    index_.note(index);
    started_ = true;
    return true;
}

// The first failures, and then ever more rarely: a packet that is damaged is not worth more.
bool SrtpReader::search_is_due() const {
    return misses_ <= 4 || (misses_ & (misses_ - 1)) == 0 || misses_ % 256 == 0;
}

// Near counters of all keys first, the latest key first: a key that was just agreed on goes on with
// the counter [RFC 3711 §8.1], or begins anew where the sender thinks otherwise. Then, when the
// search is deep, all counters. A key without authentication proves nothing and comes last.
bool SrtpReader::search(Bytes rtp, std::size_t header, bool deep, Budget& budget) {
    const auto sequence = std::uint64_t{load_be16(rtp.data() + 2)};
    const auto guess = index_.guess(static_cast<std::uint16_t>(sequence)).value_or(sequence);
    const std::uint64_t roc = started_ ? guess >> 16U : 0;
    const std::array near{roc, std::uint64_t{0}, roc + 1, roc == 0 ? roc : roc - 1};
    const auto try_at = [&](std::size_t key, std::uint64_t counter) {
        return budget.spend() && try_rtp(key, rtp, header, counter << 16U | sequence) &&
               accept(key, counter << 16U | sequence);
    };
    for (auto key = keys_.size(); key-- > 0;) {
        for (std::size_t i = 0; i < near.size() && keys_[key].parameters.authenticate_rtp; ++i) {
            const bool tried = std::find(near.begin(), near.begin() + i, near[i]) !=
                               near.begin() + static_cast<std::ptrdiff_t>(i);
            if (!tried && try_at(key, near[i])) {
                return true;
            }
        }
    }
    for (auto key = keys_.size(); deep && key-- > 0;) {
        for (std::uint32_t counter = 1;
             counter < most_rollovers && keys_[key].parameters.authenticate_rtp; ++counter) {
            if (try_at(key, counter)) {
                return true;
            }
        }
    }
    for (auto key = keys_.size(); key-- > 0;) {
        if (!keys_[key].parameters.authenticate_rtp && try_at(key, roc)) {
            return true;
        }
    }
    return false;
}

std::optional<Bytes> SrtpReader::open(Bytes rtp, std::size_t header, Budget& budget) {
    if (rtp.size() < 12 || header > rtp.size()) {
        return std::nullopt;
    }
    if (current_ != none) {
        const auto index = index_.guess(load_be16(rtp.data() + 2));
        if (index && try_rtp(current_, rtp, header, *index)) {
            accept(current_, *index);
            return scratch_;
        }
    }
    ++misses_;
    if (!search_is_due()) {
        return std::nullopt;
    }
    const bool deep = (misses_ & (misses_ - 1)) == 0;
    return search(rtp, header, deep, budget) ? std::optional<Bytes>{scratch_} : std::nullopt;
}

// SRTCP says its index itself [RFC 3711 §3.4].
std::optional<Bytes> SrtpReader::open_rtcp(Bytes rtcp, Budget& budget) {
    if (rtcp.size() < 8) {
        return std::nullopt;
    }
    if (current_ != none && try_rtcp(current_, rtcp)) {
        misses_ = 0;
        return scratch_;
    }
    ++misses_;
    for (auto key = keys_.size(); search_is_due() && key-- > 0;) {
        if (budget.spend() && try_rtcp(key, rtcp)) {
            current_ = key;
            misses_ = 0;
            return scratch_;
        }
    }
    return std::nullopt;
}

} // namespace cw::rtp
