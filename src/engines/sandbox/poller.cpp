// SPDX-License-Identifier: Apache-2.0
#include "engines/sandbox/poller.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>

#include "base/check.hpp"

namespace tarn::sandbox {

Poller::Poller()
    : epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  TARN_CHECK(epoll_ && event_);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = event_.get();
  TARN_CHECK(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, event_.get(), &event) == 0);
  thread_ = std::thread([this] { run(); });
}

Poller::~Poller() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake();
  thread_.join();
}

void Poller::wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto n = ::write(event_.get(), &one, sizeof one);
}

void Poller::post(std::function<void()> work) {
  {
    std::lock_guard lock(mutex_);
    posted_.push_back(std::move(work));
  }
  wake();
}

void Poller::after(std::chrono::milliseconds delay, std::function<void()> work) {
  {
    std::lock_guard lock(mutex_);
    deadlines_.emplace(Clock::now() + delay, std::move(work));
  }
  wake();
}

void Poller::watch(int fd, std::uint32_t events, Ready ready) {
  watched_[fd] = std::make_shared<Ready>(std::move(ready));
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  TARN_CHECK(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0);
}

// A paused descriptor leaves the set, because hang-ups are reported whatever was asked for.
void Poller::rewatch(int fd, std::uint32_t events) {
  if (!watched_.contains(fd)) return;
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  if (events == 0) {
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  } else if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
  }
}

void Poller::forget(int fd) {
  if (watched_.erase(fd) > 0) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

int Poller::wait_ms() {
  std::lock_guard lock(mutex_);
  if (stopping_ || !posted_.empty()) return 0;
  if (deadlines_.empty()) return -1;
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(deadlines_.begin()->first - Clock::now());
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 60'000));
}

void Poller::run_posted() {
  std::vector<std::function<void()>> due;
  {
    std::lock_guard lock(mutex_);
    due.swap(posted_);
    const auto now = Clock::now();
    while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
      due.push_back(std::move(deadlines_.begin()->second));
      deadlines_.erase(deadlines_.begin());
    }
  }
  for (auto& work : due) work();
}

void Poller::run() {
  ::prctl(PR_SET_NAME, "sandbox");
  std::vector<epoll_event> events(64);
  for (;;) {
    const int count =
        ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), wait_ms());
    for (int i = 0; i < count; ++i) {
      if (events[i].data.fd == event_.get()) {
        std::uint64_t ignored = 0;
        [[maybe_unused]] const auto n = ::read(event_.get(), &ignored, sizeof ignored);
        continue;
      }
      const auto found = watched_.find(events[i].data.fd);
      if (found == watched_.end()) continue;  // forgotten by an earlier one of this round
      const auto ready = found->second;
      (*ready)(events[i].events);
    }
    run_posted();
    std::lock_guard lock(mutex_);
    if (stopping_ && posted_.empty()) return;
  }
}

}  // namespace tarn::sandbox
