// Texts of literal parties: what is written out, with [keywords] in it that are filled when it is
// sent. The keywords are those of SIPp's scenarios. Values that own what they hold; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace cw::script::literal {

enum class Key : std::uint8_t {
    Service,
    RemoteIp,
    RemotePort,
    Transport,
    LocalIp,
    LocalIpType,
    LocalPort,
    MediaIp,
    MediaIpType,
    MediaPort,
    CallNumber,
    CallId,
    Cseq,
    Pid,
    Len,
    Branch,
    MsgIndex,
    ClockTick,
    Timestamp,
    Date,
    UserId,
    LastMessage,
    LastRequestUri,
    LastCseqNumber,
    LastCseqMethod,
    Last, // [last_Via:]: name is the header's
    PeerTag,
    NextUrl,
    Routes,
    Authentication, // name: what stands behind the word
    Field,          // [field0 file="x.csv"]: number, and the file's name
    Fill,           // [fill text="ab" variable="n"]: name is the text
    DynamicId,
    Variable, // [$1]
    File,     // [file name="body.xml"]
    Crypto,   // [cryptokeyparams1audio] and its kin: name
    Custom,   // given by --set
};

struct Keyword {
    Key key = Key::Custom;
    std::string name;
    std::int32_t plus = 0; // [media_port+2]
    std::string argument;  // of a field, its row: "[$n]"; of [fill], the variable
    bool operator==(const Keyword&) const = default;
};

using Piece = std::variant<std::string, Keyword>;
struct Text {
    std::vector<Piece> pieces;
    bool operator==(const Text&) const = default;
    [[nodiscard]] bool plain() const {
        return pieces.empty() ||
               (pieces.size() == 1 && std::holds_alternative<std::string>(pieces[0]));
    }
    [[nodiscard]] bool has(Key key) const;
};

// Total: brackets that hold no keyword stay as they are.
Text parse_text(std::string_view text);

} // namespace cw::script::literal
