#include "cli/exported_calls.hpp"

#include <string>
#include <utility>

#include "base/bytes.hpp"
#include "capture/exported_message.hpp"
#include "capture/pcapng_writer.hpp"

namespace cw::cli {

ExportedCalls::ExportedCalls(view::Sink sink) : sink_(std::move(sink)) {
    std::string head;
    capture::put_section(head);
    capture::put_interface(head, capture::exported_pdu_link, "SIP messages");
    sink_(head);
}

void ExportedCalls::call(const flow::Call& call, const Original& original) {
    std::string text;
    std::string packet;
    for (const auto& message : call.messages) {
        const auto bytes = original(message);
        if (bytes.empty()) {
            ++without_;
            continue;
        }
        packet.clear();
        capture::append_exported_message(packet, message.source, message.destination,
                                         message.transport, bytes);
        capture::put_packet(text, 0, message.time, as_bytes(packet), packet.size());
    }
    sink_(text);
}

} // namespace cw::cli
