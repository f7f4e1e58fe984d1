// SPDX-License-Identifier: Apache-2.0
#include "kernel/message_queue.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <thread>

#include "kernel/testing/house.hpp"

namespace tarn::kernel {
namespace {

using testing::House;
using testing::Medium;
using Texts = std::vector<std::string>;

const Scope k_scope{"000000000000", "us-east-1"};

class Queue {
 public:
  explicit Queue(House& house, bool fifo = false)
      : house_(house),
        queue(house.store(), k_scope, "q", fifo) {}
  std::uint64_t send(std::string text, Microseconds delay = {}, std::string group = {}) {
    return house_.store().transact(k_scope, [&](Txn& txn) {
      return queue.send(txn, text, house_.clock.now() + delay, group);
    });
  }
  std::vector<QueuedMessage> take(std::size_t max = 10) { return queue.receive(max, Seconds(30)); }
  Texts texts(std::size_t max = 10) {
    Texts out;
    for (auto& message : take(max)) out.push_back(message.payload);
    return out;
  }

 private:
  House& house_;

 public:
  MessageQueue queue;
};

TEST(MessageQueue, GivesMessagesInOrderAndHidesThem) {
  House house;
  Queue q(house);
  for (const char* text : {"a", "b", "c"}) q.send(text);
  EXPECT_EQ(q.texts(2), (Texts{"a", "b"}));
  EXPECT_EQ(q.texts(2), Texts{"c"});
  EXPECT_TRUE(q.take().empty());
  EXPECT_EQ(q.queue.counts().taken, 3U);
  EXPECT_EQ(q.queue.counts().visible, 0U);
}

TEST(MessageQueue, AMessageComesBackWhenItsTimeIsOverWithItsCount) {
  House house;
  Queue q(house);
  q.send("a");
  const Timestamp first = house.clock.now();
  EXPECT_EQ(q.take()[0].receives, 1U);
  house.clock.advance(Seconds(29));
  EXPECT_TRUE(q.take().empty());
  house.clock.advance(Seconds(1));
  const auto again = q.take();
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(again[0].payload, "a");
  EXPECT_EQ(again[0].receives, 2U);
  EXPECT_EQ(again[0].first_received, first);
}

TEST(MessageQueue, ARemovedMessageIsGoneForGood) {
  House house(Medium::disk);
  std::uint64_t number = 0;
  {
    Queue q(house);
    q.send("a");
    number = q.take()[0].number;
    q.queue.remove({number});
    q.queue.remove({number, number + 1000});
    house.clock.advance(Seconds(60));
    EXPECT_TRUE(q.take().empty());
    EXPECT_EQ(q.queue.counts().visible, 0U);
  }
  house.reopen();
  Queue q(house);
  EXPECT_TRUE(q.take().empty());
  EXPECT_GT(q.send("b"), number);  // numbers are never used again
}

TEST(MessageQueue, ADelayedMessageShowsWhenDue) {
  House house;
  Queue q(house);
  q.send("late", Seconds(10));
  q.send("now");
  EXPECT_EQ(q.queue.counts().delayed, 1U);
  EXPECT_EQ(q.texts(), Texts{"now"});
  EXPECT_EQ(*q.queue.next_visible(), house.clock.now() + Seconds(10));
  house.clock.advance(Seconds(10));
  EXPECT_EQ(q.queue.counts().delayed, 0U);
  EXPECT_EQ(q.texts(), Texts{"late"});
}

TEST(MessageQueue, VisibilityCanBeChangedWhileTakenOnly) {
  House house;
  Queue q(house);
  const auto number = q.send("a");
  EXPECT_FALSE(q.queue.hide_until(number, house.clock.now()));
  q.take();
  EXPECT_TRUE(q.queue.is_taken(number));
  EXPECT_TRUE(q.queue.hide_until(number, house.clock.now()));
  EXPECT_FALSE(q.queue.is_taken(number));
  EXPECT_EQ(q.texts(), Texts{"a"});
  EXPECT_TRUE(q.queue.hide_until(number, house.clock.now() + Seconds(300)));
  house.clock.advance(Seconds(299));
  EXPECT_TRUE(q.take().empty());
  house.clock.advance(Seconds(1));
  EXPECT_EQ(q.texts(), Texts{"a"});
}

TEST(MessageQueue, WhatIsTakenOrDelayedStaysSoAcrossARestart) {
  House house(Medium::disk);
  {
    Queue q(house);
    q.send("taken");
    q.take();
    q.send("delayed", Seconds(100));
    q.send("visible");
  }
  house.reopen();
  Queue q(house);
  EXPECT_EQ(q.queue.counts().taken, 1U);
  EXPECT_EQ(q.queue.counts().delayed, 1U);
  EXPECT_EQ(q.queue.counts().visible, 1U);
  EXPECT_EQ(q.texts(), Texts{"visible"});
  house.clock.advance(Seconds(30));
  const auto back = q.take();
  ASSERT_EQ(back.size(), 2U);
  EXPECT_EQ(back[0].payload, "taken");
  EXPECT_EQ(back[0].receives, 2U);
  house.clock.advance(Seconds(70));
  EXPECT_EQ(q.take().size(), 3U);
}

TEST(MessageQueue, AnUndoneSendIsNeverSeenAndHoldsNothingUp) {
  House house;
  Queue q(house);
  {
    Txn txn = house.store().begin(k_scope);
    q.queue.send(txn, "undone", house.clock.now());
    q.send("done");
    EXPECT_TRUE(q.take().empty());  // what was drawn before may still be committed
  }
  EXPECT_EQ(q.texts(), Texts{"done"});
  EXPECT_EQ(q.queue.counts().visible, 0U);
}

TEST(MessageQueue, AMoveToAnotherQueueIsOneTransaction) {
  House house;
  Queue q(house);
  MessageQueue dead(house.store(), k_scope, "dead");
  const auto number = q.send("poison");
  q.take();
  house.store().transact(k_scope, [&](Txn& txn) {
    dead.send(txn, "poison", house.clock.now());
    q.queue.remove(txn, number);
  });
  EXPECT_EQ(dead.receive(1, Seconds(1)).size(), 1U);
  house.clock.advance(Seconds(60));
  EXPECT_TRUE(q.take().empty());
}

TEST(MessageQueue, AGroupIsHeldBackWhileOneOfItIsTaken) {
  House house;
  Queue q(house, true);
  const auto a1 = q.send("a1", {}, "a");
  q.send("a2", {}, "a");
  q.send("b1", {}, "b");
  EXPECT_EQ(q.texts(1), Texts{"a1"});
  EXPECT_EQ(q.texts(10), Texts{"b1"});
  q.queue.remove({a1});
  EXPECT_EQ(q.texts(10), Texts{"a2"});
}

TEST(MessageQueue, AFifoMessageThatComesBackIsAheadOfItsGroup) {
  House house;
  Queue q(house, true);
  q.send("a1", {}, "a");
  q.send("a2", {}, "a");
  q.send("a3", {}, "a");
  EXPECT_EQ(q.texts(2), (Texts{"a1", "a2"}));
  house.clock.advance(Seconds(30));
  EXPECT_EQ(q.texts(10), (Texts{"a1", "a2", "a3"}));
}

TEST(MessageQueue, PurgeRemovesTheTakenTheDelayedAndTheUnread) {
  House house;
  Queue q(house);
  for (int i = 0; i < 2500; ++i) q.send("x");
  q.send("late", Seconds(10));
  q.take();
  q.queue.purge();
  EXPECT_EQ(q.queue.counts().visible, 0U);
  EXPECT_EQ(q.queue.counts().taken, 0U);
  EXPECT_EQ(q.queue.counts().delayed, 0U);
  house.clock.advance(Seconds(60));
  EXPECT_TRUE(q.take().empty());
  q.send("new");
  EXPECT_EQ(q.texts(), Texts{"new"});
}

TEST(MessageQueue, OldMessagesExpireFromTheFrontOnly) {
  House house;
  Queue q(house);
  q.send("old");
  house.clock.advance(Seconds(100));
  q.send("young");
  EXPECT_EQ(q.queue.expire(house.clock.now() - Seconds(50)), 1U);
  EXPECT_EQ(q.texts(), Texts{"young"});
  q.send("forgotten");
  house.clock.advance(Seconds(100));
  EXPECT_TRUE(q.queue.receive(10, Seconds(1), house.clock.now()).empty());
  EXPECT_EQ(q.queue.counts().visible, 0U);
}

TEST(MessageQueue, AWaiterIsWokenByASendAndByAReturn) {
  House house;
  Queue q(house);
  auto woken = q.queue.changed();
  EXPECT_FALSE(woken.is_set());
  const auto number = q.send("a");
  EXPECT_TRUE(woken.is_set());
  q.take();
  woken = q.queue.changed();
  q.queue.hide_until(number, house.clock.now());
  EXPECT_TRUE(woken.is_set());
}

TEST(MessageQueue, ManySendersAndTakersLoseAndDoubleNothing) {
  House house(Medium::disk);
  Queue q(house);
  constexpr int k_senders = 4, k_each = 200;
  std::mutex mutex;
  std::multiset<std::string> got;
  std::vector<std::thread> threads;
  for (int s = 0; s < k_senders; ++s) {
    threads.emplace_back([&, s] {
      for (int i = 0; i < k_each; ++i) q.send(std::to_string(s * k_each + i));
    });
  }
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      while (true) {
        const auto messages = q.take(3);
        std::vector<std::uint64_t> numbers;
        for (const auto& message : messages) numbers.push_back(message.number);
        q.queue.remove(numbers);
        std::lock_guard lock(mutex);
        for (const auto& message : messages) got.insert(message.payload);
        if (got.size() >= k_senders * k_each) return;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(got.size(), static_cast<std::size_t>(k_senders * k_each));
  EXPECT_EQ(std::set<std::string>(got.begin(), got.end()).size(), got.size());
  EXPECT_EQ(q.queue.counts().visible, 0U);
}

}  // namespace
}  // namespace tarn::kernel
