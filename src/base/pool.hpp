// SPDX-License-Identifier: Apache-2.0
// A fixed set of threads behind one bounded queue. Work that was accepted always runs; destruction
// drains. Resumed coroutines are always accepted (`post`), new outside work is not when the queue
// is full (`try_post`), which is how overload becomes SlowDown instead of memory.
#pragma once
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/task.hpp"

namespace tarn {

class ThreadPool : public Executor {
 public:
  ThreadPool(std::string name, std::size_t threads, std::size_t queue_max = 4096);
  ~ThreadPool() override;
  void post(std::function<void()> work) override;
  bool try_post(std::function<void()> work);
  std::size_t queued() const;
  // Runs what is queued, then joins; further posts run inline on the poster's thread.
  void stop();

 private:
  bool push(std::function<void()>& work, std::size_t max);
  void run();
  const std::string name_;
  const std::size_t queue_max_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  bool stopping_ = false;
  std::atomic<int> wakers_{0};
  std::vector<std::thread> threads_;
};

}  // namespace tarn
