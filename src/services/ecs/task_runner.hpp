// SPDX-License-Identifier: Apache-2.0
// Runs committed tasks to their end: takes on their roles, resolves secrets, opens the log stream,
// mounts archives, starts the sandbox, and writes each step into the task's record, together with
// the event that tells of it.
//
// A task is never run twice: its record says ACTIVATING before its process begins. Those that had
// begun when Tarn ended are STOPPED at the next start, with the reason; those that had not are run.
//
// Threading: any thread.
#pragma once
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "aws/ecs/operations.hpp"
#include "engines/sandbox/compute.hpp"
#include "platform/job_listeners.hpp"
#include "platform/log_writer.hpp"
#include "platform/service.hpp"
#include "services/ecs/records.hpp"
#include "services/ecs/slim_image.hpp"

namespace tarn::ecs {

class TaskRunner {
 public:
  TaskRunner(platform::Environment& environment, sandbox::Compute& compute);

  // Subscribes the sender of events and ends what an earlier Tarn had begun. Returns what it had
  // accepted and not begun: the caller runs it.
  std::vector<std::pair<kernel::Scope, TaskRecord>> start();
  // Kills what runs and waits until every record says so, some seconds at most.
  void stop();
  void run(kernel::Scope scope, TaskRecord task, ContainerDefinition container, Json definition);
  // Writes down that a task that does not run will not run.
  void give_up(const kernel::Scope& scope, TaskRecord task, std::string reason);
  // Asks a running task to end; its record already says so.
  void end(const std::string& arn, std::chrono::seconds grace);

  // Writes the record with the event; the version counts up. In the caller's transaction.
  static void put(kernel::Txn& txn, TaskRecord& task);

 private:
  struct Run;
  using RunPtr = std::shared_ptr<Run>;

  ::tarn::Task<void> go(RunPtr run);
  ::tarn::Task<void> prepare(RunPtr run);
  ::tarn::Task<void> open_log(RunPtr run);
  ::tarn::Task<void> read_secrets(RunPtr run);
  ::tarn::Task<std::string> read_secret(RunPtr run, std::string from);
  ::tarn::Task<void> mount_archives(RunPtr run);
  ::tarn::Task<sandbox::LayerPtr> open_archive(RunPtr run, SlimArchive archive);
  void plan_container(Run& run);
  void plan_limits(Run& run);
  void plan_network(Run& run);
  void serve(RunPtr run, sandbox::Started started);
  ::tarn::Task<aws::HttpResponse> answer(RunPtr run, std::shared_ptr<aws::HttpRequest> request);
  aws::HttpResponse give_credentials(Run& run);
  bool is_stopping();
  void set_status(Run& run, const char* status, const std::function<void(TaskRecord&)>& change);
  void finish(Run& run, const sandbox::ExitStatus& status);
  ::tarn::Task<void> tell(kernel::Delivery delivery);

  platform::Environment& environment_;
  kernel::Store& store_;
  sandbox::Compute& compute_;
  std::mutex mutex_;
  std::condition_variable ended_;
  bool stopping_ = false;
  std::map<std::string, RunPtr> running_;  // by task ARN
};

}  // namespace tarn::ecs
