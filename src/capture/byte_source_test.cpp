#include "capture/byte_source.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "capture/test_frames.hpp"

namespace cw::capture {
namespace {

using made::Octets;
using made::operator+;

Octets gzip(const Octets& plain) {
    Octets out(compressBound(plain.size()) + 64);
    z_stream stream{};
    deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
    stream.next_in = const_cast<std::uint8_t*>(plain.data());
    stream.avail_in = static_cast<uInt>(plain.size());
    stream.next_out = out.data();
    stream.avail_out = static_cast<uInt>(out.size());
    EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    return out;
}
Octets zstd(const Octets& plain) {
    auto* context = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1); // as the zstd program does
    Octets out(ZSTD_compressBound(plain.size()));
    out.resize(ZSTD_compress2(context, out.data(), out.size(), plain.data(), plain.size()));
    ZSTD_freeCCtx(context);
    return out;
}
Octets numbers(std::size_t n) {
    Octets out(n);
    std::uint32_t x = 1;
    std::ranges::generate(out, [&x] {
        x = x * 1664525 + 1013904223;
        return static_cast<std::uint8_t>((x >> 24) & 0x0f); // compressible, not trivial
    });
    return out;
}
Octets read_all(ByteSource& source, std::size_t step) {
    Octets all;
    for (;;) {
        const auto some = source.peek(step);
        if (some.empty()) {
            return all;
        }
        const auto n = std::min(step, some.size());
        all.insert(all.end(), some.begin(), some.begin() + static_cast<std::ptrdiff_t>(n));
        source.consume(n);
    }
}

TEST(ByteSource, GivesTheSameBytesPlainAndCompressed) {
    const auto plain = numbers(1'000'000);
    for (const auto& file : {plain, gzip(plain), zstd(plain)}) {
        for (const std::size_t step : {999U, 70'000U, 300'000U}) {
            auto source = ByteSource::from_memory(file);
            ASSERT_TRUE(source);
            EXPECT_EQ(read_all(**source, step), plain);
            EXPECT_EQ((*source)->problem(), "");
            EXPECT_EQ((*source)->offset(), plain.size());
            EXPECT_EQ((*source)->file_bytes_read(), file.size());
            EXPECT_EQ((*source)->file_size(), file.size());
        }
    }
}

TEST(ByteSource, ReadsMembersOneAfterTheOther) {
    const auto a = numbers(300'000);
    const auto b = numbers(5);
    for (const auto& file :
         {gzip(a) + gzip({}) + gzip(b), gzip(a) + gzip(b) + made::zeros(512), zstd(a) + zstd(b)}) {
        auto source = ByteSource::from_memory(file);
        ASSERT_TRUE(source);
        EXPECT_EQ(read_all(**source, 1000), a + b);
        EXPECT_EQ((*source)->problem(), "");
    }
}

TEST(ByteSource, CutCompressedFilesGiveWhatTheyHold) {
    const auto plain = numbers(400'000);
    for (auto file : {gzip(plain), zstd(plain)}) {
        file.resize(file.size() / 2);
        auto source = ByteSource::from_memory(file);
        ASSERT_TRUE(source);
        const auto got = read_all(**source, 1000);
        EXPECT_GT(got.size(), 50'000U);
        EXPECT_TRUE(std::equal(got.begin(), got.end(), plain.begin()));
        EXPECT_TRUE((*source)->problem().ends_with("data is cut")) << (*source)->problem();
    }
}

TEST(ByteSource, DamagedCompressedFilesSaySo) {
    const auto plain = numbers(400'000);
    for (auto file : {gzip(plain), zstd(plain)}) {
        for (std::size_t i = 0; i < 200; ++i) {
            file[file.size() / 2 + i] ^= 0x55;
        }
        auto source = ByteSource::from_memory(file);
        ASSERT_TRUE(source);
        EXPECT_LE(read_all(**source, 1000).size(), plain.size());
        EXPECT_TRUE((*source)->problem().contains("data is damaged")) << (*source)->problem();
    }
}

TEST(ByteSource, SkipsOverBlocks) {
    const auto plain = numbers(1'000'000);
    auto source = ByteSource::from_memory(plain);
    ASSERT_TRUE(source);
    EXPECT_TRUE((*source)->skip(999'990));
    EXPECT_EQ((*source)->peek(100).size(), 10U);
    EXPECT_FALSE((*source)->skip(11));
}

TEST(ByteSource, RefusesWhatCannotBeRead) {
    const auto code = [](const std::string& path) {
        const auto source = ByteSource::open(path);
        return source ? Code::Usage : source.error().code;
    };
    EXPECT_EQ(code("/no/such/file"), Code::NotFound);
    EXPECT_EQ(code("/tmp"), Code::CannotRead);
    EXPECT_EQ(code("/dev/null"), Code::NotACapture);
    EXPECT_EQ(ByteSource::from_memory({}).error().code, Code::NotACapture);
    const auto nothing = gzip({});
    EXPECT_EQ(ByteSource::from_memory(nothing).error().code, Code::NotACapture);
}

TEST(ByteSource, ReadsAFileByItsPath) {
    const auto path =
        std::filesystem::temp_directory_path() / ("byte_source_test_" + std::to_string(::getpid()));
    const auto plain = numbers(300'000);
    std::ofstream{path, std::ios::binary} << as_text(plain);
    auto source = ByteSource::open(path.string());
    std::filesystem::remove(path);
    ASSERT_TRUE(source);
    EXPECT_EQ(read_all(**source, 4096), plain);
    EXPECT_EQ((*source)->file_size(), plain.size());
}

} // namespace
} // namespace cw::capture
