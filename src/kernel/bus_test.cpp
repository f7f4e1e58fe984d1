// SPDX-License-Identifier: Apache-2.0
#include "kernel/bus.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <thread>

#include <fmt/format.h>

#include "kernel/outbox.hpp"
#include "kernel/testing/house.hpp"
#include "kernel/timers.hpp"

namespace tarn::kernel {
namespace {

using testing::House;
using testing::Medium;
using Texts = std::vector<std::string>;

// What subscribers saw, in order.
class Seen {
 public:
  void add(const std::string& text) {
    std::lock_guard lock(mutex_);
    texts_.push_back(text);
  }
  Texts texts() const {
    std::lock_guard lock(mutex_);
    return texts_;
  }
  std::size_t size() const { return texts().size(); }

 private:
  mutable std::mutex mutex_;
  Texts texts_;
};

template <class F>
bool eventually(F condition) {
  for (int i = 0; i < 5000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

Task<void> note(Seen* seen, Delivery delivery) {
  seen->add(delivery.payload);
  co_return;
}

Subscription noting(std::string topic, std::string subscriber, Seen& seen) {
  Subscription subscription;
  subscription.topic = std::move(topic);
  subscription.subscriber = std::move(subscriber);
  subscription.deliver = [&seen](Delivery delivery) { return note(&seen, std::move(delivery)); };
  return subscription;
}

void emit(Store& store, std::string topic, std::string key, std::string payload) {
  store.transact({}, [&](Txn& txn) { txn.emit({topic, key, payload}); });
}

TEST(Bus, EverySubscriberGetsEachEventOnce) {
  House house;
  Seen left, right;
  Bus bus(house.store(), house.pool);
  bus.subscribe(noting("t", "left", left));
  bus.subscribe(noting("t", "right", right));
  bus.start();
  for (int i = 0; i < 500; ++i) emit(house.store(), "t", "same", std::to_string(i));
  emit(house.store(), "nobody", "", "dropped");
  bus.drain();
  Texts expected;
  for (int i = 0; i < 500; ++i) expected.push_back(std::to_string(i));
  EXPECT_EQ(left.texts(), expected);
  EXPECT_EQ(right.texts(), expected);
  EXPECT_TRUE(house.store().begin({}).list<OutboxRow>().empty());
}

TEST(Bus, DrainingDoesNotWaitForWhomNothingWasSent) {
  House house;
  Seen busy, bored;
  Bus bus(house.store(), house.pool);
  bus.subscribe(noting("silent", "bored", bored));
  bus.subscribe(noting("t", "busy", busy));
  bus.start();
  bus.drain();
  emit(house.store(), "t", "", "one");
  bus.drain();
  EXPECT_EQ(busy.texts(), Texts{"one"});
  EXPECT_EQ(bored.size(), 0U);
}

TEST(Bus, AnEventOfARolledBackTransactionIsNeverSeen) {
  House house;
  Seen seen;
  Bus bus(house.store(), house.pool);
  bus.subscribe(noting("t", "s", seen));
  bus.start();
  {
    Txn txn = house.store().begin({});
    txn.emit({"t", "", "undone"});
  }
  emit(house.store(), "t", "", "done");
  bus.drain();
  EXPECT_EQ(seen.texts(), Texts{"done"});
}

struct Counter {
  static constexpr RecordKind k_kind{"test", "counter", 1};
  std::string name;
  int value = 0;
  auto key() const { return Key(name); }
  void fields(auto& f) { f(name, value); }
};

TEST(Bus, OrderWithinAKeyIsTheOrderOfTheCommitsThoughManyWrite) {
  House house(Medium::disk);
  std::mutex mutex;
  std::map<std::string, Texts> by_key;
  Bus bus(house.store(), house.pool);
  Subscription subscription;
  subscription.topic = "t";
  subscription.subscriber = "s";
  struct Sink {
    static Task<void> deliver(std::mutex* mutex, std::map<std::string, Texts>* by_key,
                              Delivery delivery) {
      std::lock_guard lock(*mutex);
      (*by_key)[delivery.ordering_key].push_back(delivery.payload);
      co_return;
    }
  };
  subscription.deliver = [&](Delivery delivery) {
    return Sink::deliver(&mutex, &by_key, std::move(delivery));
  };
  bus.subscribe(subscription);
  bus.start();
  constexpr int k_threads = 8, k_each = 60, k_keys = 3;
  std::vector<std::thread> threads;
  for (int t = 0; t < k_threads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < k_each; ++i) {
        house.store().transact({}, [&](Txn& txn) {
          const std::string key = fmt::format("k{}", (t + i) % k_keys);
          Counter counter = txn.find_for_update<Counter>(key).value_or(Counter{key, 0});
          txn.emit({"t", key, std::to_string(counter.value++)});
          txn.put(counter);
        });
      }
    });
  }
  for (auto& thread : threads) thread.join();
  bus.drain();
  std::size_t total = 0;
  for (const auto& [key, payloads] : by_key) {
    for (std::size_t i = 0; i < payloads.size(); ++i) EXPECT_EQ(payloads[i], std::to_string(i));
    total += payloads.size();
  }
  EXPECT_EQ(total, static_cast<std::size_t>(k_threads * k_each));
}

struct Flaky {
  std::atomic<int> failures_left;
  Seen seen;
  std::atomic<int> last_attempt{0};
  static Task<void> deliver(Flaky* self, Delivery delivery) {
    self->last_attempt = delivery.attempt;
    if (delivery.ordering_key == "bad" && self->failures_left-- > 0) {
      throw std::runtime_error("not now");
    }
    self->seen.add(delivery.payload);
    co_return;
  }
  Subscription subscription(int attempts_max = 10) {
    Subscription s;
    s.topic = "t";
    s.subscriber = "flaky";
    s.attempts_max = attempts_max;
    s.deliver = [this](Delivery delivery) { return deliver(this, std::move(delivery)); };
    return s;
  }
};

TEST(Bus, AFailedDeliveryIsTriedAgainLaterAndHoldsBackOnlyItsKey) {
  House house;
  Flaky flaky{2, {}, 0};
  Bus bus(house.store(), house.pool);
  bus.subscribe(flaky.subscription());
  bus.start();
  emit(house.store(), "t", "bad", "first");
  emit(house.store(), "t", "bad", "second");
  emit(house.store(), "t", "good", "other");
  ASSERT_TRUE(eventually([&] { return flaky.seen.size() == 1 && house.clock.timer_count() == 1; }));
  EXPECT_EQ(flaky.seen.texts(), Texts{"other"});
  house.clock.advance(Milliseconds(99));
  EXPECT_EQ(house.clock.timer_count(), 1U);
  house.clock.advance(Milliseconds(1));
  ASSERT_TRUE(
      eventually([&] { return flaky.failures_left == 0 && house.clock.timer_count() == 1; }));
  house.clock.advance(Milliseconds(200));
  bus.drain();
  EXPECT_EQ(flaky.seen.texts(), (Texts{"other", "first", "second"}));
}

TEST(Bus, AnEventThatKeepsFailingBecomesADeadLetterAndLetsTheNextPass) {
  House house;
  Flaky flaky{3, {}, 0};
  Bus bus(house.store(), house.pool);
  bus.subscribe(flaky.subscription(3));
  bus.start();
  emit(house.store(), "t", "bad", "poison");
  emit(house.store(), "t", "bad", "next");
  for (int attempt = 1; attempt < 3; ++attempt) {
    ASSERT_TRUE(eventually(
        [&] { return flaky.last_attempt == attempt && house.clock.timer_count() == 1; }));
    house.clock.advance(Milliseconds(100 << (attempt - 1)));
  }
  bus.drain();
  EXPECT_EQ(flaky.seen.texts(), Texts{"next"});
  const auto letters = house.store().begin({}).list<DeadLetter>();
  ASSERT_EQ(letters.size(), 1U);
  EXPECT_EQ(letters[0].payload, "poison");
  EXPECT_EQ(letters[0].subscriber, "flaky");
  EXPECT_EQ(letters[0].reason, "not now");
  EXPECT_EQ(letters[0].attempts, 3);
}

TEST(Bus, WhatWasNotDeliveredIsDeliveredAfterARestart) {
  House house(Medium::disk);
  {
    Seen seen;
    Bus bus(house.store(), house.pool);
    bus.subscribe(noting("t", "s", seen));
    for (int i = 0; i < 1500; i += 50) {
      house.store().transact({}, [&](Txn& txn) {
        for (int k = i; k < i + 50; ++k) txn.emit({"t", "k", std::to_string(k)});
      });
    }
    EXPECT_EQ(seen.size(), 0U);  // not started
  }
  house.reopen();
  Seen seen;
  std::string first_id;
  {
    Bus bus(house.store(), house.pool);
    bus.subscribe(noting("t", "s", seen));
    emit(house.store(), "t", "k", "1500");
    bus.start();
    bus.drain();
  }
  ASSERT_EQ(seen.size(), 1501U);
  for (int i = 0; i <= 1500; ++i) EXPECT_EQ(seen.texts()[i], std::to_string(i));
  house.reopen();
  Seen again;
  Bus bus(house.store(), house.pool);
  bus.subscribe(noting("t", "s", again));
  bus.start();
  bus.drain();
  EXPECT_EQ(again.size(), 0U);
  const auto mark = house.store().begin({}).find<OutboxMark>("t", "s");
  ASSERT_TRUE(mark);
  EXPECT_GE(mark->low_water, 1501U);
}

Task<void> wait_forever(std::atomic<int>* started, Delivery) {
  ++*started;
  OneShot<void> never;
  co_await never;
}

TEST(Bus, StopCancelsWaitingDeliveriesAndTheyComeBack) {
  House house(Medium::disk);
  std::atomic<int> started{0};
  {
    Bus bus(house.store(), house.pool);
    Subscription subscription;
    subscription.topic = "t";
    subscription.subscriber = "s";
    subscription.deliver = [&](Delivery d) { return wait_forever(&started, std::move(d)); };
    bus.subscribe(subscription);
    bus.start();
    emit(house.store(), "t", "", "a");
    ASSERT_TRUE(eventually([&] { return started == 1; }));
    bus.stop();
  }
  house.reopen();
  Seen seen;
  Bus bus(house.store(), house.pool);
  bus.subscribe(noting("t", "s", seen));
  bus.start();
  bus.drain();
  EXPECT_EQ(seen.texts(), Texts{"a"});
}

TEST(Bus, NoMoreRunSideBySideThanAllowed) {
  House house;
  std::atomic<int> running{0}, most{0};
  struct Slow {
    static Task<void> deliver(std::atomic<int>* running, std::atomic<int>* most, Delivery) {
      const int now = ++*running;
      int seen = *most;
      while (now > seen && !most->compare_exchange_weak(seen, now)) {}
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      --*running;
      co_return;
    }
  };
  Bus bus(house.store(), house.pool);
  Subscription subscription;
  subscription.topic = "t";
  subscription.subscriber = "s";
  subscription.in_flight_max = 2;
  subscription.deliver = [&](Delivery d) { return Slow::deliver(&running, &most, std::move(d)); };
  bus.subscribe(subscription);
  bus.start();
  for (int i = 0; i < 40; ++i) emit(house.store(), "t", "", "x");
  bus.drain();
  EXPECT_EQ(most, 2);
}

TEST(Timers, FireWhenDueInOrderAndNotBefore) {
  House house;
  Seen seen;
  Bus bus(house.store(), house.pool);
  bus.subscribe(noting("t", "s", seen));
  bus.start();
  const Timestamp begin = house.clock.now();
  house.store().transact({}, [&](Txn& txn) {
    txn.set_timer("late", begin + Seconds(20), {"t", "k", "late"});
    txn.set_timer("early", begin + Seconds(10), {"t", "k", "early"});
  });
  house.store().transact({}, [&](Txn& txn) {
    txn.set_timer("middle", begin + Seconds(15), {"t", "k", "middle"});
  });
  bus.drain();
  ASSERT_TRUE(eventually([&] { return house.clock.timer_count() == 1; }));
  house.clock.advance(Seconds(9));
  bus.drain();
  EXPECT_EQ(seen.size(), 0U);
  house.clock.advance(Seconds(1));
  bus.drain();
  EXPECT_EQ(seen.texts(), Texts{"early"});
  house.clock.advance(Seconds(60));
  bus.drain();
  EXPECT_EQ(seen.texts(), (Texts{"early", "middle", "late"}));
  EXPECT_TRUE(house.store().begin({}).list<TimerRow>().empty());
  EXPECT_TRUE(house.store().begin({}).list<TimerId>().empty());
  EXPECT_EQ(house.clock.timer_count(), 0U);  // nothing polls
}

TEST(Timers, SettingAgainMovesAndClearingRemoves) {
  House house;
  Seen seen;
  Bus bus(house.store(), house.pool);
  bus.subscribe(noting("t", "s", seen));
  bus.start();
  const Timestamp begin = house.clock.now();
  house.store().transact({}, [&](Txn& txn) {
    txn.set_timer("a", begin + Seconds(10), {"t", "", "a1"});
    txn.set_timer("b", begin + Seconds(10), {"t", "", "b"});
  });
  house.store().transact({}, [&](Txn& txn) {
    txn.set_timer("a", begin + Seconds(30), {"t", "", "a2"});
    txn.clear_timer("t", "b");
    txn.clear_timer("t", "unknown");
  });
  house.clock.advance(Seconds(29));
  bus.drain();
  EXPECT_EQ(seen.size(), 0U);
  house.clock.advance(Seconds(1));
  bus.drain();
  EXPECT_EQ(seen.texts(), Texts{"a2"});
}

TEST(Timers, OneInThePastFiresAtOnce) {
  House house;
  Seen seen;
  Bus bus(house.store(), house.pool);
  bus.subscribe(noting("t", "s", seen));
  bus.start();
  house.store().transact({}, [&](Txn& txn) {
    txn.set_timer("a", house.clock.now() - Seconds(100), {"t", "", "a"});
  });
  EXPECT_TRUE(eventually([&] { return seen.size() == 1; }));
}

TEST(Timers, SurviveARestartAndFireWhatBecameDueMeanwhile) {
  House house(Medium::disk);
  const Timestamp begin = house.clock.now();
  {
    Bus bus(house.store(), house.pool);
    Seen seen;
    bus.subscribe(noting("t", "s", seen));
    bus.start();
    house.store().transact({}, [&](Txn& txn) {
      txn.set_timer("zero", begin + Seconds(1), {"t", "", "zero"});
      txn.set_timer("one", begin + Seconds(10), {"t", "", "one"});
      txn.set_timer("two", begin + std::chrono::hours(5), {"t", "", "two"});
    });
    house.clock.advance(Seconds(1));
    bus.drain();
    EXPECT_EQ(seen.texts(), Texts{"zero"});
  }
  house.reopen();
  house.clock.advance(std::chrono::hours(1));
  Seen seen;
  Bus bus(house.store(), house.pool);
  bus.subscribe(noting("t", "s", seen));
  bus.start();
  EXPECT_TRUE(eventually([&] { return seen.size() == 1; }));
  house.clock.advance(std::chrono::hours(5));
  bus.drain();
  EXPECT_EQ(seen.texts(), (Texts{"one", "two"}));
}

TEST(Timers, ManyAreFiredInBatches) {
  House house;
  Seen seen;
  Bus bus(house.store(), house.pool);
  bus.subscribe(noting("t", "s", seen));
  bus.start();
  const Timestamp begin = house.clock.now();
  for (int i = 0; i < 1000; ++i) {
    house.store().transact({}, [&](Txn& txn) {
      txn.set_timer(std::to_string(i), begin + Milliseconds(1000 + i % 7), {"t", "", "x"});
    });
  }
  house.clock.advance(Seconds(2));
  bus.drain();
  EXPECT_EQ(seen.size(), 1000U);
}

}  // namespace
}  // namespace tarn::kernel
