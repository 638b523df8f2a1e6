// The SIP messages of calls as packets of a pcapng file, decrypted, as Wireshark's "export PDUs"
// writes them: Wireshark and `read` open it without any key. What is on the wire around them is not
// there: neither TLS nor media.
#pragma once

#include <cstddef>
#include <functional>
#include <string_view>

#include "flow/call.hpp"
#include "view/report.hpp"

namespace cw::cli {

class ExportedCalls {
  public:
    // Gives the bytes of a message; empty when they are not known. Valid until asked again.
    using Original = std::function<std::string_view(const flow::Message&)>;

    explicit ExportedCalls(view::Sink sink);
    void call(const flow::Call& call, const Original& original);
    // Messages that are not in the file, since their bytes are not known.
    [[nodiscard]] std::size_t without() const { return without_; }

  private:
    view::Sink sink_;
    std::size_t without_ = 0;
};

} // namespace cw::cli
