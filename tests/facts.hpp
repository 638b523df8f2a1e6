// The table of facts about the captures in the shared test material: what tshark 4.0 and
// independent scripts say is in each.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace cw::test {

struct StreamFact {
    std::uint32_t ssrc = 0;
    std::uint64_t packets = 0;
    std::int64_t lost = 0;
    double max_jitter_ms = 0;
    std::string source;
    std::string destination;
};

struct Facts {
    std::string file; // below the captures folder
    std::uint64_t packets = 0;
    std::uint64_t sip_messages = 0; // the override where there is one: tshark erred there
    bool overridden = false;
    std::uint64_t call_ids = 0;
    std::map<std::string, std::uint64_t> requests;      // method, count
    std::map<std::string, std::uint64_t> statuses;      // status, count
    std::map<std::string, std::uint64_t> server_hellos; // "TLSv1.3 TLS_AES_256_GCM_SHA384", count
    std::vector<StreamFact> streams;
    std::string keys; // path of the key file below the captures folder; empty if none
};

// The folder with the captures; empty when the shared material is not there.
std::string captures_folder();
std::vector<Facts> read_facts();

} // namespace cw::test
