// SPDX-License-Identifier: Apache-2.0
// Puts one thread to sleep until another wakes it. The standard library's semaphore yields the
// processor some times before it sleeps; with dozens of threads on few cores that only delays those
// that have something to do.
#pragma once
#include <atomic>
#include <cstdint>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace tarn {

class Wake {
 public:
  Wake() = default;
  Wake(const Wake&) = delete;
  Wake& operator=(const Wake&) = delete;
  // Returns once for each `release`, also for one that came before.
  void acquire() {
    while (word_.exchange(0, std::memory_order_acquire) == 0) {
      ::syscall(SYS_futex, &word_, FUTEX_WAIT_PRIVATE, 0, nullptr, nullptr, 0);
    }
  }
  // Not again before the one before was acquired.
  void release() {
    word_.store(1, std::memory_order_release);
    ::syscall(SYS_futex, &word_, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
  }

 private:
  std::atomic<std::uint32_t> word_{0};
};

}  // namespace tarn
