// SPDX-License-Identifier: Apache-2.0
// Warm execution environments: an invocation takes an idle one of the same image or has a new one
// made, and gives it back. Bounds how many exist, for each function (its reserved concurrency) and
// in all; idle ones end after some minutes, or when their function changes, or to make room.
//
// Threading: any thread.
#pragma once
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "services/lambda/execution_environment.hpp"

namespace tarn::lambda {

class EnvironmentPool {
 public:
  explicit EnvironmentPool(RuntimeResources resources) : resources_(resources) {}
  ~EnvironmentPool() { stop(); }

  // Throws TooManyRequestsException when all that may run do.
  Task<InvocationResult> invoke(FunctionImage image, Invocation invocation);
  // Idle environments of the function end now, busy ones after their invocation.
  void retire(const std::string& arn);
  // Ends all environments and waits for them, some seconds at most.
  void stop();

 private:
  using EnvironmentPtr = std::shared_ptr<ExecutionEnvironment>;
  struct Idle {
    EnvironmentPtr environment;
    Timestamp since;
  };
  // With a place taken, in `environment` or in a new one.
  Task<InvocationResult> work(FunctionImage image, Invocation invocation,
                              EnvironmentPtr environment);
  // Counts one more of `arn`; an idle one to use, or null: make one.
  EnvironmentPtr take(const FunctionImage& image, const std::string& fingerprint);
  void give_back(const std::string& arn, std::uint64_t generation, EnvironmentPtr environment);
  void end_idle();

  const RuntimeResources resources_;
  std::mutex mutex_;
  bool stopping_ = false;
  std::size_t running_ = 0;
  std::map<std::string, std::size_t> running_by_arn_;
  std::map<std::string, std::uint64_t> generations_;  // by ARN: how often it was retired
  std::list<std::pair<std::string, Idle>> idle_;      // by fingerprint, the oldest first
  std::set<EnvironmentPtr> busy_;
  bool timer_set_ = false;
};

}  // namespace tarn::lambda
