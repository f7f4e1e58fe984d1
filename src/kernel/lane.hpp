// SPDX-License-Identifier: Apache-2.0
// Private to the kernel: one subscriber's reader of one topic. It reads rows below the topic's
// horizon in order, starts deliveries side by side, and lets an event of an ordering key start only
// after the one before it was acknowledged or died. What waits is kept as numbers, not payloads.
//
// Threading: everything from any thread. At most one `pump` runs; deliveries finish on the
// executor.
#pragma once
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <unordered_map>

#include "kernel/bus.hpp"
#include "kernel/outbox.hpp"

namespace tarn::kernel {

class Lane : public std::enable_shared_from_this<Lane> {
 public:
  Lane(Store& store, Executor& executor, Subscription subscription);
  void start();  // reads the mark, then everything that was left
  void wake();
  void stop();  // no new delivery; cancels those that wait; returns when none runs
  // Nothing emitted so far is undelivered.
  bool idle();
  void wait_change(Milliseconds at_most);

 private:
  struct Waiting {
    std::uint64_t sequence;
    std::string ordering_key;
  };
  void pump();
  bool read_rows();  // false when the horizon is reached or enough waits
  void start_ready(std::unique_lock<std::mutex>& lock);
  Task<void> deliver(std::shared_ptr<Lane> self, std::uint64_t sequence, int attempt);
  void finish(const Waiting& waiting, int attempt, Outcome<void> outcome);
  void settle(const Waiting& waiting);  // acknowledged or dead
  void retry_later(const Waiting& waiting, int attempt);
  void acknowledge(std::uint64_t sequence);
  void bury(std::uint64_t sequence, int attempts, const std::string& reason);
  Key row_parts(std::uint64_t sequence) const;
  std::string row_of(std::uint64_t sequence) const;

  Store& store_;
  Executor& executor_;
  const Subscription subscription_;
  std::stop_source stop_;

  std::mutex mutex_;
  std::condition_variable changed_;
  bool started_ = false;
  bool stopping_ = false;
  bool pumping_ = false;
  bool again_ = false;
  std::uint64_t cursor_ = 0;  // every row below was read
  std::size_t running_ = 0;
  std::uint64_t acknowledged_ = 0;
  std::deque<Waiting> ready_;
  std::unordered_map<std::string, std::deque<std::uint64_t>> lines_;  // front: ready or running
  std::set<std::uint64_t> unsettled_;
  std::unordered_map<std::uint64_t, int> attempts_;
};

}  // namespace tarn::kernel
