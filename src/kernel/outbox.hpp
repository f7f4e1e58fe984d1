// SPDX-License-Identifier: Apache-2.0
// Private to the kernel. Gives every emitted event its place in the order of its topic, and tells
// readers how far they may read.
//
// Sequence numbers are drawn at the beginning of a commit, while the transaction still holds its
// locks: of two transactions that exclude each other, the first to commit has the smaller ones. But
// unrelated commits may become durable in another order, so a reader that has seen 6 could miss a 5
// that is still being written. Hence the horizon: the smallest number drawn by a commit under way.
// Everything below it is on disk or never will be.
//
// Threading: all functions from any thread. The lock is held for a few instructions, except when
// a new block of numbers is reserved (once per million events).
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <string>
#include <vector>

#include "kernel/store.hpp"

namespace tarn::kernel {

// One row per event and subscriber: the cheapest way to let subscribers be independent, because an
// acknowledgement is one delete, and the common topic has one subscriber.
struct OutboxRow {
  static constexpr RecordKind k_kind{"kernel", "outbox", 1, Family::queues};
  std::string topic, subscriber;
  std::uint64_t sequence = 0;
  std::string ordering_key, payload;
  Timestamp emitted;
  auto key() const { return Key(topic, subscriber, sequence); }
  // The key says the rest.
  void fields(auto& f) { f(ordering_key, payload, emitted); }
};

// Where a subscriber's next reader starts: no row of it lies below. Saves it from walking over the
// tombstones of what was delivered.
struct OutboxMark {
  static constexpr RecordKind k_kind{"kernel", "outbox-mark", 1};
  std::string topic, subscriber;
  std::uint64_t low_water = 0;
  auto key() const { return Key(topic, subscriber); }
  void fields(auto& f) { f(topic, subscriber, low_water); }
};

// Numbers below `reserved` may have been used.
struct SequenceMark {
  static constexpr RecordKind k_kind{"kernel", "sequence", 1};
  std::uint64_t reserved = 1;
  auto key() const { return Key("event"); }
  void fields(auto& f) { f(reserved); }
};

class Outbox {
 public:
  struct Queue {
    std::string topic, subscriber;
    std::function<void()> wake;  // guarded by the registry's lock
  };
  struct Topic {
    std::vector<std::shared_ptr<Queue>> queues;
    std::set<std::uint64_t> writing;  // the first number of each commit under way
  };

  // `reserve(limit)` persists that numbers below `limit` may be in use.
  void open(std::uint64_t first, std::function<void(std::uint64_t limit)> reserve);

  // Events of `topic` are kept for `subscriber` from now on. A null `wake` detaches the reader but
  // keeps the queue: events emitted meanwhile wait for the next reader.
  void subscribe(const std::string& topic, const std::string& subscriber,
                 std::function<void()> wake);
  bool has_subscriber(const std::string& topic) const;

  // The numbers of one commit. Destroyed when the commit is over, whichever way: that moves the
  // horizon and wakes the readers.
  class Ticket {
   public:
    Ticket() = default;
    Ticket(Ticket&& other) noexcept { *this = std::move(other); }
    Ticket& operator=(Ticket&& other) noexcept;
    ~Ticket() { release(); }
    void release();

   private:
    friend class Outbox;
    Outbox* outbox_ = nullptr;
    std::uint64_t first_ = 0;
    std::vector<Topic*> topics_;
  };
  // Calls `write(event, queue, sequence)` for every event and subscriber.
  Ticket draw(const std::vector<Event>& events,
              const std::function<void(const Event&, const Queue&, std::uint64_t)>& write);

  // Numbers for others who need an order of their own (message_queue.cpp).
  std::uint64_t draw_number();
  std::uint64_t next_number() const;

  // Every row of the topic below this number is readable or will never exist.
  std::uint64_t horizon(const std::string& topic) const;

 private:
  void reserve_for(std::size_t count);  // under order_mutex_
  static constexpr std::uint64_t k_block = 1'000'000;

  mutable std::shared_mutex registry_mutex_;  // topics_ and their queues
  std::map<std::string, std::unique_ptr<Topic>, std::less<>> topics_;
  mutable std::mutex order_mutex_;  // what follows, and Topic::writing
  std::uint64_t next_ = 1;
  std::uint64_t limit_ = 1;
  std::function<void(std::uint64_t)> reserve_;
};

}  // namespace tarn::kernel
