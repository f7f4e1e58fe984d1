// SPDX-License-Identifier: Apache-2.0
#include "kernel/log_keeper.hpp"

#include <algorithm>

#include "base/log.hpp"
#include "kernel/store_impl.hpp"

namespace tarn::kernel {
namespace {

constexpr std::uint64_t k_segments_replayed_max = 2;
constexpr std::uint64_t k_segments_before_walk = 4;
constexpr std::size_t k_moved_bytes = 1 << 20;  // in one transaction
constexpr std::size_t k_moved_bodies = 64;

}  // namespace

LogKeeper::LogKeeper(Store::Impl& store) : store_(store) {
  // What earlier lives left behind.
  if (store_.commit_log->sealed().size() >= k_segments_before_walk) wake();
}

LogKeeper::~LogKeeper() { stop(); }

void LogKeeper::stop() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void LogKeeper::wake() {
  std::lock_guard lock(mutex_);
  woken_ = true;
  if (!thread_.joinable() && !stop_) thread_ = std::thread([this] { run(); });
  changed_.notify_all();
}

bool LogKeeper::stopping() {
  std::lock_guard lock(mutex_);
  return stop_;
}

void LogKeeper::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return woken_ || stop_; });
    if (stop_) return;
    woken_ = false;
    lock.unlock();
    try {
      keep();
    } catch (const std::exception& failure) {
      // A full disk, mostly: the next segment tries again.
      if (!stopping()) log::warning("store", "keeping the log short: {}", failure.what());
    }
    lock.lock();
  }
}

void LogKeeper::keep() {
  const std::uint64_t segment_bytes = store_.options.segment_bytes;
  if (store_.commit_log->bytes_behind(store_.flushed()) >=
      k_segments_replayed_max * segment_bytes) {
    check_status(store_.flush(), "flushing");
  }
  const LogPosition flushed = store_.flushed();
  for (const auto& segment : store_.commit_log->sealed()) {
    if (!segment.has_bodies && segment.number < flushed.segment) {
      store_.commit_log->drop(segment.number);
    }
  }
  if (is_due()) collect();
}

bool LogKeeper::is_due() {
  std::lock_guard lock(collecting_);
  const LogPosition flushed = store_.flushed();
  std::uint64_t all = 0, since = 0;
  for (const auto& segment : store_.commit_log->sealed()) {
    if (segment.number >= flushed.segment) continue;
    all += segment.bytes;
    if (!live_.contains(segment.number)) since += segment.bytes;
  }
  return since >= std::max(all / 2, k_segments_before_walk * store_.options.segment_bytes) ||
         erased_.load(std::memory_order_relaxed) >=
             std::max(live_bodies_ / 2, k_erased_before_walk);
}

void LogKeeper::collect() {
  std::lock_guard lock(collecting_);
  const LogPosition flushed = store_.flushed();
  std::map<std::uint32_t, std::uint64_t> sizes;
  for (const auto& segment : store_.commit_log->sealed()) {
    // Neither replayed nor written to any more, and its rows are all visible.
    if (segment.number < flushed.segment) sizes[segment.number] = segment.bytes;
  }
  if (sizes.empty()) return;
  erased_.store(0, std::memory_order_relaxed);
  live_ = live_bytes();
  std::set<std::uint32_t> emptied;
  std::vector<std::pair<std::uint64_t, std::uint32_t>> sparse;
  for (const auto& [number, bytes] : sizes) {
    const std::uint64_t live = live_[number];
    if (live == 0) {
      emptied.insert(number);
    } else if (live < bytes / 2) {
      sparse.emplace_back(live, number);
    }
  }
  // The emptiest first, and no more at a time than the walk's own measure.
  std::sort(sparse.begin(), sparse.end());
  std::set<std::uint32_t> moved;
  std::uint64_t moving = 0;
  for (const auto& [live, number] : sparse) {
    moving += live;
    if (moving > k_segments_before_walk * store_.options.segment_bytes) break;
    moved.insert(number);
  }
  if (!moved.empty()) move_bodies(moved);
  emptied.insert(moved.begin(), moved.end());
  store_.fault("log.before-drop");
  for (const std::uint32_t number : emptied) {
    store_.commit_log->drop(number);
    live_.erase(number);
  }
  store_.fault("log.after-drop");
}

std::map<std::uint32_t, std::uint64_t> LogKeeper::live_bytes() {
  std::map<std::uint32_t, std::uint64_t> live;
  for (const auto& segment : store_.commit_log->sealed()) live[segment.number] = 0;
  live_bodies_ = 0;
  rocksdb::ReadOptions read;
  read.fill_cache = false;
  std::unique_ptr<rocksdb::Iterator> rows(
      store_.db->NewIterator(read, store_.family(Family::bodies)));
  for (rows->SeekToFirst(); rows->Valid(); rows->Next()) {
    const auto address = BodyAddress::read(rows->value().ToStringView());
    if (!address) continue;
    live[address->segment] += address->length;
    ++live_bodies_;
    if (live_bodies_ % 4096 == 0 && stopping()) throw StorageFailure("the store is closing");
  }
  check_status(rows->status(), "scanning");
  return live;
}

// Writes the bodies that live in these segments again. Takes out of the set those of which one
// could not be moved: somebody has its row locked.
void LogKeeper::move_bodies(std::set<std::uint32_t>& from) {
  rocksdb::ReadOptions read;
  read.fill_cache = false;
  auto* const family = store_.family(Family::bodies);
  std::unique_ptr<rocksdb::Iterator> rows(store_.db->NewIterator(read, family));
  std::vector<std::pair<std::string, BodyAddress>> batch;
  std::size_t bytes = 0;
  const auto move = [&] {
    Txn::State txn(store_);
    for (const auto& [row, address] : batch) {
      std::string value;
      const auto status = txn.txn().GetForUpdate({}, family, row, &value, true, false);
      if (!status.ok() && !status.IsNotFound()) {
        from.erase(address.segment);
        continue;
      }
      if (!status.ok() || BodyAddress::read(value) != address) continue;  // it changed meanwhile
      auto body = store_.commit_log->read(address);
      if (!body) store_.commit_log->throw_missing(address.segment);
      txn.put(Family::bodies, row, std::move(*body));
    }
    batch.clear();
    bytes = 0;
    txn.write(Survives::power_loss);
  };
  for (rows->SeekToFirst(); rows->Valid(); rows->Next()) {
    const auto address = BodyAddress::read(rows->value().ToStringView());
    if (!address || !from.contains(address->segment)) continue;
    batch.emplace_back(rows->key().ToString(), *address);
    bytes += address->length;
    if (bytes < k_moved_bytes && batch.size() < k_moved_bodies) continue;
    if (stopping()) throw StorageFailure("the store is closing");
    move();
  }
  check_status(rows->status(), "scanning");
  move();
}

}  // namespace tarn::kernel
