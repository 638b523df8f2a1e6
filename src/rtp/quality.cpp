#include "rtp/quality.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace cw::rtp {
namespace {

struct Row {
    std::string_view name;
    CodecImpairment impairment;
};

// [ITU-T G.113 (11/2007) Appendix I, tables I.1 and I.4]. G.711 with the concealment of its
// Appendix I, as every phone has some; G.729 as Annex A with VAD; G.723.1 at 6.3 kbit/s.
constexpr Row rows[] = {
    {"PCMU", {0, 25.1}},
    {"PCMA", {0, 25.1}},
    {"G729", {11, 19.0}},
    {"G723", {15, 16.1}},
    {"GSM-EFR", {5, 10.0}},
    {"GSM", {20, std::nullopt}},
    {"GSM-HR-08", {23, std::nullopt}},
    {"G726-32", {7, std::nullopt}},
    {"G728", {7, std::nullopt}},
};

// R with all parameters at their default values [ITU-T G.107 §7.7], without delay and equipment.
constexpr double default_rating = 93.2;

// The delay impairment Id of G.107 §7.4 for a path without echo, as two straight lines.
double delay_impairment(double ms) {
    return 0.024 * ms + (ms > 177.3 ? 0.11 * (ms - 177.3) : 0);
}

} // namespace

std::optional<CodecImpairment> impairment_of(std::string_view codec) {
    for (const auto& row : rows) {
        if (iequals(row.name, codec)) {
            return row.impairment;
        }
    }
    return std::nullopt;
}

double rating(const CodecImpairment& codec, const Reception& reception) {
    const double loss = std::clamp(reception.loss, 0.0, 1.0) * 100;
    double equipment = codec.ie;
    if (loss > 0 && codec.bpl) {
        // [ITU-T G.107 §7.5] Ie-eff = Ie + (95 − Ie) · Ppl / (Ppl/BurstR + Bpl)
        equipment += (95 - codec.ie) * loss / (loss / std::max(reception.burst, 1.0) + *codec.bpl);
    }
    // Note: a capture shows no jitter buffer. An adaptive one holds about twice the mean jitter.
    const double delay = std::max(reception.delay_ms, 0.0) + 2 * std::max(reception.jitter_ms, 0.0);
    return std::clamp(default_rating - delay_impairment(delay) - equipment, 0.0, default_rating);
}

double mos_from_rating(double r) {
    if (r <= 0) {
        return 1;
    }
    if (r >= 100) {
        return 4.5;
    }
    // The cubic dips below 1 for small R.
    return std::max(1.0, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6);
}

double mos(std::string_view codec, const Reception& reception) {
    const auto impairment = impairment_of(codec);
    if (!impairment || (!impairment->bpl && reception.loss > 0)) {
        return 0;
    }
    return mos_from_rating(rating(*impairment, reception));
}

} // namespace cw::rtp
