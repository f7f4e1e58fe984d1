// SPDX-License-Identifier: Apache-2.0
#include "services/lambda/environment_pool.hpp"

#include <algorithm>
#include <thread>

#include "aws/lambda/errors.hpp"

namespace tarn::lambda {
namespace {

constexpr std::size_t k_environments_max = 64;  // busy and idle together
constexpr std::chrono::minutes k_idle_max{5};
constexpr std::chrono::seconds k_idle_check{30};

[[noreturn]] void throttle(std::string_view reason) {
  throw TooManyRequestsException("Rate Exceeded.")
      .with("Reason", reason)
      .with("Type", std::string_view("User"));
}

}  // namespace

EnvironmentPool::EnvironmentPtr EnvironmentPool::take(const FunctionImage& image,
                                                      const std::string& fingerprint) {
  std::vector<EnvironmentPtr> doomed;
  EnvironmentPtr found;
  {
    std::lock_guard lock(mutex_);
    if (stopping_) throttle("ConcurrentInvocationLimitExceeded");
    std::size_t& of_function = running_by_arn_[image.arn];
    if (image.reserved_concurrency &&
        of_function >= static_cast<std::size_t>(*image.reserved_concurrency)) {
      throttle("ReservedFunctionConcurrentInvocationLimitExceeded");
    }
    for (auto it = idle_.end(); !found && it != idle_.begin();) {
      --it;
      if (it->first != fingerprint) continue;
      if (it->second.environment->usable())
        found = it->second.environment;
      else
        doomed.push_back(it->second.environment);
      it = idle_.erase(it);
    }
    if (!found) {
      if (running_ >= k_environments_max) throttle("ConcurrentInvocationLimitExceeded");
      while (running_ + idle_.size() >= k_environments_max) {
        doomed.push_back(idle_.front().second.environment);
        idle_.pop_front();
      }
    }
    ++of_function;
    ++running_;
  }
  for (const auto& environment : doomed) environment->close();
  return found;
}

void EnvironmentPool::give_back(const std::string& arn, std::uint64_t generation,
                                EnvironmentPtr environment) {
  bool keep = environment && environment->usable();
  bool set_timer = false;
  {
    std::lock_guard lock(mutex_);
    busy_.erase(environment);
    --running_;
    if (--running_by_arn_[arn] == 0) running_by_arn_.erase(arn);
    keep = keep && !stopping_ && generations_[arn] == generation;
    if (keep) {
      std::string fingerprint = environment->image().fingerprint();
      idle_.emplace_back(std::move(fingerprint), Idle{environment, resources_.real_clock.now()});
      set_timer = !std::exchange(timer_set_, true);
    }
  }
  if (environment && !keep) environment->close();
  if (set_timer) {
    resources_.real_clock.call_at(resources_.real_clock.now() + k_idle_check,
                                  [this] { end_idle(); });
  }
}

void EnvironmentPool::end_idle() {
  std::vector<EnvironmentPtr> doomed;
  bool again = false;
  {
    std::lock_guard lock(mutex_);
    const Timestamp oldest = resources_.real_clock.now() - k_idle_max;
    while (!idle_.empty() && idle_.front().second.since < oldest) {
      doomed.push_back(idle_.front().second.environment);
      idle_.pop_front();
    }
    again = !idle_.empty() && !stopping_;
    timer_set_ = again;
  }
  for (const auto& environment : doomed) environment->close();
  if (again) {
    resources_.real_clock.call_at(resources_.real_clock.now() + k_idle_check,
                                  [this] { end_idle(); });
  }
}

// A function runs to its end also when nobody waits for it any more, as in AWS: a caller that has
// gone, or a mapping that was deleted, cancels only its own waiting.
Task<InvocationResult> EnvironmentPool::invoke(FunctionImage image, Invocation invocation) {
  const std::string fingerprint = image.fingerprint();
  EnvironmentPtr environment = take(image, fingerprint);
  const TaskContext context = co_await current_context();
  OneShot<InvocationResult> end;
  spawn<InvocationResult>(
      {context.executor, {}}, work(std::move(image), std::move(invocation), std::move(environment)),
      [end](Outcome<InvocationResult> outcome) { end.set_outcome(std::move(outcome)); });
  co_return co_await end;
}

Task<InvocationResult> EnvironmentPool::work(FunctionImage image, Invocation invocation,
                                             EnvironmentPtr environment) {
  const auto alive = resources_.alive;  // `stop` waits for it
  const std::string arn = image.arn;
  std::uint64_t generation = 0;
  {
    std::lock_guard lock(mutex_);
    generation = generations_[arn];
  }
  std::exception_ptr failure;
  InvocationResult result;
  try {
    if (!environment) {
      environment = co_await ExecutionEnvironment::launch(resources_, std::move(image));
    }
    {
      std::lock_guard lock(mutex_);
      if (stopping_) throttle("ConcurrentInvocationLimitExceeded");
      busy_.insert(environment);
    }
    result = co_await environment->invoke(std::move(invocation));
  } catch (...) {
    failure = std::current_exception();
  }
  // After a failure its state is unknown.
  if (failure && environment) environment->close();
  give_back(arn, generation, std::move(environment));
  if (failure) std::rethrow_exception(failure);
  co_return result;
}

void EnvironmentPool::retire(const std::string& arn) {
  std::vector<EnvironmentPtr> doomed;
  {
    std::lock_guard lock(mutex_);
    ++generations_[arn];
    std::erase_if(idle_, [&](const auto& entry) {
      if (entry.second.environment->image().arn != arn) return false;
      doomed.push_back(entry.second.environment);
      return true;
    });
  }
  for (const auto& environment : doomed) environment->close();
}

void EnvironmentPool::stop() {
  std::set<EnvironmentPtr> doomed;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    doomed = busy_;
    for (const auto& [fingerprint, idle] : idle_) doomed.insert(idle.environment);
    idle_.clear();
  }
  for (const auto& environment : doomed) environment->close();
  doomed.clear();
  for (int i = 0; i < 500 && resources_.alive.use_count() > 1; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

}  // namespace tarn::lambda
