#include "net/dns.hpp"

#include <sys/time.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <optional>
#include <utility>

#include <ares.h>

#include "base/text.hpp"

namespace cw::net {
namespace {

constexpr int edns_size = 1232; // fits everywhere without fragments
constexpr std::size_t most_hosts = 10'000;

// The name first, then the type: names have no slash.
std::string key_of(std::string_view name, DnsType type) {
    return std::string{name} + '/' + std::to_string(static_cast<int>(type));
}

bool is_within(std::string_view name, std::string_view domain) {
    return name.ends_with(domain) &&
           (name.size() == domain.size() || name[name.size() - domain.size() - 1] == '.');
}

// Names that are never asked for, whatever a file or a server says of them.
std::optional<DnsAnswer> reserved(std::string_view name, DnsType type) {
    DnsAnswer answer;
    if (is_within(name, "localhost")) { // [RFC 6761 §6.3]
        answer.status = DnsAnswer::Status::NoData;
        if (type == DnsType::A || type == DnsType::Aaaa) {
            answer.status = DnsAnswer::Status::Found;
            answer.addresses.push_back(*IpAddress::parse(type == DnsType::A ? "127.0.0.1" : "::1"));
        }
        return answer;
    }
    if (is_within(name, "invalid")) { // [RFC 6761 §6.4]
        answer.status = DnsAnswer::Status::NoSuchName;
        return answer;
    }
    return std::nullopt;
}

bool library_is_ready() {
    static const bool ready = ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS;
    return ready;
}

} // namespace

// One that was asked for; several may wait for its answer.
struct Dns::Question {
    Dns* dns = nullptr; // null: nobody is interested any more
    std::string name;
    DnsType type = DnsType::A;
    std::vector<std::pair<Id, Callback>> waiting;
};

void Dns::FreeChannel::operator()(ares_channeldata* channel) const {
    ares_destroy(channel);
}

Dns::Dns(Loop& loop, const DnsSettings& settings) : loop_(loop), settings_(settings) {
    loop_.add(*this);
    if (!settings.hosts_file.empty()) {
        read_hosts(settings.hosts_file);
    }
    ares_options options{};
    options.flags = ARES_FLAG_EDNS;
    options.ednspsz = edns_size;
    options.timeout = static_cast<int>(settings.timeout.ns / 1'000'000);
    options.tries = settings.tries;
    options.sock_state_cb = [](void* self, ares_socket_t fd, int input, int output) {
        auto* dns = static_cast<Dns*>(self);
        dns->loop_.watch(*dns, fd, input != 0, output != 0);
    };
    options.sock_state_cb_data = this;
    ares_channel channel = nullptr;
    const int which = ARES_OPT_FLAGS | ARES_OPT_EDNSPSZ | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
                      ARES_OPT_SOCK_STATE_CB;
    if (library_is_ready() && ares_init_options(&channel, &options, which) == ARES_SUCCESS) {
        channel_.reset(channel);
        if (!settings.servers.empty() &&
            ares_set_servers_ports_csv(channel, settings.servers.c_str()) != ARES_SUCCESS) {
            channel_.reset(); // every question fails, rather than ask somebody else
        }
    }
}

Dns::~Dns() {
    close();
    loop_.remove(*this);
}

void Dns::close() {
    for (auto& [key, question] : questions_) {
        question->dns = nullptr;
    }
    channel_.reset(); // calls back for each question, and gives its descriptors back
    questions_.clear();
    next_ = {};
}

// "127.0.0.1 localhost other.example"
void Dns::read_hosts(const std::string& path) {
    const auto add = [this](const IpAddress& address, std::string_view text) {
        const auto name = dns_name(text);
        if (name.empty() || hosts_.size() >= most_hosts) {
            return;
        }
        // The other family is asked about in vain: the file knows the name, and says all of it.
        for (const auto type : {DnsType::A, DnsType::Aaaa}) {
            auto& answer = hosts_[key_of(name, type)];
            const bool fits = address.is_v4() == (type == DnsType::A);
            if (fits && answer.addresses.size() < most_dns_records) {
                answer.addresses.push_back(address);
            }
            answer.status =
                answer.addresses.empty() ? DnsAnswer::Status::NoData : DnsAnswer::Status::Found;
        }
    };
    std::ifstream file{path};
    for (std::string line; hosts_.size() < most_hosts && std::getline(file, line);) {
        std::string_view rest = std::string_view{line}.substr(0, line.find('#'));
        std::optional<IpAddress> address;
        for (bool first = true; !(rest = trim(rest)).empty(); first = false) {
            const auto word = rest.substr(0, rest.find_first_of(" \t"));
            rest.remove_prefix(word.size());
            if (first) {
                address = IpAddress::parse(word);
            } else if (address) {
                add(*address, word);
            }
        }
    }
}

// ---- asking

const DnsAnswer* Dns::known(const std::string& name, DnsType type) {
    const auto key = key_of(name, type);
    if (const auto at = hosts_.find(key); at != hosts_.end()) {
        return &at->second;
    }
    const auto at = cache_.find(key);
    if (at == cache_.end()) {
        return nullptr;
    }
    if (at->second.until <= Loop::now()) {
        cache_.erase(at);
        return nullptr;
    }
    return &at->second.answer;
}

Dns::Id Dns::query(std::string_view text, DnsType type, Callback callback) {
    const auto name = dns_name(text);
    if (name.empty() || channel_ == nullptr) {
        callback({});
        return 0;
    }
    if (const auto answer = reserved(name, type)) {
        callback(*answer);
        return 0;
    }
    if (const auto* answer = known(name, type); answer != nullptr) {
        callback(DnsAnswer{*answer}); // a copy: the callback may ask, and so change the cache
        return 0;
    }
    const auto key = key_of(name, type);
    const auto at = questions_.find(key);
    if (at != questions_.end()) {
        at->second->waiting.emplace_back(++last_, std::move(callback));
        return last_;
    }
    if (questions_.size() >= settings_.in_flight) {
        callback({});
        return 0;
    }
    const auto id = ++last_;
    auto& question = *(questions_[key] = std::make_unique<Question>());
    question.dns = this;
    question.name = name;
    question.type = type;
    question.waiting.emplace_back(id, std::move(callback));
    ask(question);
    look_at_clock();
    return questions_.contains(key) ? id : 0;
}

void Dns::ask(Question& question) {
    ares_query(
        channel_.get(), question.name.c_str(), 1, static_cast<int>(question.type),
        [](void* arg, int status, int, unsigned char* bytes, int size) {
            auto& q = *static_cast<Question*>(arg);
            if (q.dns == nullptr) {
                return; // its Dns is going, and it with it
            }
            DnsAnswer answer;
            if (bytes != nullptr && size > 0) {
                answer = read_dns_answer({bytes, static_cast<std::size_t>(size)}, q.name, q.type);
            } else {
                answer.silent = status == ARES_ETIMEOUT;
            }
            q.dns->answered(q, answer);
        },
        &question);
}

void Dns::answered(Question& question, const DnsAnswer& answer) {
    const auto key = key_of(question.name, question.type);
    keep(key, answer);
    const auto mine = std::move(questions_[key]);
    questions_.erase(key);
    // One at a time, and known to cancel(): a callback may cancel those behind it. Within it c-ares
    // may answer another question.
    answering_.push_back(mine.get());
    while (!mine->waiting.empty()) {
        const auto callback = std::move(mine->waiting.front().second);
        mine->waiting.erase(mine->waiting.begin());
        callback(answer);
    }
    answering_.pop_back();
}

void Dns::cancel(Id id) {
    const auto forget = [id](Question& question) {
        std::erase_if(question.waiting, [id](const auto& w) { return w.first == id; });
    };
    for (auto& [key, question] : questions_) {
        forget(*question); // the answer is still of use for the cache
    }
    std::ranges::for_each(answering_, [&](Question* question) { forget(*question); });
}

void Dns::keep(const std::string& key, const DnsAnswer& answer) {
    const auto life = answer.status == DnsAnswer::Status::Failed
                          ? settings_.failure
                          : std::min(answer.ttl, settings_.longest);
    if (life.ns <= 0 || settings_.cached == 0) {
        return;
    }
    const auto now = Loop::now();
    if (cache_.size() >= settings_.cached) {
        boost::unordered::erase_if(cache_,
                                   [now](const auto& kept) { return kept.second.until <= now; });
    }
    if (cache_.size() >= settings_.cached) {
        cache_.erase(cache_.begin()); // any: which name comes first is chance
    }
    cache_[key] = {answer, now + life};
}

// ---- c-ares

void Dns::on_ready(int fd, bool input, bool output) {
    ares_process_fd(channel_.get(), input ? fd : ARES_SOCKET_BAD, output ? fd : ARES_SOCKET_BAD);
    look_at_clock();
}

void Dns::on_deadline(Instant) {
    ares_process_fd(channel_.get(), ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    look_at_clock();
}

void Dns::look_at_clock() {
    timeval left{};
    const bool waiting =
        !questions_.empty() && ares_timeout(channel_.get(), nullptr, &left) != nullptr;
    next_ =
        waiting ? Loop::now() + seconds(left.tv_sec) + microseconds(left.tv_usec + 1) : Instant{};
}

} // namespace cw::net
