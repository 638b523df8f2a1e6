// What a listener would say of a stream, by the E-model [ITU-T G.107] in its short form: the
// default values of every parameter that a capture cannot show, and from the capture the codec, the
// loss and the delay. Pure functions.
#pragma once

#include <optional>
#include <string_view>

namespace cw::rtp {

// How a codec stands loss [ITU-T G.113 Appendix I].
struct CodecImpairment {
    double ie = 0;             // equipment impairment factor without loss
    std::optional<double> bpl; // packet-loss robustness factor; absent where none is published
};
// By its rtpmap name, in any case: "PCMU", "g729". Nothing for codecs without published narrow-band
// values (all wide-band ones have their own scale).
std::optional<CodecImpairment> impairment_of(std::string_view codec);

struct Reception {
    double loss = 0;      // 0 to 1, lost in the network
    double jitter_ms = 0; // mean of the RFC 3550 estimate
    double delay_ms = 0;  // one way from mouth to ear without the jitter buffer; 0 when not known
    double burst = 1;     // G.107 BurstR: 1 for loss at random, more when it comes in bursts
};

// The transmission rating R, 0 to 93.2.
double rating(const CodecImpairment& codec, const Reception& reception);
// R as a mean opinion score, 1 to 4.5 [ITU-T G.107 Annex B].
double mos_from_rating(double r);
// Both together; 0 when the model has no values for the codec, or none for loss and there was loss.
double mos(std::string_view codec, const Reception& reception);

} // namespace cw::rtp
