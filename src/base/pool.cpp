// SPDX-License-Identifier: Apache-2.0
#include "base/pool.hpp"

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

void ThreadPool::post(std::function<void()> work) {
  {
    std::lock_guard lock(mutex_);
    if (!stopping_) {
      queue_.push_back(std::move(work));
      changed_.notify_one();
      return;
    }
  }
  work();
}

bool ThreadPool::try_post(std::function<void()> work) {
  std::lock_guard lock(mutex_);
  if (stopping_ || queue_.size() >= queue_max_) return false;
  queue_.push_back(std::move(work));
  changed_.notify_one();
  return true;
}

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
