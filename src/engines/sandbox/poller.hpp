// SPDX-License-Identifier: Apache-2.0
// One thread that waits for descriptors, deadlines and posted work. It also starts every sandbox:
// the kernel ties a child's death to the *thread* that made it, so that thread must live long.
//
// Threading: `post`, `after` and `run` from any thread; `watch`, `rewatch` and `forget` only from
// the poller's own. Deadlines are real time (steady clock): moving Tarn's clock ends no job.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/task.hpp"
#include "engines/sandbox/fd.hpp"

namespace tarn::sandbox {

class Poller : public Executor {
 public:
  using Ready = std::function<void(std::uint32_t events)>;
  Poller();
  ~Poller() override;  // what was posted runs; deadlines and descriptors are dropped

  void post(std::function<void()> work) override;
  void after(std::chrono::milliseconds delay, std::function<void()> work);

  void watch(int fd, std::uint32_t events, Ready ready);
  void rewatch(int fd, std::uint32_t events);  // 0: pause
  void forget(int fd);

 private:
  using Clock = std::chrono::steady_clock;
  void run();
  void run_posted();
  int wait_ms();
  void wake();

  Fd epoll_, event_;
  std::mutex mutex_;
  std::vector<std::function<void()>> posted_;
  std::multimap<Clock::time_point, std::function<void()>> deadlines_;
  bool stopping_ = false;
  std::unordered_map<int, std::shared_ptr<Ready>> watched_;
  std::thread thread_;
};

}  // namespace tarn::sandbox
