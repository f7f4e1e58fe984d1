// SPDX-License-Identifier: Apache-2.0
#include "base/task.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>

#include "base/pool.hpp"

namespace tarn {
namespace {

Task<int> answer() { co_return 42; }

Task<int> twice(int value) {
  const int once = co_await answer();
  co_return once + value;
}

Task<void> fail(std::string what) {
  throw std::runtime_error(what);
  co_return;
}

Task<std::string> message_of_failure() {
  try {
    co_await fail("broken");
  } catch (const std::runtime_error& error) {
    co_return error.what();
  }
  co_return "no failure";
}

TEST(Task, GivesTheValueOfWhatItAwaits) {
  ThreadPool pool("test", 2);
  EXPECT_EQ(sync_wait<int>({&pool, {}}, twice(1)), 43);
}

TEST(Task, ExceptionsTravelToTheAwaiter) {
  ThreadPool pool("test", 2);
  EXPECT_EQ(sync_wait<std::string>({&pool, {}}, message_of_failure()), "broken");
  EXPECT_THROW(sync_wait<void>({&pool, {}}, fail("outside")), std::runtime_error);
}

TEST(Task, ATaskThatIsNeverAwaitedNeverRuns) {
  struct Body {
    static Task<void> run(bool* ran) {
      *ran = true;
      co_return;
    }
  };
  bool ran = false;
  { auto task = Body::run(&ran); }
  EXPECT_FALSE(ran);
}

TEST(Task, DeepChainsDoNotUseTheStack) {
  struct Body {
    static Task<int> count(int depth) {
      if (depth == 0) co_return 0;
      const int below = co_await count(depth - 1);
      co_return below + 1;
    }
  };
  ThreadPool pool("test", 1);
  EXPECT_EQ(sync_wait<int>({&pool, {}}, Body::count(1000)), 1000);
}

TEST(Task, AWaitResumesOnItsOwnExecutor) {
  struct Body {
    static Task<bool> run(OneShot<void> signal) {
      const auto before = std::this_thread::get_id();
      co_await signal;
      co_return std::this_thread::get_id() == before;
    }
  };
  ThreadPool pool("test", 1);
  OneShot<void> signal;
  std::thread setter([signal] {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    signal.set();
  });
  EXPECT_TRUE(sync_wait<bool>({&pool, {}}, Body::run(signal)));
  setter.join();
}

// A capture whose end takes a while, so that a race would be seen.
struct Slow {
  std::atomic<int>* gone;
  explicit Slow(std::atomic<int>* gone) : gone(gone) {}
  ~Slow() {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    ++*gone;
  }
};

TEST(Task, WhatAFunctionHeldIsGoneWhenItsAwaiterGoesOn) {
  ThreadPool pool("test", 2), other("other", 1);
  std::atomic<int> gone{0};
  auto held = std::make_shared<Slow>(&gone);
  auto function = [held] { return 1; };
  held.reset();
  EXPECT_EQ(sync_wait<int>({&pool, {}}, run_on(other, std::move(function))), 1);
  EXPECT_EQ(gone, 1);
  auto failing = [held = std::make_shared<Slow>(&gone)] { throw std::runtime_error("broken"); };
  EXPECT_THROW(sync_wait<void>({&pool, {}}, run_on(other, std::move(failing))), std::runtime_error);
  EXPECT_EQ(gone, 2);
}

TEST(Task, WhatATaskHeldIsGoneWhenItsOutcomeIsHeard) {
  struct Body {
    static Task<int> run(std::shared_ptr<Slow> held) { co_return held ? 1 : 0; }
  };
  ThreadPool pool("test", 1);
  std::atomic<int> gone{0};
  auto task = Body::run(std::make_shared<Slow>(&gone));
  EXPECT_EQ(sync_wait<int>({&pool, {}}, std::move(task)), 1);
  EXPECT_EQ(gone, 1);
}

TEST(OneShot, OnlyTheFirstValueCounts) {
  OneShot<int> shot;
  EXPECT_FALSE(shot.is_set());
  EXPECT_TRUE(shot.set(1));
  EXPECT_FALSE(shot.set(2));
  EXPECT_FALSE(shot.set_error(std::make_exception_ptr(std::runtime_error("late"))));
  EXPECT_EQ(shot.block(), 1);
}

struct Waiter {
  static Task<void> wait(OneShot<void> shot, std::atomic<int>* unwound) {
    struct Guard {
      std::atomic<int>* count;
      ~Guard() { ++*count; }
    } guard{unwound};
    co_await shot;
  }
};

TEST(Task, StoppingUnwindsAtThePointOfWaiting) {
  ThreadPool pool("test", 2);
  std::stop_source stop;
  std::atomic<int> unwound{0};
  OneShot<void> never, done;
  std::atomic<bool> cancelled{false};
  auto task = Waiter::wait(never, &unwound);
  spawn<void>({&pool, stop.get_token()}, std::move(task), [&, done](Outcome<void> outcome) {
    try {
      outcome.take();
    } catch (const Cancelled&) {
      cancelled = true;
    }
    done.set();
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  stop.request_stop();
  done.block();
  EXPECT_TRUE(cancelled);
  EXPECT_EQ(unwound, 1);
  EXPECT_FALSE(never.set());  // nobody waits any more
}

TEST(Task, AStopBeforeTheWaitCancelsItToo) {
  ThreadPool pool("test", 1);
  std::stop_source stop;
  stop.request_stop();
  std::atomic<int> unwound{0};
  OneShot<void> never;
  auto task = Waiter::wait(never, &unwound);
  EXPECT_THROW(sync_wait<void>({&pool, stop.get_token()}, std::move(task)), Cancelled);
  EXPECT_EQ(unwound, 1);
}

TEST(Task, ValueAndStopMayRaceInAnyOrder) {
  ThreadPool pool("test", 4);
  int values = 0, cancellations = 0;
  for (int round = 0; round < 500; ++round) {
    std::stop_source stop;
    OneShot<void> shot, done;
    std::atomic<int> unwound{0};
    bool was_cancelled = false;
    auto task = Waiter::wait(shot, &unwound);
    spawn<void>({&pool, stop.get_token()}, std::move(task), [&, done](Outcome<void> outcome) {
      was_cancelled = outcome.failed();
      done.set();
    });
    std::thread setter([&] { shot.set(); });
    std::thread stopper([&] { stop.request_stop(); });
    setter.join();
    stopper.join();
    done.block();
    EXPECT_EQ(unwound, 1);
    ++(was_cancelled ? cancellations : values);
  }
  EXPECT_EQ(values + cancellations, 500);
}

TEST(Task, ManyWaitersOfManySignalsAllEnd) {
  ThreadPool pool("test", 4);
  constexpr int k_count = 2000;
  std::atomic<int> ended{0}, unwound{0};
  std::vector<OneShot<void>> shots(k_count);
  OneShot<void> all;
  for (int i = 0; i < k_count; ++i) {
    auto task = Waiter::wait(shots[static_cast<std::size_t>(i)], &unwound);
    spawn<void>({&pool, {}}, std::move(task), [&, all](Outcome<void>) {
      if (++ended == k_count) all.set();
    });
  }
  std::thread left([&] {
    for (int i = 0; i < k_count; i += 2) shots[static_cast<std::size_t>(i)].set();
  });
  for (int i = 1; i < k_count; i += 2) shots[static_cast<std::size_t>(i)].set();
  left.join();
  all.block();
  EXPECT_EQ(unwound, k_count);
}

TEST(Task, WhenAllWaitsForEveryOneAndThrowsTheFirstFailure) {
  struct Body {
    static Task<int> after(int ms, int value, std::atomic<int>* ended) {
      std::this_thread::sleep_for(std::chrono::milliseconds(ms));
      ++*ended;
      if (value < 0) throw std::runtime_error(std::to_string(value));
      co_return value;
    }
    static Task<std::vector<int>> all(std::vector<int> values, std::atomic<int>* ended) {
      std::vector<Task<int>> tasks;
      for (const int value : values) tasks.push_back(after(value > 1 ? 1 : 4, value, ended));
      co_return co_await when_all(std::move(tasks));
    }
  };
  ThreadPool pool("test", 3);
  std::atomic<int> ended{0};
  EXPECT_EQ(sync_wait<std::vector<int>>({&pool, {}}, Body::all({1, 2, 3}, &ended)),
            (std::vector<int>{1, 2, 3}));
  ended = 0;
  try {
    sync_wait<std::vector<int>>({&pool, {}}, Body::all({1, -2, -3}, &ended));
    FAIL() << "no failure";
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "-2");
  }
  EXPECT_EQ(ended, 3);
}

TEST(Task, BlockingWorkRunsElsewhere) {
  struct Body {
    static Task<bool> run(ThreadPool* other) {
      const auto here = std::this_thread::get_id();
      const auto there = co_await run_on(*other, [] { return std::this_thread::get_id(); });
      co_return there != here&& std::this_thread::get_id() == here;
    }
  };
  ThreadPool pool("test", 1), other("other", 1);
  EXPECT_TRUE(sync_wait<bool>({&pool, {}}, Body::run(&other)));
}

}  // namespace
}  // namespace tarn
