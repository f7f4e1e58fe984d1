// SPDX-License-Identifier: Apache-2.0
// A durable queue of messages that are taken from the front, hidden for a while, and removed by
// whoever took them: what SQS is made of. It stays as fast at a million messages as at ten, because
// it reads forward from a cursor and never walks over what was removed.
//
// Rows (family queues): `message` is written once and removed once; `message-state`, small, exists
// while a message is hidden (taken, or delayed). In memory: the hidden messages, and a bounded
// window of the front. Taking, hiding and removing survive kill -9 but do not wait for the disk:
// after a power cut a message may come again, which at-least-once delivery allows. Sending is part
// of the sender's transaction, as durable as that.
//
// In a fifo queue the messages of a group are taken in order, and none while an earlier one of the
// group is taken; the empty group is a group like others.
//
// Threading: all functions from any thread. One MessageQueue per name at a time.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/task.hpp"
#include "kernel/store.hpp"

namespace tarn::kernel {

struct QueuedMessage {
  std::uint64_t number = 0;  // unique in the store, grows in the order of sending
  std::string group;
  std::string payload;
  Timestamp sent;
  std::uint32_t receives = 0;  // this one included
  Timestamp first_received;
};

class MessageQueue {
 public:
  MessageQueue(Store& store, Scope scope, std::string name, bool fifo = false);

  // In the caller's transaction. Hidden until `visible_at`, if that lies in the future.
  std::uint64_t send(Txn& txn, std::string payload, Timestamp visible_at, std::string group = {});
  // Takes up to `max` messages and hides them. Those sent before `expired_before` are removed.
  std::vector<QueuedMessage> receive(std::size_t max, Microseconds visibility,
                                     Timestamp expired_before = Timestamp::min());
  // Ignores numbers that are gone. The second form takes effect with the transaction, for moves.
  void remove(const std::vector<std::uint64_t>& numbers);
  void remove(Txn& txn, std::uint64_t number);
  // Changes when a taken message comes back; false if it is not taken.
  bool hide_until(std::uint64_t number, Timestamp visible_at);
  bool is_taken(std::uint64_t number) const;
  // In the queue, hidden or not.
  bool contains(std::uint64_t number) const;
  // How often it was taken so far; none if it is not hidden.
  std::optional<std::uint32_t> receives(std::uint64_t number) const;
  void purge();
  // Removes from the front what was sent earlier, taken or not; at most `max`; returns how many.
  std::size_t expire(Timestamp sent_before, std::size_t max = 1000);

  // Set when something may have become visible since this call: take it, look, then wait.
  OneShot<void> changed();
  // When the next hidden message comes back.
  std::optional<Timestamp> next_visible() const;

  struct Counts {
    std::uint64_t visible = 0, taken = 0, delayed = 0;
  };
  Counts counts() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace tarn::kernel
