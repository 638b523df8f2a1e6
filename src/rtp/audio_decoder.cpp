#include "rtp/audio_decoder.hpp"

#include <opus/opus.h>

#include "base/text.hpp"
#include "rtp/g711.hpp"
#include "rtp/g722.hpp"

namespace cw::rtp {
namespace {

class G711 final : public AudioDecoder {
  public:
    explicit G711(Law law) : law_(law) {}
    [[nodiscard]] std::uint32_t rate() const override { return 8000; }
    void decode(Bytes payload, std::vector<std::int16_t>& out) override {
        const auto begin = out.size();
        out.resize(begin + payload.size());
        expand(law_, payload, std::span{out}.subspan(begin));
    }

  private:
    Law law_;
};

class G722 final : public AudioDecoder {
  public:
    [[nodiscard]] std::uint32_t rate() const override { return G722Decoder::rate; }
    void decode(Bytes payload, std::vector<std::int16_t>& out) override {
        const auto begin = out.size();
        out.resize(begin + 2 * payload.size());
        decoder_.decode(payload, std::span{out}.subspan(begin));
    }

  private:
    G722Decoder decoder_;
};

// [RFC 3551 §4.5.11] most significant octet first
class Linear final : public AudioDecoder {
  public:
    explicit Linear(std::uint32_t rate) : rate_(rate) {}
    [[nodiscard]] std::uint32_t rate() const override { return rate_; }
    void decode(Bytes payload, std::vector<std::int16_t>& out) override {
        for (std::size_t i = 0; i + 1 < payload.size(); i += 2) {
            out.push_back(static_cast<std::int16_t>(load_be16(payload.data() + i)));
        }
    }

  private:
    std::uint32_t rate_;
};

// [RFC 7587] Both channels of a stereo stream are mixed.
class Opus final : public AudioDecoder {
  public:
    static constexpr std::uint32_t samples_a_second = 48000;
    Opus() : decoder_(opus_decoder_create(samples_a_second, 1, nullptr)) {}
    [[nodiscard]] std::uint32_t rate() const override { return samples_a_second; }
    void decode(Bytes payload, std::vector<std::int16_t>& out) override {
        constexpr std::size_t most = samples_a_second * 120 / 1000;
        if (decoder_ == nullptr || payload.empty() || payload.size() > 65535) {
            return;
        }
        const auto begin = out.size();
        out.resize(begin + most);
        const auto got =
            opus_decode(decoder_.get(), payload.data(), static_cast<opus_int32>(payload.size()),
                        out.data() + begin, static_cast<int>(most), 0);
        out.resize(begin + (got > 0 ? static_cast<std::size_t>(got) : 0));
    }

  private:
    struct Free {
        void operator()(OpusDecoder* decoder) const { opus_decoder_destroy(decoder); }
    };
    std::unique_ptr<OpusDecoder, Free> decoder_;
};

} // namespace

std::unique_ptr<AudioDecoder> AudioDecoder::make(std::string_view encoding, std::uint32_t clock) {
    if (iequals(encoding, "PCMU") && clock == 8000) {
        return std::make_unique<G711>(Law::Mu);
    }
    if (iequals(encoding, "PCMA") && clock == 8000) {
        return std::make_unique<G711>(Law::A);
    }
    if (iequals(encoding, "G722")) {
        return std::make_unique<G722>();
    }
    if (iequals(encoding, "opus")) {
        return std::make_unique<Opus>();
    }
    if (iequals(encoding, "L16") && (clock == 8000 || clock == 16000 || clock == 48000)) {
        return std::make_unique<Linear>(clock);
    }
    return nullptr;
}

} // namespace cw::rtp
