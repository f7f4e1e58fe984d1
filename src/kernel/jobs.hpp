// SPDX-License-Identifier: Apache-2.0
// Durable jobs: work that must end although the process may not live that long (a stack operation,
// a SQL statement, a task to watch). A job is a record {type, id, input, state}; a runner of its
// type drives it in a task on the background pool. After a restart every unfinished job runs again
// from its last checkpoint, so what a runner does between two checkpoints must be repeatable: it
// uses effect ids that it checkpointed before.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "base/task.hpp"
#include "kernel/store.hpp"

namespace tarn::kernel {

class JobContext {
 public:
  virtual ~JobContext() = default;
  virtual const std::string& id() const = 0;
  virtual const Scope& scope() const = 0;
  virtual const std::string& input() const = 0;
  virtual const std::string& state() const = 0;  // the last checkpoint, empty at first
  // Durable when it returns.
  virtual void checkpoint(std::string state) = 0;
  // As part of the caller's own transaction.
  virtual void checkpoint(Txn& txn, std::string state) = 0;
  // A request to end early (`Jobs::cancel`), to be looked at between steps.
  virtual bool cancel_requested() const = 0;
};
using JobContextPtr = std::shared_ptr<JobContext>;

class Jobs {
 public:
  // Returning ends the job. Throwing runs it again after a backoff, `attempts_max` times, then
  // `failed(context, reason)` is called once and the job ends. Cancelled (shutdown) is neither.
  struct Type {
    std::string name;  // "cloudformation.stack-operation"
    std::function<Task<void>(JobContextPtr)> run;
    std::function<void(JobContextPtr, const std::string& reason)> failed;
    int attempts_max = 5;
    std::size_t running_max = 64;
  };
  Jobs(Store& store, Executor& background);
  ~Jobs();
  void define(Type type);
  void start();  // resumes what is unfinished
  void stop();
  // In the transaction that decides it: starts after the commit. Ids are unique per type.
  void submit(Txn& txn, std::string type, std::string id, std::string input);
  void cancel(const std::string& type, const std::string& id);
  // For tests: returns when no job runs or waits to.
  void drain();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tarn::kernel
