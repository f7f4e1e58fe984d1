// SPDX-License-Identifier: Apache-2.0
#include "kernel/commit_log.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <random>
#include <set>
#include <thread>

#include <fmt/format.h>

#include "kernel/store.hpp"
#include "kernel/testing/house.hpp"

namespace tarn::kernel {
namespace {

namespace fs = std::filesystem;
using testing::TemporaryDirectory;
using Rows = std::vector<std::string>;

// A log whose rows are texts of equal length; what was applied is kept as one text per row.
class Log {
 public:
  static constexpr std::size_t k_row = 32;
  explicit Log(fs::path directory, LogPosition from = {}, std::uint32_t segment_bytes = 64 << 20,
               std::function<void(std::string_view)> fault = {}) {
    CommitLog::Options options;
    options.directory = std::move(directory);
    options.segment_bytes = segment_bytes;
    options.fault = std::move(fault);
    log_ = std::make_unique<CommitLog>(
        std::move(options), from,
        [this](std::string_view rows, std::uint32_t count, const LogPosition& end) {
          EXPECT_EQ(rows.size(), count * k_row);
          for (std::uint32_t i = 0; i < count; ++i)
            applied.emplace_back(rows.substr(i * k_row, k_row));
          ends.push_back(end);
        });
  }
  CommitLog* operator->() { return log_.get(); }
  void append(std::string row, bool durable = true) {
    row.resize(k_row, '.');
    log_->append({row, 1, {}, durable});
  }
  // Returns where it is.
  BodyAddress append_body(const std::string& bytes) {
    const std::string row(k_row, '.');
    const LoggedBody body = logged_body(bytes, k_row - BodyAddress::k_size);
    log_->append({row, 1, {&body, 1}, true});
    return *address(applied.back());
  }
  static std::optional<BodyAddress> address(const std::string& row) {
    return BodyAddress::read(std::string_view(row).substr(k_row - BodyAddress::k_size));
  }
  Rows rows() const {
    Rows out;
    for (const auto& row : applied) out.push_back(row.substr(0, row.find('.')));
    return out;
  }

  std::vector<std::string> applied;
  std::vector<LogPosition> ends;

 private:
  std::unique_ptr<CommitLog> log_;
};

std::vector<fs::path> files(const fs::path& directory) {
  std::vector<fs::path> out;
  for (const auto& file : fs::directory_iterator(directory)) out.push_back(file.path());
  std::sort(out.begin(), out.end());
  return out;
}

void flip(const fs::path& file, std::uint64_t offset) {
  std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
  bytes.seekg(static_cast<std::streamoff>(offset));
  const char old = static_cast<char>(bytes.get());
  bytes.seekp(static_cast<std::streamoff>(offset));
  bytes.put(static_cast<char>(old ^ 0x55));
}

std::string refusal(const std::function<void()>& action) {
  try {
    action();
  } catch (const StorageFailure& failure) {
    return failure.what();
  }
  return "";
}

TEST(CommitLog, AppliesInOrderAndReplaysFromWhereItIsAsked) {
  TemporaryDirectory directory;
  std::vector<LogPosition> ends;
  {
    Log log(directory.path());
    for (const char* row : {"a", "b", "c"}) log.append(row);
    EXPECT_EQ(log.rows(), (Rows{"a", "b", "c"}));
    ends = log.ends;
    EXPECT_EQ(log->end(), ends.back());
    EXPECT_EQ(ends.back().number, 4U);
  }
  EXPECT_EQ(Log(directory.path()).rows(), (Rows{"a", "b", "c"}));
  EXPECT_EQ(Log(directory.path(), ends[0]).rows(), (Rows{"b", "c"}));
  Log log(directory.path(), ends[2]);
  EXPECT_EQ(log.rows(), Rows{});
  log.append("d");
  EXPECT_EQ(Log(directory.path(), ends[1]).rows(), (Rows{"c", "d"}));
  EXPECT_EQ(files(directory.path()).size(), 1U);  // a start is no reason for a segment more
}

TEST(CommitLog, ABodyIsFoundByTheAddressThatItsRowGot) {
  TemporaryDirectory directory;
  const std::string first(5000, 'x'), second(100'000, 'y');
  BodyAddress one, two;
  {
    Log log(directory.path());
    one = log.append_body(first);
    two = log.append_body(second);
    EXPECT_EQ(log->read(one), first);
    EXPECT_EQ(log->read(two), second);
  }
  Log log(directory.path());
  EXPECT_EQ(Log::address(log.applied[1]), two);
  EXPECT_EQ(log->read(one), first);
  flip(files(directory.path())[0], two.offset + 77'777);
  EXPECT_EQ(log->read(one), first);
  EXPECT_NE(refusal([&] { log->read(two); }).find("not those that were written"),
            std::string::npos);
}

TEST(CommitLog, ATornEndIsCutOffWhereverItIs) {
  TemporaryDirectory original;
  std::uint64_t begin = 0;
  {
    Log log(original.path());
    log.append("a");
    begin = log->end().offset;
    log.append_body(std::string(60, 'b'));
  }
  const fs::path file = files(original.path())[0];
  const std::uint64_t end = fs::file_size(file);
  ASSERT_GT(end, begin + 60);
  for (std::uint64_t at = begin; at < end; ++at) {
    for (const bool torn : {true, false}) {
      TemporaryDirectory copy;
      const fs::path other = copy.path() / file.filename();
      fs::copy_file(file, other);
      torn ? fs::resize_file(other, at) : flip(other, at);
      {
        Log log(copy.path());
        EXPECT_EQ(log.rows(), Rows{"a"}) << at;
        log.append("c");
      }
      EXPECT_EQ(Log(copy.path()).rows(), (Rows{"a", "c"})) << at;
    }
  }
}

TEST(CommitLog, DamageBeforeWhatIsKnownToBeDurableIsNotTakenForATornEnd) {
  TemporaryDirectory directory;
  std::uint64_t second = 0;
  {
    Log log(directory.path());
    log.append("a");
    second = log->end().offset;
    log.append("b");
    log.append("c");
  }
  flip(files(directory.path())[0], second + 50);
  EXPECT_EQ(refusal([&] { Log log(directory.path()); }),
            fmt::format("{} is damaged at offset {}: entry 2 was durable and is not readable any "
                        "more: restore the data directory from a copy",
                        files(directory.path())[0].string(), second));
}

TEST(CommitLog, WhatWasNotAskedToBeDurableMayBeMissingBeforeAnUnacknowledgedEnd) {
  TemporaryDirectory directory;
  std::uint64_t second = 0;
  {
    Log log(directory.path());
    log.append("a");
    second = log->end().offset;
    log.append("b", false);
    log.append("c", false);
  }
  flip(files(directory.path())[0], second + 50);  // the power failed, pages came in any order
  EXPECT_EQ(Log(directory.path()).rows(), Rows{"a"});
}

TEST(CommitLog, SegmentsFollowEachOther) {
  TemporaryDirectory directory;
  std::vector<LogPosition> ends;
  Rows expected;
  {
    Log log(directory.path(), {}, 300);
    for (int i = 0; i < 20; ++i) {
      log.append(std::to_string(i));
      expected.push_back(std::to_string(i));
    }
    EXPECT_GT(log->sealed().size(), 3U);
    ends = log.ends;
  }
  EXPECT_GT(files(directory.path()).size(), 4U);
  EXPECT_EQ(Log(directory.path(), {}, 300).rows(), expected);
  for (std::size_t i = 0; i < ends.size(); ++i) {
    const Rows rest(expected.begin() + static_cast<std::ptrdiff_t>(i) + 1, expected.end());
    EXPECT_EQ(Log(directory.path(), ends[i], 300).rows(), rest);
  }
  const fs::path lost = files(directory.path())[2];
  fs::remove(lost);
  const std::string why = refusal([&] { Log log(directory.path(), {}, 300); });
  EXPECT_NE(why.find("was not found before it"), std::string::npos) << why;
}

TEST(CommitLog, ASegmentWithADamagedBeginningOrNoneAtAllIsMissed) {
  TemporaryDirectory directory;
  LogPosition first;
  {
    Log log(directory.path());
    log.append("a");
    first = log->end();
    log.append("b");
  }
  const fs::path file = files(directory.path())[0];
  flip(file, 10);
  EXPECT_EQ(refusal([&] { Log log(directory.path()); }),
            file.string() + " is damaged at its beginning: restore the data directory from a copy");
  EXPECT_TRUE(fs::exists(file));
  flip(file, 10);
  EXPECT_EQ(Log(directory.path(), first).rows(), Rows{"b"});
  fs::remove(file);
  EXPECT_EQ(refusal([&] { Log log(directory.path(), first); }),
            file.string() + " is missing: restore the data directory from a copy");
}

TEST(CommitLog, ASegmentThatWasNotBegunIsBegunAnew) {
  TemporaryDirectory directory;
  Log(directory.path()).append("a");
  std::ofstream(directory.path() / "00000002.log") << std::string(100, '\0');
  { Log(directory.path()).append("b"); }
  EXPECT_EQ(Log(directory.path()).rows(), (Rows{"a", "b"}));
}

TEST(CommitLog, ANewerFormatIsRefused) {
  TemporaryDirectory directory;
  Log(directory.path()).append("a");
  std::string head(24, '\0');
  std::fstream bytes(files(directory.path())[0], std::ios::in | std::ios::out | std::ios::binary);
  bytes.read(head.data(), 24);
  head[7] = 2;
  const std::uint64_t hash = logged_body(head, 0).hash;
  bytes.seekp(0);
  bytes.write(head.data(), 24);
  bytes.write(reinterpret_cast<const char*>(&hash), 8);
  bytes.close();
  EXPECT_THROW(Log(directory.path()), StoreTooNew);
}

TEST(CommitLog, AStartBehindTheEndGoesOnInASegmentOfItsOwn) {
  TemporaryDirectory directory;
  Log(directory.path()).append("a");
  // RocksDB had rows of entries 2 to 9 on disk before the power failed; the log had not.
  const LogPosition beyond{10, 1, 1'000'000};
  {
    Log log(directory.path(), beyond);
    EXPECT_EQ(log.rows(), Rows{});
    log.append("b");
  }
  EXPECT_EQ(Log(directory.path(), beyond).rows(), Rows{"b"});
}

TEST(CommitLog, InMemoryItDoesTheSame) {
  Log log({}, {}, 300);
  const BodyAddress address = log.append_body(std::string(500, 'b'));
  for (int i = 0; i < 10; ++i) log.append(std::to_string(i));
  EXPECT_GT(log->sealed().size(), 1U);
  EXPECT_EQ(log->read(address), std::string(500, 'b'));
}

TEST(CommitLog, ADroppedSegmentIsReadableForWhoPinnedItAndThenGone) {
  TemporaryDirectory directory;
  Log log(directory.path(), {}, 300);
  const BodyAddress address = log.append_body(std::string(500, 'b'));
  log.append("a");
  const fs::path file = files(directory.path())[0];
  ASSERT_EQ(log->sealed().at(0).number, address.segment);
  EXPECT_TRUE(log->sealed().at(0).has_bodies);
  auto pinned = log->pin();
  log->drop(address.segment);
  EXPECT_EQ(log->read(address, pinned.get()), std::string(500, 'b'));
  EXPECT_FALSE(log->read(address));
  EXPECT_TRUE(fs::exists(file));
  pinned.reset();
  EXPECT_FALSE(fs::exists(file));
}

class CommitLogFails : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(At, CommitLogFails,
                         ::testing::Values("log.before-segment", "log.before-sync",
                                           "log.after-sync", "log.before-apply"),
                         [](const auto& info) {
                           std::string name = info.param;
                           for (char& c : name) {
                             if (c == '.' || c == '-') c = '_';
                           }
                           return name;
                         });

TEST_P(CommitLogFails, ARefusedCommitLeavesNothingAndTheLogGoesOn) {
  TemporaryDirectory directory;
  // One entry in each segment, or a few.
  const std::uint32_t segment = GetParam() == std::string("log.before-segment") ? 40 : 150;
  bool broken = false;
  const auto fault = [&](std::string_view name) {
    if (broken && name == GetParam()) throw StorageFailure("no room");
  };
  Rows expected;
  fs::path kept_from;
  TemporaryDirectory kept;
  {
    Log log(directory.path(), {}, segment, fault);
    for (int i = 0; i < 12; ++i) {
      if (i % 4 == 3) {
        broken = true;
        EXPECT_EQ(refusal([&] { log.append("refused"); }), "no room");
        EXPECT_EQ(refusal([&] { log.append("refused too"); }), "no room");
        broken = false;
        if (kept_from.empty()) {
          kept_from = files(directory.path()).back();
          fs::copy_file(kept_from, kept.path() / kept_from.filename());
        }
        EXPECT_TRUE(log->recover());
        EXPECT_TRUE(log->recover());  // twice is as good as once
      }
      log.append(std::to_string(i));
      expected.push_back(std::to_string(i));
    }
    EXPECT_EQ(log.rows(), expected);
  }
  EXPECT_EQ(Log(directory.path(), {}, segment).rows(), expected);
  // The same if the disk did not even let the refused entry be cut off.
  fs::copy_file(kept.path() / kept_from.filename(), kept_from,
                fs::copy_options::overwrite_existing);
  EXPECT_EQ(Log(directory.path(), {}, segment).rows(), expected);
}

TEST(CommitLog, UnderLoadAFailedDiskLosesNothingAcknowledgedAndKeepsNothingRefused) {
  TemporaryDirectory directory;
  constexpr int k_threads = 12;
  std::atomic<int> steps{0};
  const auto fault = [&](std::string_view) {
    if (++steps % 17 == 0) throw StorageFailure("no room");
  };
  std::mutex mutex;
  std::set<std::string> acknowledged;
  std::atomic<int> refused{0};
  {
    Log log(directory.path(), {}, 4000, fault);
    std::vector<std::thread> writers;
    for (int t = 0; t < k_threads; ++t) {
      writers.emplace_back([&, t] {
        for (int i = 0; i < 150; ++i) {
          const std::string row = fmt::format("{}-{}", t, i);
          try {
            log.append(row, i % 3 != 0);
            std::lock_guard lock(mutex);
            acknowledged.insert(row);
          } catch (const StorageFailure&) {
            ++refused;
            while (!log->recover()) std::this_thread::yield();
          }
        }
      });
    }
    for (auto& writer : writers) writer.join();
    const Rows rows = log.rows();
    EXPECT_EQ(std::set<std::string>(rows.begin(), rows.end()), acknowledged);
    EXPECT_EQ(rows.size(), acknowledged.size());
    while (!log->recover()) std::this_thread::yield();
  }
  EXPECT_GT(refused, 3);
  EXPECT_GT(acknowledged.size(), 100U);
  const Rows rows = Log(directory.path(), {}, 4000).rows();
  EXPECT_EQ(rows.size(), acknowledged.size());
  EXPECT_EQ(std::set<std::string>(rows.begin(), rows.end()), acknowledged);
}

TEST(CommitLog, ManyWritersShareGroupsAndEachIsAppliedOnceInTheOrderOfTheLog) {
  TemporaryDirectory directory;
  Rows applied;
  {
    Log log(directory.path(), {}, 20'000);
    std::vector<std::thread> writers;
    for (int t = 0; t < 16; ++t) {
      writers.emplace_back([&, t] {
        for (int i = 0; i < 100; ++i) log.append(fmt::format("{}-{}", t, i));
      });
    }
    for (auto& writer : writers) writer.join();
    applied = log.rows();
    EXPECT_EQ(std::set<std::string>(applied.begin(), applied.end()).size(), 1600U);
    EXPECT_LT(log->end().number, 1601U);
  }
  EXPECT_EQ(Log(directory.path(), {}, 20'000).rows(), applied);
}

TEST(CommitLog, ATransactionBeyondTheLimitIsRefusedAlone) {
  Log log(fs::path{});
  const LoggedBody body{std::string((1ULL << 31) + 1, '\0'), 0, 0};
  const std::string row(Log::k_row, '.');
  EXPECT_EQ(refusal([&] {
              log->append({row, 1, {&body, 1}, true});
            }),
            "a transaction of 2147483681 bytes is too large");
  log.append("a");
  EXPECT_EQ(log.rows(), Rows{"a"});
}

}  // namespace
}  // namespace tarn::kernel
