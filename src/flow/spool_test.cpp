#include "flow/spool.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace cw::flow {
namespace {

TEST(Spool, GivesBackEveryBlobFromMemoryAndFromTheFile) {
    Spool spool{1000}; // most of it goes to the file
    std::vector<BlobRef> refs;
    EXPECT_EQ(spool.get({}), "");
    for (int i = 0; i < 30'000; ++i) {
        refs.push_back(spool.put(
            std::string(static_cast<std::size_t>(i % 97 + 1), static_cast<char>('a' + i % 26))));
    }
    for (int i = 29'999; i >= 0; --i) {
        const auto blob = spool.get(refs[static_cast<std::size_t>(i)]);
        ASSERT_EQ(blob.size(), static_cast<std::size_t>(i % 97 + 1));
        ASSERT_EQ(blob.find_first_not_of(static_cast<char>('a' + i % 26)), std::string::npos) << i;
    }
}

TEST(Spool, HoldsABlobLargerThanItsMemory) {
    Spool spool{10};
    const std::string large(1'000'000, 'x');
    const auto a = spool.put("before");
    const auto b = spool.put(large);
    const auto c = spool.put("after");
    EXPECT_EQ(spool.get(b), large);
    EXPECT_EQ(spool.get(a), "before");
    EXPECT_EQ(spool.get(c), "after");
}

TEST(Spool, KeepsEverythingInMemoryWhenNoFileCanBeMade) {
    setenv("TMPDIR", "/does/not/exist", 1);
    Spool spool{10};
    const std::string large(1'000'000, 'x');
    const auto a = spool.put(large);
    const auto b = spool.put("and another one");
    unsetenv("TMPDIR");
    EXPECT_EQ(spool.get(a), large);
    EXPECT_EQ(spool.get(b), "and another one");
}

} // namespace
} // namespace cw::flow
