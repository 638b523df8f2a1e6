#include "flow/relay.hpp"

#include <algorithm>
#include <utility>

namespace cw::flow {
namespace {

constexpr std::size_t cache_line = 64;

// Asks for what another core has prepared.
void fetch(const PreparedMessage& message) {
    const auto* bytes = reinterpret_cast<const char*>(&message);
    for (std::size_t i = 0; i < sizeof message; i += cache_line) {
        __builtin_prefetch(bytes + i);
    }
}
// And for what will be read of its bytes, once itself is at hand.
void fetch_texts(const PreparedMessage& message) {
    const auto& digest = message.digest;
    for (const auto text : {digest.call_id, digest.contact, digest.body}) {
        __builtin_prefetch(text.data());
    }
    __builtin_prefetch(digest.request_uri.empty() ? digest.reason.data()
                                                  : digest.request_uri.data());
}

} // namespace

Relay::Batch::Batch() {
    bytes.reserve(batch_bytes);
    texts.reserve(texts_bytes);
}

void Relay::Batch::clear() {
    records.clear();
    connections.clear();
    handshakes.clear();
    exchanges.clear();
    bytes.clear();
    texts.clear();
}

Relay::Relay(Listener& listener) : listener_(listener), filling_(std::make_unique<Batch>()) {}

void Relay::start_thread() {
    if (!thread_.joinable()) {
        thread_ = std::thread{[this] { run(); }};
    }
}

void Relay::meanwhile(const std::function<void()>& work) {
    const std::lock_guard nothing_is_told{telling_};
    work();
}

Relay::~Relay() {
    {
        const std::lock_guard lock{mutex_};
        closed_ = true;
    }
    more_.notify_one();
    if (thread_.joinable()) {
        thread_.join();
    }
}

void Relay::add(Record record, std::string_view bytes) {
    record.offset = filling_->bytes.size();
    record.length = bytes.size();
    filling_->bytes.append(bytes);
    filling_->records.push_back(record);
    const auto most = thread_.joinable() ? batch_bytes : small_batch_bytes;
    if (filling_->bytes.size() + filling_->records.size() * sizeof(Record) >= most) {
        hand_over();
    }
}

void Relay::hand_over() {
    if (!thread_.joinable()) {
        tell(*filling_);
        filling_->clear();
        return;
    }
    prepare_messages(*filling_);
    std::unique_lock lock{mutex_};
    if (full_.size() >= most_batches) {
        room_.wait(lock, [this] { return full_.size() <= most_batches / 2; });
    }
    full_.push_back(std::move(filling_));
    waiting_ = full_.size();
    if (spare_.empty()) {
        filling_ = std::make_unique<Batch>();
    } else {
        filling_ = std::move(spare_.back());
        spare_.pop_back();
    }
    lock.unlock();
    more_.notify_one();
}

// As many as there is time for.
void Relay::prepare_messages(Batch& batch) {
    std::uint32_t count = 0;
    for (auto& record : batch.records) {
        if (record.kind != Kind::Sip) {
            continue;
        }
        if (waiting_.load(std::memory_order_relaxed) < enough_waiting) {
            return;
        }
        if (count == batch.prepared.size()) {
            batch.prepared.emplace_back();
        }
        if (!preparer_.prepare(std::string_view{batch.bytes}.substr(record.offset, record.length),
                               batch.prepared[count], batch.texts)) {
            return;
        }
        record.prepared = count++;
    }
}

void Relay::on_sip(const SipEvent& event) {
    add({.kind = Kind::Sip,
         .transport = event.transport,
         .truncated = event.truncated,
         .connection = event.connection,
         .at = event.at},
        event.bytes);
}

void Relay::on_media(const MediaEvent& event) {
    add({.kind = Kind::Media, .missing = event.missing, .at = event.at}, as_text(event.payload));
}

void Relay::on_dtls(const Sighting& at) {
    add({.kind = Kind::Dtls, .at = at}, {});
}

void Relay::on_dtls_srtp(const DtlsSrtp& handshake) {
    const auto index = static_cast<std::uint32_t>(filling_->handshakes.size());
    filling_->handshakes.push_back(handshake);
    add({.kind = Kind::DtlsSrtp, .connection = index, .at = handshake.at}, {});
}

void Relay::on_dtls_exchange(const DtlsExchange& exchange) {
    const auto index = static_cast<std::uint32_t>(filling_->exchanges.size());
    filling_->exchanges.push_back(exchange);
    add({.kind = Kind::DtlsExchange, .connection = index, .at = {}}, {});
}

void Relay::on_connection(const Connection& connection) {
    const auto index = static_cast<std::uint32_t>(filling_->connections.size());
    filling_->connections.push_back(connection);
    add({.kind = Kind::Connection, .connection = index, .at = {}}, {});
}

void Relay::finish(Instant end) {
    Sighting at;
    at.time = end;
    add({.kind = Kind::Finish, .at = at}, {});
    hand_over();
    if (thread_.joinable()) {
        thread_.join();
    }
}

void Relay::run() {
    while (true) {
        std::unique_lock lock{mutex_};
        more_.wait(lock, [this] { return !full_.empty() || closed_; });
        if (full_.empty()) {
            return; // given up without finish()
        }
        auto batch = std::move(full_.front());
        full_.pop_front();
        waiting_ = full_.size();
        const bool has_room = full_.size() <= most_batches / 2;
        lock.unlock();
        if (has_room) {
            room_.notify_one();
        }
        {
            const std::lock_guard telling{telling_};
            if (tell(*batch)) {
                return;
            }
        }
        batch->clear();
        lock.lock();
        spare_.push_back(std::move(batch));
    }
}

// True when that was the end.
bool Relay::tell(const Batch& batch) {
    const std::string_view bytes{batch.bytes};
    const auto sip_event = [bytes, &batch](const Record& r) {
        return SipEvent{.at = r.at,
                        .transport = r.transport,
                        .connection = r.connection,
                        .truncated = r.truncated,
                        .bytes = bytes.substr(r.offset, r.length),
                        .prepared = r.prepared == none ? nullptr : &batch.prepared[r.prepared]};
    };
    const auto fetch_ahead = [&batch](std::size_t i) {
        constexpr std::size_t far = 2;
        const auto& records = batch.records;
        if (i + far < records.size() && records[i + far].prepared != none) {
            fetch(batch.prepared[records[i + far].prepared]);
        }
        if (i + 1 < records.size() && records[i + 1].prepared != none) {
            fetch_texts(batch.prepared[records[i + 1].prepared]);
        }
    };
    for (std::size_t i = 0; i < batch.records.size(); ++i) {
        const auto& r = batch.records[i];
        const auto part = bytes.substr(r.offset, r.length);
        switch (r.kind) {
        case Kind::Sip:
            fetch_ahead(i);
            if (i + 1 < batch.records.size() && batch.records[i + 1].kind == Kind::Sip) {
                listener_.expect(sip_event(batch.records[i + 1]));
            }
            listener_.on_sip(sip_event(r));
            break;
        case Kind::Media:
            listener_.on_media({r.at, as_bytes(part), r.missing});
            break;
        case Kind::Dtls:
            listener_.on_dtls(r.at);
            break;
        case Kind::DtlsSrtp:
            listener_.on_dtls_srtp(batch.handshakes[r.connection]);
            break;
        case Kind::DtlsExchange:
            listener_.on_dtls_exchange(batch.exchanges[r.connection]);
            break;
        case Kind::Connection:
            listener_.on_connection(batch.connections[r.connection]);
            break;
        case Kind::Finish:
            listener_.finish(r.at.time);
            return true;
        }
    }
    return false;
}

} // namespace cw::flow
