#include "capture/live_interface.hpp"

#include <gtest/gtest.h>

#include "capture/pcap_library.hpp"

namespace cw::capture {
namespace {

TEST(LiveInterface, LoadsLibpcapOnce) {
    const auto library = PcapLibrary::get();
    ASSERT_TRUE(library) << library.error();
    EXPECT_EQ(library, PcapLibrary::get());
    EXPECT_NE((*library)->statustostr(PCAP_ERROR_NO_SUCH_DEVICE), nullptr);
}

TEST(LiveInterface, SaysWhatIsWrongWithAFilter) {
    EXPECT_EQ(LiveInterface::fault_of_filter(""), "");
    EXPECT_EQ(LiveInterface::fault_of_filter("port 5060 or portrange 10000-20000"), "");
    EXPECT_NE(LiveInterface::fault_of_filter("port port"), "");
}

TEST(LiveInterface, NamesAnInterfaceThatIsNotThere) {
    const auto opened = LiveInterface::open("none-such", {}, 0);
    ASSERT_FALSE(opened);
    EXPECT_TRUE(opened.error().starts_with("none-such: ")) << opened.error();
}

} // namespace
} // namespace cw::capture
