// SPDX-License-Identifier: Apache-2.0
// Delivers what transactions emitted: at least once, in order per topic and ordering key, with
// retries and a dead-letter record, across restarts. It also fires durable timers.
//
// A subscriber gets each event of its topic in a task on the background pool. Returning is the
// acknowledgement; throwing means again later (backoff 0.1 s doubling to 60 s, `attempts_max`
// times, then the event becomes a DeadLetter record that `tarn` can show). Since a crash may come
// between the work and the acknowledgement, a subscriber must be idempotent: use `event_id` as the
// effect id of whatever it does. Several subscribers of a topic are independent of each other.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "base/task.hpp"
#include "kernel/store.hpp"

namespace tarn::kernel {

struct Delivery {
  std::string event_id;  // unique, sorts by commit order
  std::string topic;
  std::string ordering_key;
  std::string payload;
  Timestamp emitted;
  int attempt = 1;
};

struct Subscription {
  std::string topic;
  std::string subscriber;  // stable name: the position survives restarts under it
  std::function<Task<void>(Delivery)> deliver;
  int attempts_max = 10;
  std::size_t in_flight_max = 64;  // different ordering keys run side by side
};

class Bus {
 public:
  Bus(Store& store, Executor& background);
  ~Bus();
  // Before `start`. A topic without a subscriber drops its events at emission.
  void subscribe(Subscription subscription);
  void start();
  // Stops taking new deliveries, cancels waiting ones, and returns when none runs.
  void stop();
  // For tests: returns when nothing emitted so far is undelivered (timers not yet due aside).
  void drain();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

struct DeadLetter {
  static constexpr RecordKind k_kind{"kernel", "dead-letter", 1};
  std::string event_id, topic, subscriber, ordering_key, payload, reason;
  Timestamp emitted, died;
  int attempts = 0;
  auto key() const { return Key(topic, event_id, subscriber); }
  void fields(auto& f) {
    f(event_id, topic, subscriber, ordering_key, payload, reason, emitted, died, attempts);
  }
};

}  // namespace tarn::kernel
