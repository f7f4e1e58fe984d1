// SPDX-License-Identifier: Apache-2.0
#include "base/pool.hpp"

#include <limits>
#include <utility>

#include <pthread.h>

namespace tarn {

ThreadPool::ThreadPool(std::string name, std::size_t threads, std::size_t queue_max)
    : name_(std::move(name)),
      queue_max_(queue_max) {
  sleeping_.reserve(threads);
  for (std::size_t i = 0; i < threads; ++i) workers_.push_back(std::make_unique<Worker>());
  for (const auto& worker : workers_) {
    worker->thread = std::thread([this, self = worker.get()] {
      pthread_setname_np(pthread_self(), name_.substr(0, 15).c_str());
      run(*self);
    });
  }
}

ThreadPool::~ThreadPool() { stop(); }

// Waking happens outside the lock, or the woken thread would wait for it at once. What was posted
// may have let the pool's owner go on to destroy it by then, so `stop` waits for the wakers.
bool ThreadPool::push(std::function<void()>& work, std::size_t max) {
  ++wakers_;
  bool taken = false;
  Worker* worker = nullptr;
  {
    std::lock_guard lock(mutex_);
    if (!stopping_ && !sleeping_.empty()) {
      worker = sleeping_.back();
      sleeping_.pop_back();
      worker->work = std::move(work);
      taken = true;
    } else if (!stopping_ && queue_.size() < max) {
      queue_.push_back(std::move(work));
      taken = true;
    }
  }
  if (worker) worker->wake.release();
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
  std::vector<Worker*> idle;
  {
    std::lock_guard lock(mutex_);
    if (stopping_ && workers_.empty()) return;
    stopping_ = true;
    idle.swap(sleeping_);
  }
  for (Worker* worker : idle) worker->wake.release();
  for (const auto& worker : workers_) worker->thread.join();
  while (wakers_ > 0) std::this_thread::yield();
  workers_.clear();
}

std::function<void()> ThreadPool::next(Worker& self) {
  {
    std::lock_guard lock(mutex_);
    if (!queue_.empty()) {
      auto work = std::move(queue_.front());
      queue_.pop_front();
      return work;
    }
    if (stopping_) return {};
    sleeping_.push_back(&self);
  }
  self.wake.acquire();
  return std::exchange(self.work, {});
}

void ThreadPool::run(Worker& self) {
  while (auto work = next(self)) work();  // its destructors run before the next is fetched
}

}  // namespace tarn
