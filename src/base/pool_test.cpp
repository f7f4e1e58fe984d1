// SPDX-License-Identifier: Apache-2.0
#include "base/pool.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>

namespace tarn {
namespace {

TEST(ThreadPool, RunsEverythingExactlyOnce) {
  std::atomic<int> runs{0};
  {
    ThreadPool pool("test", 4);
    for (int i = 0; i < 1000; ++i) pool.post([&] { ++runs; });
  }
  EXPECT_EQ(runs, 1000);  // destruction drains
}

TEST(ThreadPool, OutsideWorkIsRefusedWhenTheQueueIsFull) {
  std::latch started(1),
      go(1);  // outlive the pool: its thread may still be inside wait() when the test ends
  ThreadPool pool("test", 1, 2);
  pool.post([&] {
    started.count_down();
    go.wait();
  });
  started.wait();
  EXPECT_TRUE(pool.try_post([] {}));
  EXPECT_TRUE(pool.try_post([] {}));
  EXPECT_FALSE(pool.try_post([] {}));
  EXPECT_EQ(pool.queued(), 2U);
  pool.post([] {});  // what was begun must go on
  EXPECT_EQ(pool.queued(), 3U);
  go.count_down();
}

TEST(ThreadPool, AfterStopWorkRunsOnThePostersThread) {
  ThreadPool pool("test", 2);
  pool.stop();
  pool.stop();
  std::thread::id ran_on;
  pool.post([&] { ran_on = std::this_thread::get_id(); });
  EXPECT_EQ(ran_on, std::this_thread::get_id());
  EXPECT_FALSE(pool.try_post([] {}));
}

TEST(ThreadPool, WorkMayPostMoreWork) {
  std::atomic<int> runs{0};
  {
    std::function<void(int)>
        more;  // outlives the pool, like `begun`: its last call may still be returning
    OneShot<void> begun;
    ThreadPool pool("test", 2);
    more = [&](int left) {
      ++runs;
      if (left > 0) pool.post([&more, left] { more(left - 1); });
    };
    pool.post([&] {
      more(100);
      begun.set();
    });
    begun.block();
    while (runs < 101) std::this_thread::yield();
  }
  EXPECT_EQ(runs, 101);
}

}  // namespace
}  // namespace tarn
