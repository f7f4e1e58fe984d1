// SPDX-License-Identifier: Apache-2.0
#include "kernel/commit_log.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fmt/format.h>
#include <xxhash.h>

#include "base/log.hpp"
#include "base/strings.hpp"
#include "kernel/store.hpp"
#include "kernel/sync_path.hpp"

namespace tarn::kernel {
namespace {

// docs/formats/store.md describes both heads. All numbers are little-endian.
constexpr std::string_view k_magic("TARNLOG\x01", 8);
constexpr std::uint32_t k_segment_head = 32;  // magic, first number, segment, 0, hash
// Hash of the rest, number, the last number known to be durable, count of rows, rows' and bodies'
// bytes, 0.
constexpr std::uint32_t k_entry_head = 40;
constexpr std::size_t k_group_bytes_max = 8 << 20;
constexpr std::size_t k_commit_bytes_max = 1ULL << 31;
constexpr std::uint64_t k_allocate_ahead = 4 << 20;
constexpr std::size_t k_spare_bytes_max = 1 << 20;
constexpr std::size_t k_spares = 3;
constexpr std::string_view k_restore = "restore the data directory from a copy";
constexpr int k_groups_by_one = 8;

template <class T>
void store_number(char* to, T number) {
  for (std::size_t i = 0; i < sizeof(T); ++i) to[i] = static_cast<char>(number >> (8 * i));
}
template <class T>
T load_number(const char* from) {
  T number = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    number |= static_cast<T>(static_cast<unsigned char>(from[i])) << (8 * i);
  }
  return number;
}

std::uint64_t hash_of(std::string_view bytes, std::uint64_t seed = 0) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

std::string file_name(std::uint32_t segment) { return fmt::format("{:08}.log", segment); }

}  // namespace

void BodyAddress::write(char* to) const {
  to[0] = 0;
  store_number(to + 1, segment);
  store_number(to + 5, offset);
  store_number(to + 9, length);
  store_number(to + 13, hash);
}

std::optional<BodyAddress> BodyAddress::read(std::string_view value) {
  if (value.size() != k_size || value[0] != 0) return std::nullopt;
  const char* from = value.data();
  return BodyAddress{load_number<std::uint32_t>(from + 1), load_number<std::uint32_t>(from + 5),
                     load_number<std::uint32_t>(from + 9), load_number<std::uint64_t>(from + 13)};
}

LoggedBody logged_body(std::string bytes, std::size_t place) {
  const std::uint64_t hash = hash_of(bytes);
  return {std::move(bytes), hash, place};
}

// One file of the log. Removed, if it was dropped, when the last who holds it lets go.
class CommitLog::Segment {
 public:
  // In memory if `path` is empty.
  Segment(std::filesystem::path path, std::uint32_t number, bool create)
      : number(number),
        path_(std::move(path)) {
    const int flags = O_RDWR | O_CLOEXEC | (create ? O_CREAT | O_EXCL : 0);
    file_ = path_.empty() ? ::memfd_create("tarn-log", MFD_CLOEXEC)
                          : ::open(path_.c_str(), flags, 0600);
    if (file_ < 0) fail(create ? "create" : "open");
    struct stat info {};
    if (::fstat(file_, &info) != 0) fail("look at");
    size = static_cast<std::uint64_t>(info.st_size);
    allocated_ = size;
  }
  Segment(const Segment&) = delete;
  Segment& operator=(const Segment&) = delete;
  ~Segment() {
    ::close(file_);
    if (dropped && !path_.empty()) ::unlink(path_.c_str());
  }

  void write(std::string_view bytes, std::uint64_t offset) {
    // Blocks that are there already make the sync behind the write cheaper. Who cannot, need not.
    if (const auto end = offset + bytes.size(); end > allocated_ && !path_.empty()) {
      const auto more = end - allocated_ + k_allocate_ahead;
      ::fallocate(file_, FALLOC_FL_KEEP_SIZE, static_cast<off_t>(allocated_),
                  static_cast<off_t>(more));
      allocated_ += more;
    }
    unsynced_.store(true, std::memory_order_release);
    while (!bytes.empty()) {
      const auto written = ::pwrite(file_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) fail("write");
      bytes.remove_prefix(static_cast<std::size_t>(written));
      offset += static_cast<std::uint64_t>(written);
    }
  }
  // The number of bytes that were there.
  std::size_t read(char* to, std::size_t count, std::uint64_t offset) const {
    std::size_t done = 0;
    while (done < count) {
      const auto got = ::pread(file_, to + done, count - done, static_cast<off_t>(offset + done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) fail("read");
      if (got == 0) break;
      done += static_cast<std::size_t>(got);
    }
    return done;
  }
  bool unsynced() const { return unsynced_.load(std::memory_order_acquire); }
  void sync() {
    if (path_.empty()) return;
    if (::fdatasync(file_) != 0) fail("sync");
    unsynced_.store(false, std::memory_order_release);
  }
  // Also gives back what was allocated ahead.
  void cut(std::uint64_t end) {
    if (::ftruncate(file_, static_cast<off_t>(end)) != 0) fail("cut");
    size = allocated_ = end;
    unsynced_.store(true, std::memory_order_release);
  }
  std::string name() const { return path_.empty() ? "the log in memory" : path_.string(); }

  const std::uint32_t number;
  std::uint64_t first = 0;             // entry
  std::atomic<std::uint64_t> size{0};  // up to the end of the last entry
  std::atomic<bool> has_bodies{true};
  std::atomic<bool> sealed{false};
  std::atomic<bool> dropped{false};

 private:
  [[noreturn]] void fail(const char* doing) const {
    throw StorageFailure(fmt::format("cannot {} {}: {}", doing, name(), strerror(errno)));
  }
  const std::filesystem::path path_;
  int file_ = -1;
  std::uint64_t allocated_ = 0;
  std::atomic<bool> unsynced_{false};
};

// Commits that are written and applied as one. Their threads sleep on one word, so that one call
// wakes them all; the first of them is also woken to do something for all.
struct CommitLog::Group {
  enum State : std::uint32_t { k_write = 1, k_apply = 2, k_over = 4 };
  void tell(State state) {
    this->state.fetch_or(state, std::memory_order_release);
    const bool all = state == k_over;
    ::syscall(SYS_futex, &this->state, FUTEX_WAKE_BITSET_PRIVATE,
              all ? std::numeric_limits<int>::max() : 1, nullptr, nullptr,
              all ? k_first | k_rest : k_first);
  }
  // What it was told; the first of a group may be told several things, the others that it is over.
  std::uint32_t await(bool first) {
    while (true) {
      const std::uint32_t now = state.load(std::memory_order_acquire);
      if (first ? now != 0 : (now & k_over) != 0) return now;
      ::syscall(SYS_futex, &state, FUTEX_WAIT_BITSET_PRIVATE, now, nullptr, nullptr,
                first ? k_first : k_rest);
    }
  }
  void forget(State told) { state.fetch_and(~told, std::memory_order_relaxed); }

  bool first_writes = false;  // the first is awake, writing this group or later ones
  std::vector<const LoggedCommit*> commits;
  std::size_t bytes = 0;                          // of rows and bodies
  std::uint32_t rows = 0, count = 0, bodies = 0;  // bytes, rows, bytes
  bool durable = false;
  std::string entry;
  LogPosition end;
  std::string error;  // the outcome

 private:
  static constexpr std::uint32_t k_first = 1, k_rest = 2;
  std::atomic<std::uint32_t> state{0};
};

CommitLog::CommitLog(Options options, const LogPosition& from, Apply apply)
    : options_(std::move(options)),
      apply_(std::move(apply)),
      end_(from) {
  next_number_ = from.number;
  if (!options_.directory.empty()) open_directory(from);
}

CommitLog::~CommitLog() {
  if (!active_ || options_.directory.empty() || !broken_.empty()) return;
  try {
    active_->cut(active_->size);
    if (options_.sync) active_->sync();
  } catch (const StorageFailure& failure) {
    log::warning("store", "at the end: {}", failure.what());
  }
}

CommitLog::Segments CommitLog::find_segments() const {
  namespace fs = std::filesystem;
  std::error_code error;
  if (fs::create_directories(options_.directory, error)) {
    sync_path(options_.directory.parent_path());
  }
  if (error) {
    throw StorageFailure(
        fmt::format("cannot create {}: {}", options_.directory.string(), error.message()));
  }
  Segments found;
  for (const auto& file : fs::directory_iterator(options_.directory)) {
    const std::string name = file.path().filename().string();
    const auto number = parse_int(name.substr(0, name.find('.')));
    if (!number || *number < 1 || *number > std::numeric_limits<std::uint32_t>::max() ||
        name != file_name(static_cast<std::uint32_t>(*number))) {
      continue;  // what does not look like ours is left alone
    }
    const auto segment = static_cast<std::uint32_t>(*number);
    found.emplace(segment, std::make_shared<Segment>(file.path(), segment, false));
  }
  return found;
}

// Whether the segment has one: the last may have ended before its first entry was durable.
bool CommitLog::read_head(Segment& segment, bool is_last) {
  char head[k_segment_head];
  const bool whole = segment.read(head, sizeof head, 0) == sizeof head &&
                     load_number<std::uint64_t>(head + 24) == hash_of({head, 24});
  if (whole) {
    if (std::string_view(head, 7) != k_magic.substr(0, 7)) {
      throw StorageFailure(fmt::format("{} is no segment of a log", segment.name()));
    }
    if (head[7] != k_magic[7]) {
      throw StoreTooNew(fmt::format("{} has log format {}, this tarn reads up to {}",
                                    segment.name(), int{head[7]}, int{k_magic[7]}));
    }
    segment.first = load_number<std::uint64_t>(head + 8);
    segment.sealed = true;
    return true;
  }
  char entry[k_entry_head];
  std::string bytes;
  const bool begun =
      segment.read(entry, sizeof entry, k_segment_head) == sizeof entry &&
      read_entry(segment, k_segment_head, load_number<std::uint64_t>(entry + 8), bytes);
  if (begun || !is_last) {
    throw StorageFailure(
        fmt::format("{} is damaged at its beginning: {}", segment.name(), k_restore));
  }
  segment.dropped = true;
  return false;
}

void CommitLog::open_directory(const LogPosition& from) {
  Segments found = find_segments();
  if (from.offset > 0 && !found.contains(from.segment)) {
    throw_missing(from.segment);
  }
  last_segment_ = found.empty() ? 0 : found.rbegin()->first;
  for (auto at = found.begin(); at != found.end();) {
    if (read_head(*at->second, std::next(at) == found.end())) {
      add(at->second);
      ++at;
    } else {
      at = found.erase(at);
    }
  }
  // Entries that a later segment begins again were refused: a failed disk, see `recover`.
  std::map<std::uint32_t, std::uint64_t> limits;
  std::uint64_t limit = std::numeric_limits<std::uint64_t>::max();
  for (auto at = found.rbegin(); at != found.rend(); ++at) {
    limits[at->first] = limit;
    limit = std::min(limit, at->second->first);
  }
  LogPosition next = from;
  bool at_end = false;  // whether `next` is the end of the last segment
  for (auto& [number, segment] : found) {
    if (number < from.segment) continue;
    if (segment->first > next.number) {
      throw StorageFailure(
          fmt::format("{} begins with entry {}, but {} was not found before it: {}",
                      segment->name(), segment->first, next.number, k_restore));
    }
    const bool is_first = number == from.segment && from.offset > 0;
    // Behind the end: what was lost with the machine was not acknowledged as durable.
    const bool is_beyond = is_first && from.offset > segment->size;
    const std::uint32_t offset = is_first ? from.offset : k_segment_head;
    at_end = !is_beyond;
    if (is_beyond) continue;
    const std::uint64_t size = replay(*segment, offset, limits[number], next, apply_);
    segment->size = size;
    next.segment = number;
    next.offset = static_cast<std::uint32_t>(size);
  }
  end_ = next;
  next_number_ = next.number;
  durable_ = from.number - 1;  // not more than what RocksDB has
  if (!at_end || next.segment != last_segment_ || next.offset >= options_.segment_bytes) return;
  // Goes on where the last life ended: no segment more for each start.
  active_ = found.at(next.segment);
  active_->sealed = false;
  active_->cut(next.offset);
}

// Applies what is whole and below `limit`. Returns where that ends.
std::uint32_t CommitLog::replay(Segment& segment, std::uint32_t offset, std::uint64_t limit,
                                LogPosition& next, const Apply& apply) {
  std::string entry;
  while (next.number < limit) {
    const auto head = read_entry(segment, offset, next.number, entry);
    if (!head) break;
    offset += static_cast<std::uint32_t>(entry.size());
    next = {next.number + 1, segment.number, offset};
    apply(std::string_view(entry).substr(k_entry_head, head->rows), head->count, next);
  }
  if (next.number < limit) require_torn(segment, offset, next.number);
  return offset;
}

// The entry of that number at that place, if it is there and whole.
std::optional<CommitLog::EntryHead> CommitLog::read_entry(const Segment& segment,
                                                          std::uint64_t offset,
                                                          std::uint64_t number,
                                                          std::string& entry) {
  entry.resize(k_entry_head);
  if (segment.read(entry.data(), k_entry_head, offset) < k_entry_head) return std::nullopt;
  const char* at = entry.data();
  const EntryHead head{load_number<std::uint64_t>(at + 16), load_number<std::uint32_t>(at + 24),
                       load_number<std::uint32_t>(at + 28), load_number<std::uint32_t>(at + 32)};
  const std::uint64_t bytes = std::uint64_t{k_entry_head} + head.rows + head.bodies;
  if (load_number<std::uint64_t>(at + 8) != number || offset + bytes > segment.size) {
    return std::nullopt;
  }
  entry.resize(bytes);
  if (segment.read(entry.data(), bytes, offset) < bytes) return std::nullopt;
  const std::uint64_t hash = load_number<std::uint64_t>(entry.data());
  if (hash != hash_of(std::string_view(entry).substr(8), segment.number)) return std::nullopt;
  return head;
}

// What is not whole at the end was torn by a crash and never acknowledged as durable. If an entry
// behind it knows better, the file was damaged since: going on would lose what was acknowledged.
void CommitLog::require_torn(const Segment& segment, std::uint64_t offset, std::uint64_t number) {
  if (offset >= segment.size) return;
  std::string rest(segment.size - offset, '\0');
  rest.resize(segment.read(rest.data(), rest.size(), offset));
  char wanted[8];
  store_number(wanted, number + 1);
  std::string entry;
  for (auto at = rest.find(wanted, 8, sizeof wanted); at != std::string::npos;
       at = rest.find(wanted, at + 1, sizeof wanted)) {
    const auto head = read_entry(segment, offset + at - 8, number + 1, entry);
    if (!head || head->durable < number) continue;
    throw StorageFailure(fmt::format(
        "{} is damaged at offset {}: entry {} was durable and is not readable any more: {}",
        segment.name(), offset, number, k_restore));
  }
}

void CommitLog::append(const LoggedCommit& commit) {
  std::size_t bytes = commit.rows.size();
  for (const LoggedBody& body : commit.bodies) bytes += body.bytes.size();
  if (bytes > k_commit_bytes_max) {
    throw StorageFailure(fmt::format("a transaction of {} bytes is too large", bytes));
  }
  std::unique_lock lock(mutex_);
  if (!broken_.empty()) throw StorageFailure(broken_);
  if (waiting_.empty() || waiting_.back()->bytes + bytes > k_group_bytes_max) {
    waiting_.push_back(std::make_shared<Group>());
  }
  const std::shared_ptr<Group> group = waiting_.back();
  const bool first = group->commits.empty();
  group->commits.push_back(&commit);
  group->bytes += bytes;
  group->count += commit.count;
  group->durable = group->durable || commit.durable || !commit.bodies.empty();
  const bool writes = !std::exchange(writing_, true);
  lock.unlock();
  if (first) {
    std::uint32_t told = writes ? Group::k_write : group->await(first);
    while (!(told & Group::k_over)) {
      if (told & Group::k_write) {
        group->forget(Group::k_write);
        if (write_groups(*group)) apply_written(*group);
      } else {
        group->forget(Group::k_apply);
        apply_written(*group);
      }
      told = group->await(first);
    }
  } else {
    group->await(first);
  }
  if (!group->error.empty()) throw StorageFailure(group->error);
}

// Writes the group that waited longest, which is the caller's own, and some that gather meanwhile:
// the disk does not wait for another thread to run. Whether the caller has to apply what it wrote;
// otherwise another does.
bool CommitLog::write_groups(Group& own) {
  std::unique_lock lock(mutex_);
  own.first_writes = true;
  for (int written = 1;; ++written) {
    const std::shared_ptr<Group> group = std::move(waiting_.front());
    waiting_.pop_front();
    group->error = broken_;  // since this thread was chosen to write
    if (!spare_.empty()) {
      group->entry = std::move(spare_.back());
      spare_.pop_back();
    }
    lock.unlock();
    try {
      if (group->error.empty()) group->end = write(*group);
    } catch (const std::exception& failure) {
      group->error = failure.what();
    }
    lock.lock();
    if (broken_.empty()) broken_ = group->error;
    written_.push_back(group);
    std::deque<std::shared_ptr<Group>> refused;
    if (!broken_.empty()) refused.swap(waiting_);
    const std::string why = broken_;
    const std::shared_ptr<Group> next = waiting_.empty() ? nullptr : waiting_.front();
    const bool goes_on = next && written < k_groups_by_one;
    writing_ = next != nullptr;
    own.first_writes = goes_on;
    bool applies = !std::exchange(applying_, true);
    std::shared_ptr<Group> applier;
    if (applies && group.get() != &own) {
      applier = group;
    } else if (applies && goes_on) {
      applier = next;
    }
    applies = applies && !applier;
    lock.unlock();
    if (applier) applier->tell(Group::k_apply);
    for (const auto& one : refused) {
      one->error = why;
      one->tell(Group::k_over);
    }
    if (!goes_on) {
      if (next) next->tell(Group::k_write);
      return applies;
    }
    lock.lock();
  }
}

// Applies all that was written, as one. What was written meanwhile is applied by its first, unless
// that is `own` or has to write.
void CommitLog::apply_written(const Group& own) {
  while (apply_once(own)) {}
}

bool CommitLog::apply_once(const Group& own) {
  std::unique_lock lock(mutex_);
  const std::vector<std::shared_ptr<Group>> groups = std::exchange(written_, {});
  std::string error = apply_failed_ ? "a commit before this one failed" : "";
  lock.unlock();
  std::string rows;
  std::uint32_t count = 0;
  LogPosition end;
  for (const auto& group : groups) {
    if (group->error.empty()) group->error = error;
    if (!group->error.empty()) continue;
    rows += std::string_view(group->entry).substr(k_entry_head, group->rows);
    count += group->count;
    end = group->end;
  }
  if (count > 0) {
    try {
      fault("log.before-apply");
      apply_(rows, count, end);
    } catch (const std::exception& failure) {
      error = failure.what();
      for (const auto& group : groups) {
        if (group->error.empty()) group->error = error;
      }
    }
  }
  lock.lock();
  if (!error.empty()) {
    apply_failed_ = true;
    if (broken_.empty()) broken_ = error;
  } else if (count > 0) {
    end_ = end;
  }
  for (const auto& group : groups) {
    if (group->entry.capacity() > k_spare_bytes_max || spare_.size() == k_spares) continue;
    spare_.push_back(std::move(group->entry));
  }
  applying_ = !written_.empty();
  std::shared_ptr<Group> next = applying_ ? written_.front() : nullptr;
  const bool again = next && (next.get() == &own || next->first_writes);
  lock.unlock();
  if (next && !again) next->tell(Group::k_apply);
  for (const auto& group : groups) group->tell(Group::k_over);
  return again;
}

// Head, rows, bodies; the addresses go into the rows.
std::uint32_t CommitLog::lay_out(Group& group, std::uint32_t offset) const {
  std::string& entry = group.entry;
  entry.reserve(k_entry_head + group.bytes);
  entry.assign(k_entry_head, '\0');
  for (const LoggedCommit* commit : group.commits) entry += commit->rows;
  group.rows = static_cast<std::uint32_t>(entry.size() - k_entry_head);
  std::size_t rows_at = k_entry_head;
  for (const LoggedCommit* commit : group.commits) {
    for (const LoggedBody& body : commit->bodies) {
      const BodyAddress address{active_->number, static_cast<std::uint32_t>(offset + entry.size()),
                                static_cast<std::uint32_t>(body.bytes.size()), body.hash};
      address.write(entry.data() + rows_at + body.place);
      entry += body.bytes;
    }
    rows_at += commit->rows.size();
  }
  group.bodies = static_cast<std::uint32_t>(entry.size() - rows_at);
  store_number(entry.data() + 8, next_number_);
  store_number(entry.data() + 16, durable_);
  store_number(entry.data() + 24, group.count);
  store_number(entry.data() + 28, group.rows);
  store_number(entry.data() + 32, group.bodies);
  store_number(entry.data(), hash_of(std::string_view(entry).substr(8), active_->number));
  return static_cast<std::uint32_t>(entry.size());
}

LogPosition CommitLog::write(Group& group) {
  if (!active_ || active_->size >= options_.segment_bytes) start_segment();
  const auto offset = static_cast<std::uint32_t>(active_->size.load());
  const std::uint32_t bytes = lay_out(group, offset);
  if (group.bodies > 0) active_->has_bodies = true;
  active_->write(group.entry, offset);
  fault("log.before-sync");
  if (group.durable && options_.sync) {
    active_->sync();
    durable_ = next_number_;
  }
  fault("log.after-sync");
  active_->size = offset + bytes;
  return {++next_number_, active_->number, offset + bytes};
}

void CommitLog::start_segment() {
  if (active_) {
    // Durable before the next begins: entries have no gaps.
    active_->cut(active_->size);
    if (options_.sync) active_->sync();
    active_->sealed = true;
    active_.reset();
  }
  fault("log.before-segment");
  std::uint32_t number = 0;
  {
    std::lock_guard lock(segments_mutex_);
    number = ++last_segment_;
  }
  const bool in_memory = options_.directory.empty();
  auto segment = std::make_shared<Segment>(
      in_memory ? std::filesystem::path() : options_.directory / file_name(number), number, true);
  std::string head(k_segment_head, '\0');
  head.replace(0, k_magic.size(), k_magic);
  store_number(head.data() + 8, next_number_);
  store_number(head.data() + 16, number);
  store_number(head.data() + 24, hash_of(std::string_view(head).substr(0, 24)));
  segment->dropped = true;  // until it is whole
  segment->write(head, 0);
  if (!in_memory && options_.sync) sync_path(options_.directory);
  segment->dropped = false;
  segment->size = k_segment_head;
  segment->first = next_number_;
  segment->has_bodies = false;
  add(segment);
  active_ = std::move(segment);
}

bool CommitLog::is_broken() const {
  std::lock_guard lock(mutex_);
  return !broken_.empty();
}

bool CommitLog::recover() {
  std::lock_guard lock(mutex_);
  if (broken_.empty()) return true;
  if (writing_ || applying_) return false;
  // Nobody writes and nobody can: what belongs to who does is ours.
  const auto segments = pin();
  for (const auto& [number, segment] : *segments) {
    if (number > end_.segment) drop(number);
  }
  const auto last = segments->find(end_.segment);
  if (last != segments->end() && end_.offset < k_segment_head) {
    drop(end_.segment);
  } else if (last != segments->end() && end_.offset <= last->second->size) {
    // A segment that cannot be cut is superseded by the next one's first number.
    try {
      last->second->cut(end_.offset);
      if (options_.sync) last->second->sync();
    } catch (const StorageFailure& failure) {
      log::warning("store", "{}", failure.what());
    }
    last->second->size = end_.offset;
  }
  if (last != segments->end()) last->second->sealed = true;
  active_.reset();
  next_number_ = end_.number;
  durable_ = std::min(durable_, end_.number - 1);
  apply_failed_ = false;
  broken_.clear();
  return true;
}

void CommitLog::sync() {
  if (!options_.sync) return;
  const auto segments = pin();
  for (const auto& [number, segment] : *segments) {
    if (segment->unsynced()) segment->sync();
  }
}

LogPosition CommitLog::end() const {
  std::lock_guard lock(mutex_);
  return end_;
}

std::uint64_t CommitLog::bytes_behind(const LogPosition& from) const {
  std::uint64_t bytes = 0;
  const auto segments = pin();
  for (const auto& [number, segment] : *segments) {
    const std::uint64_t size = segment->size;
    if (number > from.segment) bytes += size;
    if (number == from.segment && size > from.offset) bytes += size - from.offset;
  }
  return bytes;
}

std::shared_ptr<const CommitLog::Segments> CommitLog::pin() const {
  std::lock_guard lock(segments_mutex_);
  return segments_;
}

std::optional<std::string> CommitLog::read(const BodyAddress& address,
                                           const Segments* pinned) const {
  std::shared_ptr<const Segments> all;
  const Segment* segment = nullptr;
  if (pinned) {
    if (const auto found = pinned->find(address.segment); found != pinned->end()) {
      segment = found->second.get();
    }
  }
  if (!segment) {
    all = pin();
    const auto found = all->find(address.segment);
    if (found == all->end()) return std::nullopt;
    segment = found->second.get();
  }
  std::string bytes(address.length, '\0');
  if (segment->read(bytes.data(), bytes.size(), address.offset) < bytes.size() ||
      hash_of(bytes) != address.hash) {
    throw StorageFailure(
        fmt::format("{} is damaged at offset {}: {} bytes there are not those that were written",
                    segment->name(), address.offset, address.length));
  }
  return bytes;
}

void CommitLog::throw_missing(std::uint32_t segment) const {
  throw StorageFailure(fmt::format("{} is missing: {}",
                                   (options_.directory / file_name(segment)).string(), k_restore));
}

std::vector<CommitLog::SegmentInfo> CommitLog::sealed() const {
  std::vector<SegmentInfo> out;
  const auto segments = pin();
  for (const auto& [number, segment] : *segments) {
    if (segment->sealed) out.push_back({number, segment->size, segment->has_bodies});
  }
  return out;
}

void CommitLog::add(std::shared_ptr<Segment> segment) {
  std::lock_guard lock(segments_mutex_);
  auto more = std::make_shared<Segments>(*segments_);
  more->emplace(segment->number, std::move(segment));
  segments_ = std::move(more);
}

void CommitLog::drop(std::uint32_t number) {
  std::lock_guard lock(segments_mutex_);
  const auto found = segments_->find(number);
  if (found == segments_->end()) return;
  found->second->dropped = true;
  auto less = std::make_shared<Segments>(*segments_);
  less->erase(number);
  segments_ = std::move(less);
}

}  // namespace tarn::kernel
