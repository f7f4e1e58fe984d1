// SPDX-License-Identifier: Apache-2.0
// Keeps the commit log short, in the background: flushes RocksDB so that a start has little to
// replay, and gives back the room of bodies that no row holds any more.
//
// Which bodies live is not counted as they come and go: when a quarter of a gigabyte, or half of
// what there is, was written since the last time, or thousands and half of all erased, the rows of
// the family `bodies` are walked (they are addresses, 40 bytes or so each). Segments without a live
// body are dropped. Of those that are less than half alive, the rest is written again, then they
// are dropped.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "kernel/store.hpp"

namespace tarn::kernel {

class LogKeeper {
 public:
  explicit LogKeeper(Store::Impl& store);
  ~LogKeeper();
  LogKeeper(const LogKeeper&) = delete;
  LogKeeper& operator=(const LogKeeper&) = delete;

  // A segment was filled.
  void wake();
  // What runs is ended, nothing begins any more.
  void stop();
  // A body was erased, about: what is left may be worth a walk.
  void note_erased() {
    if ((erased_.fetch_add(1, std::memory_order_relaxed) + 1) % k_erased_before_walk == 0) wake();
  }
  // Walks now, whatever was written. Only what is flushed is looked at.
  void collect();

 private:
  static constexpr std::uint64_t k_erased_before_walk = 4096;
  void run();
  void keep();
  bool is_due();
  std::map<std::uint32_t, std::uint64_t> live_bytes();
  void move_bodies(std::set<std::uint32_t>& from);
  bool stopping();

  Store::Impl& store_;
  std::atomic<std::uint64_t> erased_{0};
  std::mutex collecting_;                        // what follows
  std::map<std::uint32_t, std::uint64_t> live_;  // as of the last walk, by segment
  std::uint64_t live_bodies_ = 0;

  std::mutex mutex_;  // what follows
  std::condition_variable changed_;
  bool woken_ = false;
  bool stop_ = false;
  std::thread thread_;  // from the first time that it is needed
};

}  // namespace tarn::kernel
