// What a source tells is copied into batches and told again in the same order, each event with a
// word on the one behind it (Listener::expect). At first on the source's own thread; from
// start_thread() on, on one for the listener, so that decoding and book-keeping each have a core.
// Who is ahead helps: while batches wait, the source also prepares messages. What goes from one
// core to another is read from the other's memory: so there is little of it, and it lies in the
// order in which it is read. That is worth it where decoding is work, as opening TLS is; where the
// packets are in clear it saves a fifth of the time and costs a third more CPU.
//
// The queue is bounded: a source that is faster waits. From start_thread() on, the listener is
// touched by the relay's thread only, until finish() has returned.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "flow/event.hpp"
#include "flow/prepared.hpp"

namespace cw::flow {

class Relay final : public Listener {
  public:
    // A batch is large enough that handing it over costs nothing per event, and small enough that
    // all of them stay in the second level cache of a core.
    static constexpr std::size_t batch_bytes = std::size_t{32} << 10;
    // On one thread, that of the first level.
    static constexpr std::size_t small_batch_bytes = std::size_t{16} << 10;
    static constexpr std::size_t texts_bytes = std::size_t{16} << 10;
    static constexpr std::size_t most_batches = 5;
    // While the listener has so many before it, the source prepares messages.
    static constexpr std::size_t enough_waiting = 2;

    // `listener` must outlive the relay.
    explicit Relay(Listener& listener);
    ~Relay() override;
    Relay(const Relay&) = delete;
    Relay& operator=(const Relay&) = delete;

    // Idempotent; before finish().
    void start_thread();
    // Calls `work` while the listener is told nothing: the source's thread may look at it then.
    void meanwhile(const std::function<void()>& work);

    void on_sip(const SipEvent& event) override;
    void on_media(const MediaEvent& event) override;
    void on_dtls(const Sighting& at) override;
    void on_dtls_srtp(const DtlsSrtp& handshake) override;
    void on_dtls_exchange(const DtlsExchange& exchange) override;
    void on_connection(const Connection& connection) override;
    // Returns when the listener has been told everything and has finished.
    void finish(Instant end) override;

  private:
    enum class Kind : std::uint8_t { Sip, Media, Dtls, DtlsSrtp, DtlsExchange, Connection, Finish };
    struct Record {
        Kind kind = Kind::Sip;
        Transport transport = Transport::Udp;
        bool truncated = false;
        std::uint32_t connection = 0; // id; of what has a list of its own in Batch, the index there
        std::uint32_t missing = 0;
        std::size_t offset = 0; // in Batch::bytes
        std::size_t length = 0;
        std::uint32_t prepared = none; // of Sip: in Batch
        Sighting at;
    };
    struct Batch {
        Batch();
        std::vector<Record> records;
        std::vector<Connection> connections;
        std::vector<DtlsSrtp> handshakes;
        std::vector<DtlsExchange> exchanges;
        std::string bytes;
        // Of the first of its messages, once it is full; those behind them are of an earlier time.
        std::vector<PreparedMessage> prepared;
        std::string texts; // of those; it never grows

        void clear(); // keeps the memory, but that of the unusual
    };

    void add(Record record, std::string_view bytes);
    void hand_over();
    void prepare_messages(Batch& batch);
    void run();
    bool tell(const Batch& batch);

    Listener& listener_;
    std::unique_ptr<Batch> filling_;
    Preparer preparer_;
    std::mutex mutex_;
    std::condition_variable more_; // there is a batch, or no more will come
    std::condition_variable room_; // half of the queue is free
    std::deque<std::unique_ptr<Batch>> full_;
    std::vector<std::unique_ptr<Batch>> spare_;
    bool closed_ = false;
    std::mutex telling_; // held while the listener is told something on the thread
    // As many batches wait. Where some do, the source is faster than the listener, and does some of
    // its work. So the queue is neither full nor empty for long, and nobody sleeps.
    std::atomic<std::size_t> waiting_ = 0;
    std::thread thread_; // last: it uses all of the above
};

} // namespace cw::flow
