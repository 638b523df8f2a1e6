// Writes a pcap of complete calls over TLS 1.3, TCP or UDP, any number of them, with a key log. No
// network: both TLS ends run in memory and the frames are made here, with checksums left at zero.
// Messages and times depend on the arguments alone; keys are new each time.
//
//   make_capture --calls 20000 --out calls.pcap --keylog calls.keys
//   make_capture --calls 2000 --transport udp --rtp 500 --out media.pcap
//
// A call is INVITE, 100, 180, 200, ACK, BYE, 200 (seven messages) and, with --rtp N, N packets of
// G.711. Calls overlap: 100 start in a second of capture time, each rings and talks for some time.
// Memory grows with the calls that are open at once, not with their number.
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <queue>
#include <string>
#include <string_view>
#include <vector>

#include "pcap_writer.hpp"

namespace {

using bench::Address;
using bench::PcapWriter;

struct Options {
    std::uint32_t calls = 2000;
    std::uint32_t connections = 50;
    std::uint32_t rtp = 0; // packets a call
    bool one_media_address = false;
    std::string transport = "tls";
    std::string out;
    std::string key_log;
};

[[noreturn]] void stop(const std::string& why) {
    std::fprintf(stderr, "make_capture: %s\n", why.c_str());
    std::exit(2);
}

// ---- what is said ------------------------------------------------------------------------------

constexpr int steps = 7;
constexpr std::array<bool, steps> from_caller = {true, false, false, false, true, true, false};

struct Call {
    std::uint32_t number = 0;
    std::uint32_t tag = 0;
    Address caller;
    Address callee;
    Address caller_media;
    Address callee_media;
};

class Speaker {
  public:
    explicit Speaker(std::string transport) : transport_(std::move(transport)) {
        via_ = transport_;
        for (auto& c : via_) {
            c = static_cast<char>(c - 'a' + 'A');
        }
    }

    // Message number `step` of the call; valid until the next one.
    const std::string& message(const Call& call, int step) {
        const auto caller = call.caller.text();
        const auto callee = call.callee.text();
        text_.clear();
        start_line(call, step, callee);
        add("Via: SIP/2.0/%s %s;branch=z9hG4bK%07x.%08x.%c;rport\r\n", via_.c_str(), caller.c_str(),
            call.number, call.tag,
            step < 4    ? 'i'
            : step == 4 ? 'a'
                        : 'b');
        if (from_caller[static_cast<std::size_t>(step)]) {
            add("Max-Forwards: 70\r\n");
        }
        add("From: \"Ann %u\" <sip:ann%u@west.example.org>;tag=w%x\r\n", call.number % 1000,
            call.number, call.number);
        add("To: <sip:ben%u@east.example.net>", call.number);
        if (step >= 2) {
            add(";tag=e%x-%08x", call.number, call.tag);
        }
        add("\r\nCall-ID: %08x%08x@west.example.org\r\n", call.number, call.tag);
        add("CSeq: %s\r\n", step < 4 ? "1 INVITE" : step == 4 ? "1 ACK" : "2 BYE");
        if (step == 0 || step == 2 || step == 3) {
            add("Contact: <sip:%s%u@%s;transport=%s>\r\n", step == 0 ? "ann" : "ben", call.number,
                step == 0 ? caller.c_str() : callee.c_str(), transport_.c_str());
            add("Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE, REFER, NOTIFY, INFO\r\n");
            add("Supported: 100rel, replaces, timer, outbound, path\r\n");
        }
        add(from_caller[static_cast<std::size_t>(step)] ? "User-Agent: Deskphone 7.1.0\r\n"
                                                        : "Server: Switchboard 2.4\r\n");
        body(call, step);
        return text_;
    }

  private:
    template <class... Values>
    void add(const char* format, Values... values) {
        std::array<char, 512> line{};
        const int size = std::snprintf(line.data(), line.size(), format, values...);
        text_.append(line.data(), static_cast<std::size_t>(size));
    }
    void add(const char* plain) { text_ += plain; }

    void start_line(const Call& call, int step, const std::string& callee) {
        switch (step) {
        case 0:
            return add("INVITE sip:ben%u@east.example.net;transport=%s SIP/2.0\r\n", call.number,
                       transport_.c_str());
        case 1:
            return add("SIP/2.0 100 Trying\r\n");
        case 2:
            return add("SIP/2.0 180 Ringing\r\n");
        case 4:
        case 5:
            return add("%s sip:ben%u@%s;transport=%s SIP/2.0\r\n", step == 4 ? "ACK" : "BYE",
                       call.number, callee.c_str(), transport_.c_str());
        default:
            return add("SIP/2.0 200 OK\r\n");
        }
    }

    void body(const Call& call, int step) {
        if (step != 0 && step != 3) {
            return add("Content-Length: 0\r\n\r\n");
        }
        const auto& media = step == 0 ? call.caller_media : call.callee_media;
        std::array<char, 512> sdp{};
        const int size = std::snprintf(
            sdp.data(), sdp.size(),
            "v=0\r\no=- %u 1 IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\nm=audio %u RTP/%s 0 8 "
            "101\r\n"
            "a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
            "a=fmtp:101 0-15\r\na=ptime:20\r\n%sa=sendrecv\r\n",
            call.tag, media.host().c_str(), media.host().c_str(), unsigned{media.port},
            transport_ == "tls" ? "SAVP" : "AVP",
            transport_ == "tls" ? "a=crypto:1 AES_CM_128_HMAC_SHA1_80 "
                                  "inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd\r\n"
                                : "");
        add("Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n", size);
        text_.append(sdp.data(), static_cast<std::size_t>(size));
    }

    std::string transport_;
    std::string via_;
    std::string text_;
};

// ---- how it travels ----------------------------------------------------------------------------

// Between two addresses; side 0 is the client. Times are in microseconds.
class Link {
  public:
    Link(PcapWriter& pcap, Address client, Address server) : pcap_(pcap), ends_{client, server} {}
    virtual ~Link() = default;
    Link(const Link&) = delete;
    Link& operator=(const Link&) = delete;

    virtual void open(std::int64_t) {}
    virtual void send(std::int64_t at, int side, std::string_view data) {
        pcap_.udp(at, ends_[index(side)], ends_[index(1 - side)], data);
    }
    virtual void close(std::int64_t) {}
    [[nodiscard]] const Address& end(int side) const { return ends_[index(side)]; }

  protected:
    static std::size_t index(int side) { return static_cast<std::size_t>(side); }
    PcapWriter& pcap_;
    std::array<Address, 2> ends_;
};

class TcpLink : public Link {
  public:
    using Link::Link;

    void open(std::int64_t at) override {
        segment(at, 0, PcapWriter::syn, {});
        segment(at + 20, 1, PcapWriter::syn | PcapWriter::ack, {});
        segment(at + 40, 0, PcapWriter::ack, {});
    }
    void send(std::int64_t at, int side, std::string_view data) override {
        constexpr std::size_t largest = 1448;
        for (std::size_t i = 0; i < data.size(); i += largest) {
            segment(at, side, PcapWriter::ack | PcapWriter::push, data.substr(i, largest));
        }
        segment(at + 40, 1 - side, PcapWriter::ack, {});
    }
    void close(std::int64_t at) override {
        segment(at, 0, PcapWriter::fin | PcapWriter::ack, {});
        segment(at + 20, 1, PcapWriter::fin | PcapWriter::ack, {});
        segment(at + 40, 0, PcapWriter::ack, {});
    }

  private:
    void segment(std::int64_t at, int side, std::uint8_t flags, std::string_view data) {
        const auto from = index(side);
        const auto to = index(1 - side);
        pcap_.tcp(at, ends_[from], ends_[to], sequence_[from],
                  (flags & PcapWriter::ack) != 0 ? sequence_[to] : 0, flags, data);
        sequence_[from] += static_cast<std::uint32_t>(data.size());
        sequence_[from] += (flags & (PcapWriter::syn | PcapWriter::fin)) != 0 ? 1U : 0U;
    }

    std::array<std::uint32_t, 2> sequence_ = {1000, 5000};
};

// Certificate, contexts and key log of all TLS connections.
struct Tls {
    SSL_CTX* client = SSL_CTX_new(TLS_client_method());
    SSL_CTX* server = SSL_CTX_new(TLS_server_method());
    std::FILE* key_log = nullptr;

    explicit Tls(const std::string& key_log_path) {
        auto* key = EVP_EC_gen("P-256");
        auto* certificate = X509_new();
        X509_set_version(certificate, X509_VERSION_3);
        ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
        ASN1_TIME_set_string(X509_getm_notBefore(certificate), "20250101000000Z");
        ASN1_TIME_set_string(X509_getm_notAfter(certificate), "20260101000000Z");
        auto* name = X509_get_subject_name(certificate);
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                   reinterpret_cast<const unsigned char*>("east.example.net"), -1,
                                   -1, 0);
        X509_set_issuer_name(certificate, name);
        X509_set_pubkey(certificate, key);
        auto* names =
            X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "DNS:east.example.net");
        X509_add_ext(certificate, names, -1);
        X509_EXTENSION_free(names);
        if (X509_sign(certificate, key, EVP_sha256()) == 0 ||
            SSL_CTX_use_certificate(server, certificate) != 1 ||
            SSL_CTX_use_PrivateKey(server, key) != 1) {
            stop("cannot make a certificate");
        }
        X509_free(certificate);
        EVP_PKEY_free(key);
        SSL_CTX_set_min_proto_version(client, TLS1_3_VERSION);
        if (!key_log_path.empty()) {
            key_log = std::fopen(key_log_path.c_str(), "w");
            if (key_log == nullptr) {
                stop("cannot write " + key_log_path);
            }
            SSL_CTX_set_app_data(client, this);
            SSL_CTX_set_keylog_callback(client, [](const SSL* ssl, const char* line) {
                const auto* self = static_cast<Tls*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
                std::fprintf(self->key_log, "%s\n", line);
            });
        }
    }
    ~Tls() {
        SSL_CTX_free(client);
        SSL_CTX_free(server);
        if (key_log != nullptr) {
            std::fclose(key_log);
        }
    }
    Tls(const Tls&) = delete;
    Tls& operator=(const Tls&) = delete;
};

class TlsLink : public TcpLink {
  public:
    TlsLink(PcapWriter& pcap, Address client, Address server, const Tls& tls)
        : TcpLink(pcap, client, server), ssl_{SSL_new(tls.client), SSL_new(tls.server)} {
        for (auto* ssl : ssl_) {
            SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
        }
        SSL_set_connect_state(ssl_[0]);
        SSL_set_accept_state(ssl_[1]);
        SSL_set_tlsext_host_name(ssl_[0], "east.example.net");
    }
    ~TlsLink() override {
        for (auto* ssl : ssl_) {
            SSL_free(ssl);
        }
    }

    void open(std::int64_t at) override {
        TcpLink::open(at);
        for (int round = 0; round < 4; ++round) {
            for (int side = 0; side < 2; ++side) {
                at += 300;
                SSL_do_handshake(ssl_[index(side)]);
                pass(at, side, true);
            }
        }
        if (SSL_is_init_finished(ssl_[0]) != 1 || SSL_is_init_finished(ssl_[1]) != 1) {
            stop("the TLS handshake failed");
        }
    }
    void send(std::int64_t at, int side, std::string_view data) override {
        SSL_write(ssl_[index(side)], data.data(), static_cast<int>(data.size()));
        pass(at, side, false);
    }
    void close(std::int64_t at) override {
        SSL_shutdown(ssl_[0]);
        pass(at, 0, false);
        SSL_shutdown(ssl_[1]);
        pass(at + 100, 1, false);
        TcpLink::close(at + 1000);
    }

  private:
    // Writes what `side` has made into the capture; the other end needs to see the handshake only.
    void pass(std::int64_t at, int side, bool deliver) {
        auto* out = SSL_get_wbio(ssl_[index(side)]);
        char* data = nullptr;
        const auto size = BIO_get_mem_data(out, &data);
        if (size <= 0) {
            return;
        }
        TcpLink::send(at, side, {data, static_cast<std::size_t>(size)});
        if (deliver) {
            BIO_write(SSL_get_rbio(ssl_[index(1 - side)]), data, static_cast<int>(size));
        }
        BIO_reset(out);
    }

    std::array<SSL*, 2> ssl_;
};

// ---- when --------------------------------------------------------------------------------------

std::uint64_t random_next(std::uint64_t& state) { // xorshift64*
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545f4914f6cdd1dULL;
}

constexpr std::int64_t second = 1'000'000;

struct Event {
    std::int64_t at = 0;
    std::uint32_t number = 0; // of the call
    std::uint32_t part = 0;   // below `steps`: a message; above: an RTP packet

    bool operator<(const Event& other) const { // the queue gives the largest, which is the earliest
        return at != other.at           ? at > other.at
               : number != other.number ? number > other.number
                                        : part > other.part;
    }
};

// The capture: decides who calls when, and lets Speaker and Link do the rest.
class Script {
  public:
    explicit Script(const Options& options)
        : options_(options), pcap_(options.out), speaker_(options.transport) {
        if (options.transport == "tls") {
            tls_ = std::make_unique<Tls>(options.key_log);
        }
        for (std::uint32_t i = 0; i < options.connections; ++i) {
            links_.push_back(make_link(i));
            links_.back()->open(i * second / 100);
        }
    }

    void play() {
        const auto first = options_.connections * second / 100 + second;
        std::int64_t last = first;
        std::uint32_t started = 0;
        while (started < options_.calls || !events_.empty()) {
            const auto next_start = first + started * second / calls_a_second;
            if (started < options_.calls && (events_.empty() || next_start <= events_.top().at)) {
                events_.push({next_start, started++, 0});
                continue;
            }
            const auto event = events_.top();
            events_.pop();
            last = event.at;
            perform(event);
        }
        for (std::size_t i = 0; i < links_.size(); ++i) {
            links_[i]->close(last + second + static_cast<std::int64_t>(i) * second / 100);
        }
        std::printf("%s: %u calls, %u SIP messages, %llu packets, %.1f s\n", options_.out.c_str(),
                    options_.calls, options_.calls * steps,
                    static_cast<unsigned long long>(pcap_.packets()),
                    static_cast<double>(last) / second);
    }

  private:
    static constexpr std::uint32_t calls_a_second = 100;
    static constexpr std::int64_t packet_time = 20'000;
    static constexpr std::uint32_t first_rtp = 100; // Event::part of the first RTP packet

    std::unique_ptr<Link> make_link(std::uint32_t i) {
        const Address client{0xc0000201U + i % 200, static_cast<std::uint16_t>(20000 + i / 200)};
        const Address server{0xc6336401U,
                             static_cast<std::uint16_t>(options_.transport == "tls" ? 5061 : 5060)};
        if (options_.transport == "tls") {
            return std::make_unique<TlsLink>(pcap_, client, server, *tls_);
        }
        if (options_.transport == "tcp") {
            return std::make_unique<TcpLink>(pcap_, client, server);
        }
        return std::make_unique<Link>(pcap_, client, server);
    }

    // Everything about a call follows from its number, so nothing is kept for it.
    [[nodiscard]] Call call_of(std::uint32_t number) const {
        std::uint64_t state = (number + 1ULL) * 0x9e3779b97f4a7c15ULL;
        const auto& link = *links_[number % links_.size()];
        Address caller_media = link.end(0);
        Address callee_media = link.end(1);
        if (options_.one_media_address) { // as behind a media relay that reuses its ports
            caller_media = {0xcb007101, 20000};
            callee_media = {0xcb007102, 30002};
        } else {
            const auto port = 4 * (number % 6000);
            caller_media.port = static_cast<std::uint16_t>(20000 + port);
            callee_media.port = static_cast<std::uint16_t>(30002 + port);
        }
        return {.number = number,
                .tag = static_cast<std::uint32_t>(random_next(state) >> 32),
                .caller = link.end(0),
                .callee = link.end(1),
                .caller_media = caller_media,
                .callee_media = callee_media};
    }
    // Pauses before each message, in microseconds: rings 0.5–4.5 s, talks for 3–15 s or as long as
    // its RTP lasts.
    [[nodiscard]] std::int64_t pause_before(std::uint32_t number, std::uint32_t step) const {
        std::uint64_t state = (number * 8ULL + step + 1) * 0xd1342543de82ef95ULL;
        const auto vary = [&state](std::int64_t from, std::int64_t to) {
            return from + static_cast<std::int64_t>(random_next(state) %
                                                    static_cast<std::uint64_t>(to - from));
        };
        switch (step) {
        case 3:
            return vary(second / 2, 9 * second / 2);
        case 5:
            return std::max(vary(3 * second, 15 * second),
                            options_.rtp / 2 * packet_time + second / 10);
        default:
            return vary(1'000, 60'000);
        }
    }

    void perform(const Event& event) {
        const auto call = call_of(event.number);
        if (event.part >= first_rtp) {
            const auto n = event.part - first_rtp;
            media(event.at, call, n);
            if (n + 1 < options_.rtp) {
                // Both directions in turn, each every 20 ms.
                events_.push({event.at + (n % 2 == 0 ? 3'000 : packet_time - 3'000), event.number,
                              event.part + 1});
            }
            return;
        }
        const auto step = event.part;
        links_[event.number % links_.size()]->send(event.at, from_caller[step] ? 0 : 1,
                                                   speaker_.message(call, static_cast<int>(step)));
        if (step + 1 < steps) {
            events_.push({event.at + pause_before(event.number, step + 1), event.number, step + 1});
        }
        if (step == 4 && options_.rtp > 0) {
            events_.push({event.at + 1'000, event.number, first_rtp});
        }
    }

    void media(std::int64_t at, const Call& call, std::uint32_t n) {
        const bool there = n % 2 == 0;
        std::array<char, 172> packet{};
        const auto put = [&packet](std::size_t where, std::uint32_t value, int octets) {
            for (int i = octets - 1; i >= 0; --i, value >>= 8) {
                packet[where + static_cast<std::size_t>(i)] = static_cast<char>(value);
            }
        };
        put(0, 0x8000 | (n < 2 ? 0x80U : 0U), 2);
        put(2, call.tag + n / 2, 2);
        put(4, call.tag + n / 2 * 160, 4);
        put(8, call.tag ^ (there ? 0x1111'1111U : 0x2222'2222U), 4);
        std::memset(packet.data() + 12, 0xd5, packet.size() - 12);
        pcap_.udp(at, there ? call.caller_media : call.callee_media,
                  there ? call.callee_media : call.caller_media, {packet.data(), packet.size()});
    }

    const Options& options_;
    PcapWriter pcap_;
    Speaker speaker_;
    std::unique_ptr<Tls> tls_;
    std::vector<std::unique_ptr<Link>> links_;
    std::priority_queue<Event> events_;
};

Options read_options(int count, char** words) {
    Options options;
    const auto number = [](const std::string& text, std::uint32_t least, std::uint32_t most) {
        char* end = nullptr;
        const auto value = std::strtoul(text.c_str(), &end, 10);
        if (text.empty() || *end != '\0' || value < least || value > most) {
            stop("not a number from " + std::to_string(least) + " to " + std::to_string(most) +
                 ": " + text);
        }
        return static_cast<std::uint32_t>(value);
    };
    for (int i = 1; i < count; ++i) {
        const std::string word = words[i];
        if (word == "--one-media-address") {
            options.one_media_address = true;
            continue;
        }
        if (++i == count) {
            stop(word + " needs a value");
        }
        const std::string value = words[i];
        if (word == "--calls") {
            options.calls = number(value, 0, 100'000'000);
        } else if (word == "--conns") {
            options.connections = number(value, 1, 100'000);
        } else if (word == "--rtp") {
            options.rtp = number(value, 0, 1'000'000);
        } else if (word == "--transport" && (value == "tls" || value == "tcp" || value == "udp")) {
            options.transport = value;
        } else if (word == "--out") {
            options.out = value;
        } else if (word == "--keylog") {
            options.key_log = value;
        } else {
            stop("unknown: " + word + " " + value);
        }
    }
    if (options.out.empty()) {
        stop("--out FILE [--calls N] [--transport tls|tcp|udp] [--keylog FILE] [--conns N] "
             "[--rtp PACKETS] [--one-media-address]");
    }
    return options;
}

} // namespace

int main(int count, char** words) {
    const auto options = read_options(count, words);
    Script{options}.play();
    return 0;
}
