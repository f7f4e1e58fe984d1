// SPDX-License-Identifier: Apache-2.0
#include "base/wake.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace tarn {
namespace {

TEST(Wake, OneThatCameBeforeIsNotLost) {
  Wake wake;
  wake.release();
  wake.acquire();
}

TEST(Wake, TwoThreadsTakeTurns) {
  Wake to, fro;
  int turns = 0;  // by one thread at a time: what the sanitizer for threads looks at
  std::thread other([&] {
    for (int i = 0; i < 20'000; ++i) {
      to.acquire();
      ++turns;
      fro.release();
    }
  });
  for (int i = 0; i < 20'000; ++i) {
    to.release();
    fro.acquire();
    EXPECT_EQ(turns, i + 1);
  }
  other.join();
}

}  // namespace
}  // namespace tarn
