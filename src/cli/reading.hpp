// The work of `read` without its printing: captures and keys in, a finished Book out.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/address.hpp"
#include "base/result.hpp"
#include "capture/packet_source.hpp"
#include "capture/secured_bodies.hpp"
#include "crypto/key_log.hpp"
#include "flow/book.hpp"
#include "flow/media_course.hpp"
#include "flow/media_tape.hpp"
#include "flow/originals.hpp"
#include "host/watch/key_follower.hpp"
#include "view/report.hpp"

namespace cw::cli {

// What went wrong with which file: "WHAT: WHERE: WHY" is for the caller to print.
struct ReadFailure {
    std::string message;
};

class Reading {
  public:
    // All files are opened before any is read, so that a wrong name costs no time.
    // A key source "unix:PATH" is a socket that `callwright keys` sends to while we read a capture
    // that goes on. Empty on success.
    std::optional<ReadFailure> open(const std::vector<std::string>& files,
                                    const std::vector<std::string>& keys);
    // Before run(): the bytes of messages are kept, too.
    void keep_originals() { keep_originals_ = true; }
    // The same, but where the files can be read a second time it is that one which keeps them, on a
    // thread of its own: calls are there sooner. It begins with gather_originals(), or when the
    // first is asked for, and who asks before it is over waits.
    void keep_originals_later() { keep_originals_ = later_ = true; }
    void gather_originals();
    // Ends it, as far as it has come.
    ~Reading() { stop_gathering(); }
    void stop_gathering();
    // Before run(): what was said is kept, too.
    void keep_media() { tape_ = std::make_unique<flow::MediaTape>(); }
    [[nodiscard]] flow::MediaTape* tape() { return tape_.get(); }
    // Before run(): how streams fare over time is noted.
    void note_media() { course_ = std::make_unique<flow::MediaCourse>(); }
    // Null unless note_media() was called.
    [[nodiscard]] const flow::MediaCourse* course() const { return course_.get(); }
    // CAs that certificates of signed bodies may end at; before run().
    std::optional<ReadFailure> trust(const std::vector<std::string>& files);
    // Revocation lists: every certificate of a signer needs one of its CA then; before run().
    std::optional<ReadFailure> check_revoked(const std::vector<std::string>& files);
    // Before run(): who looks on while it reads, some times a second, at a Book that is not
    // finished. `now` is the time of the capture. False: nothing more is read, and there is no
    // result.
    using Glance = std::function<bool(Instant now, unsigned percent)>;
    void look_on(Glance glance) { glance_ = std::move(glance); }
    [[nodiscard]] bool stopped() const { return stopped_; }
    // All of it is files, not pipes.
    [[nodiscard]] bool can_read_again() const;
    // Reads to the end. Keys that a capture brings only after the traffic they belong to are used
    // all the same: the files are then read a second time, where that is possible.
    void run();

    [[nodiscard]] flow::Book& book() { return *book_; }
    // The bytes of a message; empty when they were not kept. Valid until the next one is asked for.
    std::string_view original(const flow::Call& call, const flow::Message& message) {
        if (later_) {
            wait_for_originals();
        }
        return originals_ ? originals_->of(call, message) : std::string_view{};
    }
    [[nodiscard]] const std::vector<view::InputReport>& inputs() const { return inputs_; }
    [[nodiscard]] view::ReportCounts counts() const;
    // Out of Name Resolution Blocks.
    [[nodiscard]] const std::vector<std::pair<IpAddress, std::string>>& names() const {
        return names_;
    }
    [[nodiscard]] const std::vector<std::string>& files() const { return files_; }
    // All that were given, and those of the captures.
    [[nodiscard]] const crypto::KeyRing& keys() const { return keys_; }
    // What is wrong with key files, a line each.
    [[nodiscard]] const std::vector<std::string>& key_problems() const { return keys_.problems(); }

  private:
    std::optional<ReadFailure> open_files();
    void wait_for_originals();
    void read_originals(capture::MergedSource& source, const std::stop_token& stop);
    bool read_once();
    bool take_sent_keys();
    [[nodiscard]] unsigned percent() const;

    std::vector<std::string> files_;
    std::unique_ptr<capture::MergedSource> source_;
    crypto::KeyRing keys_;
    std::unique_ptr<host::KeyFollower> sent_keys_; // null: nobody sends any
    std::string trusted_;                          // PEM
    std::string revoked_;                          // PEM
    std::unique_ptr<capture::SecuredBodies> bodies_;
    std::unique_ptr<flow::Book> book_;
    std::unique_ptr<flow::Originals> originals_;
    std::unique_ptr<flow::MediaTape> tape_;
    std::unique_ptr<flow::MediaCourse> course_;
    std::unique_ptr<flow::MediaTap> both_; // where there are both
    Glance glance_;
    bool stopped_ = false; // by who looks on
    bool keep_originals_ = false;
    bool later_ = false; // they are kept by another reading, which is not over
    std::vector<view::InputReport> inputs_;
    std::vector<std::pair<IpAddress, std::string>> names_;
    std::thread gathering_; // last: it uses what is above
    std::stop_source stop_;
};

} // namespace cw::cli
