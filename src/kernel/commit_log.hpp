// SPDX-License-Identifier: Apache-2.0
// The log that every commit goes through, and the place where its large values ("bodies") stay.
//
// Whoever commits while another group is being written joins the next one. A group is one entry:
// written and synced once, then its rows are applied to RocksDB's memory tables, which keep no log
// of their own, while the next group is being written. Bodies are read from the log for as long as
// a row holds their address: they are written once in their life, unless their segment is mostly
// dead and they are moved (log_keeper.hpp). The idea is WiscKey's (Lu et al., FAST 2016).
//
// Knows neither RocksDB nor records: rows are bytes that `apply` understands.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tarn::kernel {

// Where an entry stands, or the next one will.
struct LogPosition {
  std::uint64_t number = 1;   // entries are counted from 1, without gaps
  std::uint32_t segment = 1;  // so are segments
  std::uint32_t offset = 0;   // within the segment
  bool operator==(const LogPosition&) const = default;
};

// What stands in a row instead of its value: the value's bytes in the log.
struct BodyAddress {
  static constexpr std::size_t k_size = 21;
  std::uint32_t segment = 0;
  std::uint32_t offset = 0;
  std::uint32_t length = 0;
  std::uint64_t hash = 0;  // XXH3 of the bytes
  bool operator==(const BodyAddress&) const = default;

  void write(char* to) const;  // k_size bytes
  // Nothing if the value is a row as it is: those begin with a version, which is never 0.
  static std::optional<BodyAddress> read(std::string_view value);
};

// A value that goes to the log. Its address is written over the k_size bytes at `place` of the
// commit's rows once it is known.
struct LoggedBody {
  std::string bytes;
  std::uint64_t hash = 0;
  std::size_t place = 0;
};
LoggedBody logged_body(std::string bytes, std::size_t place);

struct LoggedCommit {
  std::string_view rows;
  std::uint32_t count = 0;  // of the rows; `apply` is told the group's sum
  std::span<const LoggedBody> bodies;
  bool durable = true;  // survives the loss of power, not only of the process. Bodies always do
};

class CommitLog {
 public:
  struct Options {
    std::filesystem::path directory;  // empty: in memory
    bool sync = true;
    std::uint32_t segment_bytes = 64 << 20;  // a segment ends behind the entry that reaches it
    std::function<void(std::string_view)> fault;
  };
  // Makes a group's rows readable, all or (throwing) none. `end` is where the next entry will be:
  // who keeps it with the rows knows from where to replay. Called by one thread at a time, in
  // order.
  using Apply =
      std::function<void(std::string_view rows, std::uint32_t count, const LogPosition& end)>;

  // Opens or creates; applies what was logged at `from` and behind it. What a crash left half
  // written is cut off. Throws StorageFailure if acknowledged entries are missing.
  CommitLog(Options options, const LogPosition& from, Apply apply);
  ~CommitLog();
  CommitLog(const CommitLog&) = delete;
  CommitLog& operator=(const CommitLog&) = delete;

  // Returns when the commit is in the log (durable, if asked) and applied. Throws StorageFailure if
  // it is neither; then all further commits are refused until `recover`.
  void append(const LoggedCommit& commit);
  // Whether all commits are refused since one failed.
  bool is_broken() const;
  // Takes commits again after a failure, once those under way have ended (false: not yet).
  // Nothing of the refused ones remains.
  bool recover();
  // Makes all durable that was appended without being.
  void sync();

  LogPosition end() const;  // behind what is applied
  // Bytes that were logged at `from` and behind it.
  std::uint64_t bytes_behind(const LogPosition& from) const;

  class Segment;
  using Segments = std::map<std::uint32_t, std::shared_ptr<Segment>>;
  // Segments that are dropped meanwhile remain readable through it.
  std::shared_ptr<const Segments> pin() const;
  // The body's bytes. Nothing if its segment is gone: the row was changed since its address was
  // read, or its body moved. Throws StorageFailure if the bytes are not those that were written.
  std::optional<std::string> read(const BodyAddress& address,
                                  const Segments* pinned = nullptr) const;

  // For who knows that the segment should be there.
  [[noreturn]] void throw_missing(std::uint32_t segment) const;

  struct SegmentInfo {
    std::uint32_t number = 0;
    std::uint64_t bytes = 0;
    bool has_bodies = true;  // also if nobody knows
  };
  // Those that are full, oldest first.
  std::vector<SegmentInfo> sealed() const;
  // Neither replayed nor read any more: removed once nobody reads it.
  void drop(std::uint32_t segment);

 private:
  struct Group;
  Segments find_segments() const;
  static bool read_head(Segment& segment, bool is_last);
  void open_directory(const LogPosition& from);
  struct EntryHead {
    std::uint64_t durable = 0;
    std::uint32_t count = 0, rows = 0, bodies = 0;
  };
  static std::optional<EntryHead> read_entry(const Segment& segment, std::uint64_t offset,
                                             std::uint64_t number, std::string& entry);
  static void require_torn(const Segment& segment, std::uint64_t offset, std::uint64_t number);
  std::uint32_t replay(Segment& segment, std::uint32_t offset, std::uint64_t limit,
                       LogPosition& next, const Apply& apply);
  bool write_groups(Group& own);
  void apply_written(const Group& own);
  bool apply_once(const Group& own);
  LogPosition write(Group& group);
  std::uint32_t lay_out(Group& group, std::uint32_t offset) const;
  void start_segment();
  void add(std::shared_ptr<Segment> segment);
  void fault(std::string_view name) const {
    if (options_.fault) options_.fault(name);
  }

  const Options options_;
  const Apply apply_;

  mutable std::mutex mutex_;                     // what follows
  std::deque<std::shared_ptr<Group>> waiting_;   // to be written
  std::vector<std::shared_ptr<Group>> written_;  // to be applied, in order
  bool writing_ = false;                         // one thread does, or was woken to
  bool applying_ = false;
  std::string broken_;  // why commits are refused
  bool apply_failed_ = false;
  LogPosition end_;                 // of what is applied
  std::vector<std::string> spare_;  // for entries

  // Belongs to who writes.
  std::shared_ptr<Segment> active_;
  std::uint64_t next_number_ = 1;
  std::uint64_t durable_ = 0;  // the last entry known to be

  mutable std::mutex segments_mutex_;  // what follows
  std::shared_ptr<const Segments> segments_ = std::make_shared<Segments>();
  std::uint32_t last_segment_ = 0;
};

}  // namespace tarn::kernel
