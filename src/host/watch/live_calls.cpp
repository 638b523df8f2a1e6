#include "host/watch/live_calls.hpp"

#include <algorithm>
#include <utility>

#include "base/bytes.hpp"
#include "capture/tls/suite.hpp"
#include "flow/call_record.hpp"

namespace cw::host {
namespace {

// A message that no call has by then never becomes part of one.
constexpr Duration message_kept = seconds(25 * 3600);
constexpr Duration sweep_every = seconds(3600);

void append_size(std::string& out, std::size_t size) {
    for (int shift = 24; shift >= 0; shift -= 8) {
        out += static_cast<char>(size >> shift);
    }
}

} // namespace

std::uint32_t LiveCalls::number_of(std::uint32_t key) {
    const auto [at, fresh] = number_of_.try_emplace(key, latest_ + 1);
    if (fresh) {
        key_of_.emplace(++latest_, key);
    }
    return at->second;
}

// Sizes first, then the bytes: a view into `out` is good when all of it is written.
void LiveCalls::gather(const flow::Call& call, std::string& out, Messages& messages) {
    const auto begin = out.size();
    std::vector<std::size_t> sizes;
    for (const auto& message : call.messages) {
        const auto bytes = watch_.originals().of(call, message);
        append_size(out, bytes.size());
        out += bytes;
        sizes.push_back(bytes.size());
    }
    messages.clear();
    auto at = begin;
    for (const auto size : sizes) {
        messages.push_back(std::string_view{out}.substr(at + 4, size));
        at += 4 + size;
    }
}

void LiveCalls::put_away(std::uint32_t number, const flow::Call& call, const Listener& listener) {
    std::string record;
    flow::append_record(call, record);
    std::string packed;
    append_size(packed, record.size());
    packed += record;
    Messages messages;
    gather(call, packed, messages);
    ended_.emplace(number, spool_.put(packed));
    order_.push_back(number);
    watch_.originals().forget(call);
    if (listener.ended) {
        listener.ended(number, call, messages);
    }
}

void LiveCalls::tell_joined(const Listener& listener) {
    for (const auto& joined : watch_.book().take_joined()) {
        const auto lost = number_of_.find(joined.key);
        if (lost == number_of_.end()) {
            continue; // nobody was told of it
        }
        const auto number = lost->second;
        const auto into = number_of(joined.into);
        key_of_.erase(number);
        number_of_.erase(joined.key);
        listener.gone(number, into);
    }
}

void LiveCalls::refresh(const Listener& listener) {
    const auto now = watch_.now();
    auto& book = watch_.book();
    tell_joined(listener);
    book.take_ended(now, [&](const flow::Call& call) {
        const auto number = number_of(book.key());
        number_of_.erase(book.key());
        key_of_.erase(number);
        put_away(number, call, listener);
    });
    std::size_t shown = 0;
    book.take_changed(now, [&](const flow::Call& call) {
        listener.changed(number_of(book.key()), call);
        return ++shown < limits_.at_once;
    });
    forget_oldest(listener);
    if (now - swept_ > sweep_every) {
        swept_ = now;
        watch_.originals().forget_before(now - message_kept);
    }
}

void LiveCalls::finish(const Listener& listener) {
    tell_joined(listener);
    auto& book = watch_.book();
    book.for_each_call([&](const flow::Call& call) {
        put_away(number_of(book.key()), call, listener);
        return true;
    });
    number_of_.clear();
    key_of_.clear();
}

void LiveCalls::forget_oldest(const Listener& listener) {
    if (ended_.size() <= limits_.ended && spool_.kept() <= limits_.bytes) {
        return;
    }
    // Some more than needed, so that it happens seldom.
    const auto most = limits_.ended - limits_.ended / 20;
    const auto most_bytes = limits_.bytes - limits_.bytes / 20;
    while (!order_.empty() && (ended_.size() > most || spool_.kept() > most_bytes)) {
        const auto number = order_.front();
        order_.pop_front();
        if (const auto at = ended_.find(number); at != ended_.end()) {
            spool_.drop(at->second);
            ended_.erase(at);
            listener.gone(number, 0);
        }
    }
}

void LiveCalls::forget(const std::function<bool(std::uint32_t number)>& which,
                       const Listener& listener) {
    std::erase_if(order_, [&](std::uint32_t number) {
        const auto at = ended_.find(number);
        if (at == ended_.end() || !which(number)) {
            return at == ended_.end();
        }
        spool_.drop(at->second);
        ended_.erase(at);
        listener.gone(number, 0);
        return true;
    });
}

bool LiveCalls::load_ended(flow::BlobRef blob, std::uint32_t number, const Visit& visit) {
    const std::string packed{spool_.get(blob)};
    Reader reader{as_bytes(packed)};
    const auto record = reader.take(reader.be32());
    flow::Call call;
    if (!reader.ok() || !flow::read_record(as_text(record), call, capture::tls::alert_name)) {
        return false; // the spool could not read it back
    }
    call.id = number;
    Messages messages;
    for (std::size_t i = 0; i < call.messages.size(); ++i) {
        messages.push_back(as_text(reader.take(reader.be32())));
    }
    visit(call, messages);
    return true;
}

bool LiveCalls::load(std::uint32_t number, const Visit& visit) {
    if (const auto ended = ended_.find(number); ended != ended_.end()) {
        return load_ended(ended->second, number, visit);
    }
    const auto open = key_of_.find(number);
    return open != key_of_.end() &&
           watch_.book().look(open->second, watch_.now(), [&](const flow::Call& call) {
               auto numbered = call;
               numbered.id = number;
               std::string bytes;
               Messages messages;
               gather(call, bytes, messages);
               visit(numbered, messages);
           });
}

void LiveCalls::for_each(const std::function<bool(const flow::Call& call)>& visit) {
    std::vector<std::uint32_t> numbers;
    for (const auto& [number, blob] : ended_) {
        numbers.push_back(number);
    }
    for (const auto& [number, key] : key_of_) {
        numbers.push_back(number);
    }
    std::ranges::sort(numbers);
    bool more = true;
    for (const auto number : numbers) {
        if (more) {
            load(number, [&](const flow::Call& call, const Messages&) { more = visit(call); });
        }
    }
}

} // namespace cw::host
