// SPDX-License-Identifier: Apache-2.0
// Keeps executions going: gives events to `asl::step`, commits what changed, then lets the effects
// out. One strand per execution: its events are stepped one batch at a time, on the call pool.
//
// Everything that a restart needs is committed before an effect leaves: history, frames, timers (as
// times in frames). `start` resumes what was running: tasks under way are carried out again with
// their effect ids. Executions of StartSyncExecution live in memory only, as AWS's do not survive
// their caller either.
//
// Threading: all public functions from any thread. Timers call back on the clock's thread and only
// post.
#pragma once
#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "platform/service.hpp"
#include "services/stepfunctions/execution.hpp"
#include "services/stepfunctions/records.hpp"

namespace tarn::stepfunctions {

// What a task left.
struct TaskOutcome {
  bool succeeded = false;
  bool abandoned = false;  // stopped or handed over to a task token: nothing to report
  asl::Datum output;
  std::optional<std::string> error, cause;
};

// A task to carry out, and the way to report on the way.
struct TaskOrder {
  kernel::Scope scope;
  std::string execution_arn, execution_name, machine_arn;
  std::string role_arn;  // the machine's, or the task's own
  std::string effect_id;
  std::string input_text;
  asl::Resource resource;
  asl::Datum arguments;
  std::optional<asl::Datum> submission;       // the request was made before a restart
  std::function<void(asl::Datum)> submitted;  // .sync and .waitForTaskToken: the request was taken
  std::stop_token stop;
  std::function<bool()> shutting_down;  // the stop is not the execution's: it goes on later
};

// An activity's task for a worker.
struct ActivityTask {
  std::string token, input;
};

class Runner {
 public:
  // Carries out tasks; throws nothing.
  using CarryOut = std::function<Task<TaskOutcome>(std::shared_ptr<TaskOrder>)>;
  // Tells of a change of status, inside the commit that makes it.
  using StatusChanged =
      std::function<void(kernel::Txn&, const ExecutionRecord&, const ProgressRecord&)>;
  // Logs what happened, inside the commit that stores it.
  using LogEvents = std::function<void(kernel::Txn&, const ExecutionRecord&,
                                       const std::vector<asl::HistoryEvent>&)>;
  Runner(platform::Environment& environment, CarryOut carry_out, StatusChanged status_changed,
         LogEvents log_events);
  ~Runner();

  void start();
  void stop();

  struct NewExecution {
    ExecutionRecord record;
    std::string machine_name;  // as the context object shows it
    std::shared_ptr<const asl::Definition> definition;
    bool durable = true;
  };
  // Steps for the first time and commits. `check` runs first in the transaction, may throw, and may
  // return false: the execution exists already and nothing is done.
  void begin(kernel::Scope scope, NewExecution made,
             const std::function<bool(kernel::Txn&)>& check);
  // Begins in memory and waits for the end.
  Task<asl::Completed> run_in_memory(kernel::Scope scope, NewExecution made);

  // True when the event was accepted, and committed.
  Task<bool> send(std::string execution_arn, asl::Event event);
  // Task tokens: false when the token is no longer waited for.
  Task<bool> send_with_token(std::string token,
                             std::function<asl::Event(const asl::TaskToken&)> event);
  // Ends when the execution has ended, or at once if it does not run.
  Task<void> wait_for_end(std::string execution_arn);

  // The next task of an activity for a worker, within `patience`; none: nothing came.
  Task<std::optional<ActivityTask>> next_activity_task(std::string activity_arn, std::string worker,
                                                       Microseconds patience);

  std::shared_ptr<const asl::Definition> definition_of(kernel::Txn& txn, const std::string& machine,
                                                       const std::string& revision, bool express);
  void remember(const std::string& revision, std::shared_ptr<const asl::Definition> definition);

 private:
  struct Item {
    asl::Event event;
    std::optional<OneShot<bool>> accepted;
    std::optional<asl::TaskToken> token;  // must be the one that the frame waits for
  };
  struct Live;
  using LivePtr = std::shared_ptr<Live>;
  struct Waiter {
    std::string worker;
    OneShot<std::optional<ActivityTask>> answer;
  };
  struct Offer {
    std::weak_ptr<Live> live;
    asl::FrameId frame = 0;
    std::uint64_t sequence = 0;
    std::string token, input;
  };

  LivePtr find(const std::string& arn);
  LivePtr find_or_resume(const std::string& arn);
  LivePtr make_live(kernel::Scope scope, const NewExecution& made);
  void resume(kernel::Scope scope, RunningRecord running);
  LivePtr restored(const kernel::Scope& scope, const RunningRecord& running);
  void post(const LivePtr& live, Item item);
  void drain(const LivePtr& live);
  void step_batch(const LivePtr& live, std::vector<Item> items);
  void commit(Live& live, const std::optional<asl::Completed>& end);
  void store(kernel::Txn& txn, Live& live, const std::optional<asl::Completed>& end);
  void apply(const LivePtr& live, std::vector<asl::Effect> effects);
  void schedule(const LivePtr& live, const asl::ScheduleTask& task);
  void offer(const LivePtr& live, const asl::ScheduleTask& task);
  void set_timer(const LivePtr& live, const asl::SetTimer& timer);
  void clear_timer(Live& live, asl::FrameId frame, asl::TimerKind kind);
  void ended(const LivePtr& live, const asl::Completed& completed);
  void reload_later(const LivePtr& live);
  void take_offer(Offer offer, const Waiter& waiter);
  void start_strand(const LivePtr& live);
  static bool token_fits(Live& live, const Item& item);

  platform::Environment& environment_;
  const CarryOut carry_out_;
  const StatusChanged status_changed_;
  const LogEvents log_events_;
  std::atomic<bool> stopping_{false};
  std::stop_source stop_all_;

  std::mutex mutex_;  // of what follows; never held while a Live's is taken
  std::map<std::string, LivePtr> lives_;
  std::map<std::string, std::shared_ptr<const asl::Definition>> definitions_;  // by revision
  std::map<std::string, std::deque<Offer>> offers_;                            // by activity
  std::map<std::string, std::deque<Waiter>> workers_;                          // by activity
  std::atomic<int> busy_{0};  // strands and tasks under way
  // Held from reading an execution's records until it is among the lives: what ends meanwhile
  // cannot come back. Taken before any other lock.
  std::mutex resuming_;
};

}  // namespace tarn::stepfunctions
