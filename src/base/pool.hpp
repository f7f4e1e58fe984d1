// SPDX-License-Identifier: Apache-2.0
// A fixed set of threads behind one bounded queue. Work that was accepted always runs; destruction
// drains. Resumed coroutines are always accepted (`post`), new outside work is not when the queue
// is full (`try_post`), which is how overload becomes SlowDown instead of memory.
// Of the threads that sleep, the one that fell asleep last gets the next work: under light load a
// few threads stay warm, whatever the pool's size.
#pragma once
#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/task.hpp"
#include "base/wake.hpp"

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
  struct Worker {
    std::thread thread;
    Wake wake;
    std::function<void()> work;  // what it is woken for; none: to stop
  };
  bool push(std::function<void()>& work, std::size_t max);
  void run(Worker& self);
  // What to do next; none: the pool stops.
  std::function<void()> next(Worker& self);
  const std::string name_;
  const std::size_t queue_max_;
  mutable std::mutex mutex_;
  std::deque<std::function<void()>> queue_;  // empty while a thread sleeps
  std::vector<Worker*> sleeping_;
  bool stopping_ = false;
  std::atomic<int> wakers_{0};
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace tarn
