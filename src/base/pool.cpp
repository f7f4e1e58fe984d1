// SPDX-License-Identifier: Apache-2.0
#include "base/pool.hpp"

#include <limits>

#include <pthread.h>

namespace tarn {

ThreadPool::ThreadPool(std::string name, std::size_t threads, std::size_t queue_max)
    : name_(std::move(name)),
      queue_max_(queue_max) {
  threads_.reserve(threads);
  for (std::size_t i = 0; i < threads; ++i) {
    threads_.emplace_back([this] {
      pthread_setname_np(pthread_self(), name_.substr(0, 15).c_str());
      run();
    });
  }
}

ThreadPool::~ThreadPool() { stop(); }

// Waking happens outside the lock, or the woken thread would wait for it at once. What was posted
// may have let the pool's owner go on to destroy it by then, so `stop` waits for the wakers.
bool ThreadPool::push(std::function<void()>& work, std::size_t max) {
  ++wakers_;
  bool taken = false;
  {
    std::lock_guard lock(mutex_);
    taken = !stopping_ && queue_.size() < max;
    if (taken) queue_.push_back(std::move(work));
  }
  if (taken) changed_.notify_one();
  --wakers_;
  return taken;
}

void ThreadPool::post(std::function<void()> work) {
  if (!push(work, std::numeric_limits<std::size_t>::max())) work();
}

bool ThreadPool::try_post(std::function<void()> work) { return push(work, queue_max_); }

std::size_t ThreadPool::queued() const {
  std::lock_guard lock(mutex_);
  return queue_.size();
}

void ThreadPool::stop() {
  {
    std::lock_guard lock(mutex_);
    if (stopping_ && threads_.empty()) return;
    stopping_ = true;
  }
  changed_.notify_all();
  for (auto& thread : threads_) thread.join();
  threads_.clear();
  while (wakers_ > 0) std::this_thread::yield();
}

void ThreadPool::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    auto work = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    work();
    work = nullptr;  // its destructors run outside the lock
    lock.lock();
  }
}

}  // namespace tarn
