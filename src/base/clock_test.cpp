// SPDX-License-Identifier: Apache-2.0
#include "base/clock.hpp"

#include <gtest/gtest.h>

#include <atomic>

#include "base/pool.hpp"

namespace tarn {
namespace {

TEST(ManualClock, TimersRunInOrderEachAtItsOwnTime) {
  ManualClock clock;
  const Timestamp begin = clock.now();
  std::vector<std::pair<std::string, Microseconds>> seen;
  const auto note = [&](const char* name) {
    return [&seen, &clock, begin, name] { seen.emplace_back(name, clock.now() - begin); };
  };
  clock.call_at(begin + Seconds(3), note("c"));
  clock.call_at(begin + Seconds(1), note("a"));
  clock.call_at(begin + Seconds(2), note("b"));
  clock.advance(Milliseconds(999));
  EXPECT_TRUE(seen.empty());
  clock.advance(Seconds(5));
  const std::vector<std::pair<std::string, Microseconds>> expected = {
      {"a", Seconds(1)}, {"b", Seconds(2)}, {"c", Seconds(3)}};
  EXPECT_EQ(seen, expected);
  EXPECT_EQ(clock.now(), begin + Milliseconds(5999));
}

TEST(ManualClock, ATimerMaySetAnotherThatIsDueWithinTheSameAdvance) {
  ManualClock clock;
  int runs = 0;
  std::function<void()> again = [&] {
    if (++runs < 5) clock.call_at(clock.now() + Seconds(1), again);
  };
  clock.call_at(clock.now() + Seconds(1), again);
  clock.advance(Seconds(10));
  EXPECT_EQ(runs, 5);
}

TEST(ManualClock, ACancelledTimerDoesNotRun) {
  ManualClock clock;
  bool ran = false;
  const auto id = clock.call_at(clock.now() + Seconds(1), [&] { ran = true; });
  EXPECT_EQ(clock.timer_count(), 1U);
  EXPECT_TRUE(clock.cancel(id));
  EXPECT_FALSE(clock.cancel(id));
  clock.advance(Seconds(2));
  EXPECT_FALSE(ran);
}

TEST(ManualClock, WhatIsDueAlreadyRunsAtOnce) {
  ManualClock clock;
  bool ran = false;
  clock.call_at(clock.now(), [&] { ran = true; });
  EXPECT_TRUE(ran);
}

TEST(ManualClock, TimeNeverGoesBack) {
  ManualClock clock;
  const Timestamp begin = clock.now();
  clock.set(begin - Seconds(1));
  EXPECT_EQ(clock.now(), begin);
}

TEST(Sleep, EndsWhenTheClockSaysSo) {
  ThreadPool pool("test", 1);
  ManualClock clock;
  OneShot<void> done;
  auto task = sleep_for(clock, Seconds(10));
  spawn<void>({&pool, {}}, std::move(task), [done](Outcome<void>) { done.set(); });
  while (clock.timer_count() == 0) std::this_thread::yield();
  clock.advance(Seconds(9));
  EXPECT_FALSE(done.is_set());
  clock.advance(Seconds(1));
  done.block();
}

TEST(Sleep, ACancelledSleepTakesItsTimerBack) {
  ThreadPool pool("test", 1);
  ManualClock clock;
  std::stop_source stop;
  OneShot<void> done;
  auto task = sleep_for(clock, Seconds(10));
  spawn<void>({&pool, stop.get_token()}, std::move(task), [done](Outcome<void>) { done.set(); });
  while (clock.timer_count() == 0) std::this_thread::yield();
  stop.request_stop();
  done.block();
  EXPECT_EQ(clock.timer_count(), 0U);
}

TEST(SystemClock, TimersRunSoonAndMovingTimeFiresThem) {
  SystemClock clock;
  OneShot<void> soon, later;
  clock.call_at(clock.now() + Milliseconds(5), [soon] { soon.set(); });
  soon.block();
  const Timestamp before = clock.now();
  clock.call_at(clock.now() + std::chrono::hours(24), [later] { later.set(); });
  EXPECT_FALSE(later.is_set());
  clock.advance(std::chrono::hours(25));
  later.block();
  EXPECT_GE(clock.now() - before, std::chrono::hours(25));
}

TEST(SystemClock, EarlierTimersOvertakeLaterOnes) {
  SystemClock clock;
  std::atomic<int> order{0};
  int first = 0, second = 0;
  OneShot<void> done;
  clock.call_at(clock.now() + Milliseconds(30), [&, done] {
    second = ++order;
    done.set();
  });
  clock.call_at(clock.now() + Milliseconds(5), [&] { first = ++order; });
  const auto never = clock.call_at(clock.now() + Milliseconds(20), [&] { order = 100; });
  EXPECT_TRUE(clock.cancel(never));
  done.block();
  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, 2);
}

}  // namespace
}  // namespace tarn
