#include "reading.hpp"

namespace cw::test {
namespace {

void run(capture::PacketSource& source, Reading& reading) {
    capture::Decoder decoder{reading.book, reading.keys};
    while (const auto* packet = source.next()) {
        for (const auto& secrets : source.take_secrets()) {
            reading.keys.add_text(secrets, "capture");
        }
        decoder.on_packet(*packet);
    }
    decoder.finish();
    reading.packets = source.packets();
    reading.problems = source.problems();
    reading.ignored = decoder.ignored(0);
}

} // namespace

std::vector<flow::Call> Reading::calls() {
    std::vector<flow::Call> all;
    book.for_each_call([&](const flow::Call& call) {
        all.push_back(call);
        return true;
    });
    return all;
}

std::vector<flow::Connection> Reading::connections() {
    std::vector<flow::Connection> all;
    book.for_each_connection([&](const flow::Connection& connection) {
        all.push_back(connection);
        return true;
    });
    return all;
}

std::unique_ptr<Reading> read_capture(const std::string& path, const std::string& key_file,
                                      flow::MediaTap* tap) {
    auto source = capture::PacketSource::open(path, 0);
    if (!source) {
        return nullptr;
    }
    auto reading = std::make_unique<Reading>();
    if (!key_file.empty() && !reading->keys.add_file(key_file)) {
        return nullptr;
    }
    if (tap != nullptr) {
        reading->book.tap_media(*tap);
    }
    run(**source, *reading);
    return reading;
}

std::unique_ptr<Reading> read_capture(Bytes file) {
    auto source = capture::PacketSource::open_memory(file);
    if (!source) {
        return nullptr;
    }
    auto reading = std::make_unique<Reading>();
    run(**source, *reading);
    return reading;
}

} // namespace cw::test
