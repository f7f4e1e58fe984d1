// SPDX-License-Identifier: Apache-2.0
#include "services/stepfunctions/runner.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "aws/error.hpp"
#include "base/log.hpp"
#include "base/strings.hpp"
#include "services/stepfunctions/names.hpp"

namespace tarn::stepfunctions {
namespace {

constexpr std::size_t k_definitions_kept = 512;
constexpr Microseconds k_reload_after = std::chrono::seconds(2);
constexpr std::size_t k_events_per_row = 256;

// Neither taken nor refused: the caller must not believe that its task is gone.
std::exception_ptr try_again() {
  return std::make_exception_ptr(
      aws::ApiError("ServiceUnavailable", "The execution is being resumed; try again.", 503));
}

}  // namespace

struct Runner::Live {
  kernel::Scope scope;
  ExecutionRecord record;
  std::shared_ptr<const asl::Definition> definition;
  bool durable = true;

  std::mutex mutex;  // of the queue and of `busy`
  std::deque<Item> queue;
  bool busy = false;
  // Its memory is ahead of the store; a reload follows. Its tasks may outlive it.
  const std::shared_ptr<std::atomic<bool>> broken = std::make_shared<std::atomic<bool>>(false);

  // Below: only the strand.
  asl::Execution execution;
  std::map<std::pair<asl::FrameId, asl::TimerKind>, Clock::TimerId> timers;
  std::map<std::pair<asl::FrameId, std::uint64_t>, std::stop_source> tasks;

  std::mutex end_mutex;
  std::optional<asl::Completed> end;
  std::vector<OneShot<void>> end_waiters;
};

Runner::Runner(platform::Environment& environment, CarryOut carry_out, StatusChanged status_changed,
               LogEvents log_events)
    : environment_(environment),
      carry_out_(std::move(carry_out)),
      status_changed_(std::move(status_changed)),
      log_events_(std::move(log_events)) {}

Runner::~Runner() = default;

// ---------------------------------------------------------------- life

void Runner::start() {
  std::vector<std::pair<kernel::Scope, RunningRecord>> found;
  environment_.store.scan_all(
      RunningRecord::k_kind,
      [&](const kernel::Scope& scope, const std::string&, std::string_view value) {
        found.emplace_back(scope, kernel::decode_record<RunningRecord>(value));
        return true;
      });
  if (!found.empty()) log::info("stepfunctions", "resuming {} executions", found.size());
  for (auto& [scope, running] : found) {
    ++busy_;
    environment_.background.post([this, scope = scope, running = running] {
      try {
        if (!stopping_) resume(scope, running);
      } catch (const std::exception& error) {
        log::error("stepfunctions", "cannot resume {}/{}: {}", running.machine, running.name,
                   error.what());
      }
      --busy_;
    });
  }
}

void Runner::stop() {
  stopping_ = true;
  stop_all_.request_stop();
  std::vector<LivePtr> lives;
  std::vector<Waiter> waiters;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [arn, live] : lives_) lives.push_back(live);
    for (auto& [arn, queue] : workers_) waiters.insert(waiters.end(), queue.begin(), queue.end());
    workers_.clear();
  }
  for (const auto& waiter : waiters) waiter.answer.set(std::nullopt);
  for (const auto& live : lives) {
    std::lock_guard lock(live->mutex);
    if (live->busy) continue;  // its strand sees `stopping_`
    for (auto& [key, id] : live->timers) environment_.clock.cancel(id);
    for (auto& [key, source] : live->tasks) source.request_stop();
  }
  // Strands and tasks refer to this; they end soon after their stop token fired.
  for (int i = 0; busy_ > 0 && i < 500; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

Runner::LivePtr Runner::find(const std::string& arn) {
  std::lock_guard lock(mutex_);
  const auto found = lives_.find(arn);
  return found == lives_.end() ? nullptr : found->second;
}

Runner::LivePtr Runner::make_live(kernel::Scope scope, const NewExecution& made) {
  auto live = std::make_shared<Live>();
  live->scope = std::move(scope);
  live->record = made.record;
  live->definition = made.definition;
  live->durable = made.durable;
  auto& identity = live->execution.identity;
  identity.arn = made.record.arn;
  // An express execution is kept as name:uuid, since its names may repeat.
  identity.name = made.record.name.substr(0, made.record.name.find(':'));
  identity.machine_arn = made.record.machine_arn;
  identity.machine_name = made.machine_name;
  identity.role_arn = made.record.role_arn;
  identity.region = live->scope.region;
  identity.input = asl::Datum::of_text(made.record.input);
  identity.start = made.record.start;
  identity.express = made.record.express;
  return live;
}

std::shared_ptr<const asl::Definition> Runner::definition_of(kernel::Txn& txn,
                                                             const std::string& machine,
                                                             const std::string& revision,
                                                             bool express) {
  {
    std::lock_guard lock(mutex_);
    const auto found = definitions_.find(revision);
    if (found != definitions_.end()) return found->second;
  }
  const auto record = txn.peek<RevisionRecord>(machine, revision);
  if (!record) throw std::runtime_error("the definition of " + machine + " is lost");
  const auto parsed = asl::parse_definition(record->definition, express);
  if (!parsed.ok()) throw std::runtime_error(parsed.error_message());
  remember(revision, parsed.definition);
  return parsed.definition;
}

void Runner::remember(const std::string& revision,
                      std::shared_ptr<const asl::Definition> definition) {
  std::lock_guard lock(mutex_);
  if (definitions_.size() >= k_definitions_kept) definitions_.erase(definitions_.begin());
  definitions_[revision] = std::move(definition);
}

// Null when it has ended.
Runner::LivePtr Runner::restored(const kernel::Scope& scope, const RunningRecord& running) {
  auto txn = environment_.store.begin(scope);
  if (!txn.peek<RunningRecord>(running.machine, running.name)) return nullptr;
  const auto record = txn.peek<ExecutionRecord>(running.machine, running.name);
  const auto progress = txn.peek<ProgressRecord>(running.machine, running.name);
  if (!record || !progress) throw std::runtime_error("its records are incomplete");
  NewExecution made;
  made.record = *record;
  made.machine_name = record->machine;
  made.definition = definition_of(txn, record->machine, record->revision, record->express);
  LivePtr live = make_live(scope, made);
  auto& execution = live->execution;
  execution.next_event = progress->next_event;
  execution.next_frame = progress->next_frame;
  std::map<std::uint64_t, std::string> data;
  const kernel::Key prefix(running.machine, running.name);
  txn.scan<FrameDataRecord>(prefix, {}, [&](FrameDataRecord& row, const std::string&) {
    data[row.frame] = std::move(row.bytes);
    return true;
  });
  txn.scan<FrameRecord>(prefix, {}, [&](FrameRecord& row, const std::string&) {
    execution.frames[row.frame] =
        std::make_unique<asl::Frame>(asl::Frame::decode(row.bytes, data[row.frame]));
    return true;
  });
  execution.restore();
  live->busy = true;  // events that come early wait for `drain`
  return live;
}

void Runner::resume(kernel::Scope scope, RunningRecord running) {
  LivePtr live;
  {
    std::lock_guard resuming(resuming_);
    live = restored(scope, running);
    if (!live) return;
    std::lock_guard lock(mutex_);
    if (!lives_.emplace(live->record.arn, live).second) return;
  }
  apply(live, asl::pending_effects(live->execution, *live->definition));
  start_strand(live);
}

// After a start, or after the store has refused a step, an execution may be asked for before its
// turn to be resumed has come.
Runner::LivePtr Runner::find_or_resume(const std::string& arn) {
  if (LivePtr live = find(arn)) return live;
  const auto name = find_name(arn);
  if (!name || name->kind != "execution" || stopping_) return nullptr;
  resume(name->scope, {name->name, name->execution});
  return find(arn);
}

// ---------------------------------------------------------------- beginning

void Runner::begin(kernel::Scope scope, NewExecution made,
                   const std::function<bool(kernel::Txn&)>& check) {
  const LivePtr live = make_live(scope, made);
  live->busy = true;  // events that come early wait for `drain`
  auto result = asl::step(live->execution, asl::Started{},
                          {*live->definition, made.record.start, environment_.random});
  std::optional<asl::Completed> end;
  for (const auto& effect : result.effects) {
    if (const auto* completed = std::get_if<asl::Completed>(&effect)) end = *completed;
  }
  bool fresh = true;
  const auto forget = [&] {
    std::lock_guard lock(mutex_);
    const auto found = lives_.find(made.record.arn);
    if (found != lives_.end() && found->second == live) lives_.erase(found);
  };
  const auto write = [&](kernel::Txn& txn) {
    fresh = check(txn);
    if (!fresh) return;
    if (!end) {  // it is found from the moment on that others can see its records
      std::lock_guard lock(mutex_);
      lives_[made.record.arn] = live;
    }
    txn.put(live->record);
    if (!live->record.express) {
      txn.put(StartedRecord{live->record.machine, live->record.name, live->record.start});
    }
    ProgressRecord first;
    first.machine = live->record.machine;
    first.name = live->record.name;
    status_changed_(txn, live->record, first);
    if (!end) txn.put(RunningRecord{live->record.machine, live->record.name});
    store(txn, *live, end);
  };
  try {
    environment_.store.transact(scope, write);
  } catch (...) {
    forget();
    throw;
  }
  if (!fresh) return;
  live->execution.saved();
  apply(live, std::move(result.effects));
  // The caller's thread goes on answering; events that came meanwhile are the pool's.
  if (!end) start_strand(live);
}

void Runner::start_strand(const LivePtr& live) {
  ++busy_;
  environment_.calls.post([this, live] {
    drain(live);
    --busy_;
  });
}

Task<asl::Completed> Runner::run_in_memory(kernel::Scope scope, NewExecution made) {
  made.durable = false;
  const LivePtr live = make_live(std::move(scope), made);
  {
    std::lock_guard lock(mutex_);
    lives_[made.record.arn] = live;
  }
  OneShot<void> over;
  {
    std::lock_guard lock(live->end_mutex);
    live->end_waiters.push_back(over);
  }
  post(live, {asl::Started{}, {}, {}});
  co_await over;
  std::lock_guard lock(live->end_mutex);
  if (!live->end) throw std::runtime_error("the execution was lost");
  co_return *live->end;
}

// ---------------------------------------------------------------- the strand

void Runner::post(const LivePtr& live, Item item) {
  {
    std::lock_guard lock(live->mutex);
    live->queue.push_back(std::move(item));
    if (live->busy) return;
    live->busy = true;
  }
  start_strand(live);
}

// Entered with `busy` set; leaves it unset.
void Runner::drain(const LivePtr& live) {
  for (;;) {
    std::vector<Item> items;
    {
      std::lock_guard lock(live->mutex);
      if (live->queue.empty() || stopping_) {
        live->busy = false;
        for (auto& item : live->queue) {
          if (item.accepted) item.accepted->set_error(try_again());
        }
        live->queue.clear();
        if (stopping_) {
          for (auto& [key, id] : live->timers) environment_.clock.cancel(id);
          for (auto& [key, source] : live->tasks) source.request_stop();
        }
        return;
      }
      items.assign(std::make_move_iterator(live->queue.begin()),
                   std::make_move_iterator(live->queue.end()));
      live->queue.clear();
    }
    step_batch(live, std::move(items));
  }
}

bool Runner::token_fits(Live& live, const Item& item) {
  if (!item.token) return true;
  const auto found = live.execution.frames.find(item.token->frame);
  return found != live.execution.frames.end() &&
         constant_time_equal(found->second->token_secret, item.token->secret);
}

namespace {

// A task that has reported needs no stopping any more.
void forget_task(const asl::Event& event,
                 std::map<std::pair<asl::FrameId, std::uint64_t>, std::stop_source>& tasks) {
  if (const auto* done = std::get_if<asl::TaskSucceeded>(&event)) {
    tasks.erase({done->frame, done->sequence});
  } else if (const auto* failed = std::get_if<asl::TaskFailed>(&event)) {
    tasks.erase({failed->frame, failed->sequence});
  }
}

}  // namespace

void Runner::step_batch(const LivePtr& live, std::vector<Item> items) {
  if (*live->broken) {
    for (auto& item : items) {
      if (item.accepted) item.accepted->set_error(try_again());
    }
    return;
  }
  std::vector<asl::Effect> effects;
  std::vector<std::pair<OneShot<bool>, bool>> answers;
  std::optional<asl::Completed> end;
  bool any = false;
  for (auto& item : items) {
    bool accepted = false;
    if (token_fits(*live, item)) {
      forget_task(item.event, live->tasks);
      auto result = asl::step(live->execution, item.event,
                              {*live->definition, environment_.clock.now(), environment_.random});
      accepted = result.accepted;
      any |= accepted;
      for (auto& effect : result.effects) {
        if (const auto* completed = std::get_if<asl::Completed>(&effect)) end = *completed;
        effects.push_back(std::move(effect));
      }
    }
    if (item.accepted) answers.emplace_back(*item.accepted, accepted);
  }
  try {
    if (any) commit(*live, end);
    if (any) live->execution.saved();
  } catch (const std::exception& error) {
    log::error("stepfunctions", "cannot store {}: {}", live->record.arn, error.what());
    for (auto& [answer, accepted] : answers) answer.set_error(std::current_exception());
    *live->broken = true;
    return reload_later(live);
  }
  apply(live, std::move(effects));
  for (auto& [answer, accepted] : answers) answer.set(accepted);
}

namespace {

// In rows of bounded size: a page of a history reads few of them.
void store_history(kernel::Txn& txn, const ExecutionRecord& record,
                   const std::vector<asl::HistoryEvent>& events) {
  for (std::size_t at = 0; at < events.size(); at += k_events_per_row) {
    const auto begin = events.begin() + static_cast<std::ptrdiff_t>(at);
    const auto count = std::min(k_events_per_row, events.size() - at);
    const std::vector<asl::HistoryEvent> row(begin, begin + static_cast<std::ptrdiff_t>(count));
    txn.put(HistoryRecord{record.machine, record.name, row.front().id, asl::encode_events(row)});
  }
}

}  // namespace

void Runner::commit(Live& live, const std::optional<asl::Completed>& end) {
  if (!live.durable && live.record.logging.is_null()) return;
  environment_.store.transact(live.scope, [&](kernel::Txn& txn) { store(txn, live, end); });
}

void Runner::store(kernel::Txn& txn, Live& live, const std::optional<asl::Completed>& end) {
  auto& execution = live.execution;
  const auto& record = live.record;
  if (!record.logging.is_null()) log_events_(txn, record, execution.unsaved_events);
  if (!live.durable) return;
  if (!record.express) store_history(txn, record, execution.unsaved_events);
  for (const auto id : execution.changed) {
    const auto found = execution.frames.find(id);
    if (found == execution.frames.end()) continue;
    const auto& frame = *found->second;
    if (frame.state_changed || !frame.stored) {
      txn.put(FrameRecord{record.machine, record.name, id, frame.encode_state()});
    }
    if (frame.data_changed || !frame.stored) {
      txn.put(FrameDataRecord{record.machine, record.name, id, frame.encode_data()});
    }
  }
  for (const auto id : execution.removed) {
    txn.erase<FrameRecord>(record.machine, record.name, id);
    txn.erase<FrameDataRecord>(record.machine, record.name, id);
  }
  ProgressRecord progress;
  progress.machine = record.machine;
  progress.name = record.name;
  progress.next_event = execution.next_event;
  progress.next_frame = execution.next_frame;
  progress.status = static_cast<std::uint8_t>(execution.status);
  if (end) {
    // Dates have milliseconds, and clients divide by the difference: an execution takes at least
    // one.
    progress.stop = std::max(environment_.clock.now(), record.start + Milliseconds(1));
    if (end->output) progress.output = end->output->text();
    progress.error = end->error;
    progress.cause = end->cause;
    txn.erase<RunningRecord>(record.machine, record.name);
    status_changed_(txn, record, progress);
    if (record.express) {  // AWS shows nothing of an express execution that has ended
      txn.erase<ExecutionRecord>(record.machine, record.name);
      txn.erase<ProgressRecord>(record.machine, record.name);
      return;
    }
  }
  txn.put(progress);
}

// The memory is ahead of a store that refused: forget it and go on from what is stored.
void Runner::reload_later(const LivePtr& live) {
  for (auto& [key, id] : live->timers) environment_.clock.cancel(id);
  for (auto& [key, source] : live->tasks) source.request_stop();
  live->timers.clear();
  live->tasks.clear();
  {
    std::lock_guard lock(mutex_);
    lives_.erase(live->record.arn);
  }
  if (!live->durable) return ended(live, {asl::ExecutionStatus::failed, {}, {}, {}});
  const RunningRecord running{live->record.machine, live->record.name};
  environment_.clock.call_at(environment_.clock.now() + k_reload_after,
                             [this, scope = live->scope, running] {
                               if (stopping_) return;
                               ++busy_;
                               environment_.background.post([this, scope, running] {
                                 try {
                                   if (!stopping_) resume(scope, running);
                                 } catch (const std::exception& error) {
                                   log::error("stepfunctions", "cannot resume {}/{}: {}",
                                              running.machine, running.name, error.what());
                                 }
                                 --busy_;
                               });
                             });
}

// ---------------------------------------------------------------- effects

void Runner::apply(const LivePtr& live, std::vector<asl::Effect> effects) {
  for (auto& effect : effects) {
    if (const auto* task = std::get_if<asl::ScheduleTask>(&effect)) {
      schedule(live, *task);
    } else if (const auto* cancel = std::get_if<asl::CancelTask>(&effect)) {
      const auto found = live->tasks.find({cancel->frame, cancel->sequence});
      if (found == live->tasks.end()) continue;
      found->second.request_stop();
      live->tasks.erase(found);
    } else if (const auto* timer = std::get_if<asl::SetTimer>(&effect)) {
      set_timer(live, *timer);
    } else if (const auto* clear = std::get_if<asl::ClearTimer>(&effect)) {
      clear_timer(*live, clear->frame, clear->kind);
    } else if (const auto* completed = std::get_if<asl::Completed>(&effect)) {
      ended(live, *completed);
    } else {
      post(live, {asl::Continue{}, {}, {}});
    }
  }
}

void Runner::set_timer(const LivePtr& live, const asl::SetTimer& timer) {
  clear_timer(*live, timer.frame, timer.kind);
  const asl::TimerDue due{timer.frame, timer.sequence, timer.kind};
  live->timers[{timer.frame, timer.kind}] =
      environment_.clock.call_at(timer.due, [this, weak = std::weak_ptr<Live>(live), due] {
        const LivePtr live = weak.lock();
        if (live && !stopping_) post(live, {due, {}, {}});
      });
}

void Runner::clear_timer(Live& live, asl::FrameId frame, asl::TimerKind kind) {
  const auto found = live.timers.find({frame, kind});
  if (found == live.timers.end()) return;
  environment_.clock.cancel(found->second);
  live.timers.erase(found);
}

void Runner::ended(const LivePtr& live, const asl::Completed& completed) {
  {
    std::lock_guard lock(mutex_);
    lives_.erase(live->record.arn);
  }
  for (auto& [key, id] : live->timers) environment_.clock.cancel(id);
  live->timers.clear();
  std::vector<OneShot<void>> waiters;
  {
    std::lock_guard lock(live->end_mutex);
    if (completed.output) completed.output->settle();
    live->end = completed;
    waiters.swap(live->end_waiters);
  }
  for (const auto& waiter : waiters) waiter.set();
}

void Runner::schedule(const LivePtr& live, const asl::ScheduleTask& task) {
  if (task.resource.kind == asl::Resource::Kind::activity) return offer(live, task);
  // Resumed while it waits for a token that its request has handed out already.
  const auto frame = live->execution.frames.find(task.frame);
  if (task.resource.pattern == asl::Resource::Pattern::token &&
      frame != live->execution.frames.end() && frame->second->submitted) {
    return;
  }
  auto order = std::make_shared<TaskOrder>();
  order->scope = live->scope;
  order->execution_arn = live->record.arn;
  order->execution_name = live->record.name;
  order->machine_arn = live->record.machine_arn;
  order->role_arn = task.role.value_or(live->record.role_arn);
  order->effect_id = asl::effect_id(live->execution, task.frame, task.sequence);
  order->input_text = live->record.input;
  order->resource = task.resource;
  // Another thread reads these: nothing may be left to be filled in.
  order->arguments = task.arguments.settle();
  if (task.submission) order->submission = task.submission->settle();
  auto& source = live->tasks[{task.frame, task.sequence}];
  order->stop = source.get_token();
  order->shutting_down = [this, broken = live->broken] { return stopping_ || *broken; };
  const std::weak_ptr<Live> weak = live;
  order->submitted = [this, weak, frame = task.frame, sequence = task.sequence](asl::Datum output) {
    if (const LivePtr live = weak.lock()) {
      post(live, {asl::TaskSubmitted{frame, sequence, std::move(output)}, std::nullopt, {}});
    }
  };
  ++busy_;
  TaskContext context{&environment_.background, order->stop};
  spawn<TaskOutcome>(
      context, carry_out_(order),
      [this, weak, frame = task.frame, sequence = task.sequence](Outcome<TaskOutcome> outcome) {
        if (const LivePtr live = weak.lock(); live && !outcome.failed() && !stopping_) {
          TaskOutcome left = outcome.take();
          if (!left.abandoned && left.succeeded) {
            post(live, {asl::TaskSucceeded{frame, sequence, std::move(left.output)}, {}, {}});
          } else if (!left.abandoned) {
            post(live, {asl::TaskFailed{frame, sequence, left.error, left.cause}, {}, {}});
          }
        }
        --busy_;
      });
}

// ---------------------------------------------------------------- activities

void Runner::offer(const LivePtr& live, const asl::ScheduleTask& task) {
  const auto frame = live->execution.frames.find(task.frame);
  if (frame != live->execution.frames.end() && frame->second->submitted) return;  // a worker has it
  Offer made{live, task.frame, task.sequence, task.token, task.arguments.text()};
  std::optional<Waiter> waiter;
  {
    std::lock_guard lock(mutex_);
    auto& workers = workers_[task.resource.arn];
    if (workers.empty()) {
      offers_[task.resource.arn].push_back(std::move(made));
      return;
    }
    waiter = workers.front();
    workers.pop_front();
  }
  take_offer(std::move(made), *waiter);
}

// Starts the activity's task for a worker; its answer comes after the commit.
void Runner::take_offer(Offer offer, const Waiter& waiter) {
  const LivePtr live = offer.live.lock();
  if (!live) {  // ended meanwhile
    waiter.answer.set(std::nullopt);
    return;
  }
  const OneShot<bool> accepted;
  post(live, {asl::ActivityStarted{offer.frame, offer.sequence, waiter.worker}, accepted, {}});
  const auto answer = waiter.answer;
  const ActivityTask task{offer.token, offer.input};
  const auto tell = [](OneShot<bool> accepted, OneShot<std::optional<ActivityTask>> answer,
                       ActivityTask task) -> Task<void> {
    const bool taken = co_await accepted;
    answer.set(taken ? std::optional(std::move(task)) : std::nullopt);
  };
  spawn<void>({&environment_.background, stop_all_.get_token()}, tell(accepted, answer, task));
}

Task<std::optional<ActivityTask>> Runner::next_activity_task(std::string activity_arn,
                                                             std::string worker,
                                                             Microseconds patience) {
  const Timestamp until = environment_.clock.now() + patience;
  while (!stopping_) {
    const Waiter waiter{worker, {}};
    std::optional<Offer> offer;
    {
      std::lock_guard lock(mutex_);
      auto& offers = offers_[activity_arn];
      while (!offers.empty() && !offer) {
        if (!offers.front().live.expired()) offer = std::move(offers.front());
        offers.pop_front();
      }
      if (!offer) workers_[activity_arn].push_back(waiter);
    }
    if (offer) take_offer(std::move(*offer), waiter);
    const auto timer = environment_.clock.call_at(until, [this, activity_arn, waiter] {
      std::lock_guard lock(mutex_);
      waiter.answer.set(std::nullopt);
      std::erase_if(workers_[activity_arn],
                    [](const Waiter& each) { return each.answer.is_set(); });
    });
    std::optional<ActivityTask> task;
    std::exception_ptr gone;
    try {
      task = co_await waiter.answer;
    } catch (const Cancelled&) {
      gone = std::current_exception();
    }
    environment_.clock.cancel(timer);
    if (gone) {
      std::lock_guard lock(mutex_);
      std::erase_if(workers_[activity_arn],
                    [](const Waiter& each) { return each.answer.is_set(); });
      std::rethrow_exception(gone);
    }
    if (task || environment_.clock.now() >= until) co_return task;
  }
  co_return std::nullopt;
}

// ---------------------------------------------------------------- from outside

Task<bool> Runner::send(std::string execution_arn, asl::Event event) {
  const LivePtr live = find_or_resume(execution_arn);
  if (!live) co_return false;
  const OneShot<bool> accepted;
  post(live, {std::move(event), accepted, {}});
  co_return co_await accepted;
}

Task<bool> Runner::send_with_token(std::string token,
                                   std::function<asl::Event(const asl::TaskToken&)> event) {
  const auto decoded = asl::decode_token(token);
  if (!decoded) co_return false;
  const LivePtr live = find_or_resume(decoded->execution_arn);
  if (!live) co_return false;
  const OneShot<bool> accepted;
  post(live, {event(*decoded), accepted, decoded});
  co_return co_await accepted;
}

Task<void> Runner::wait_for_end(std::string execution_arn) {
  const LivePtr live = find_or_resume(execution_arn);
  if (!live) co_return;
  const OneShot<void> over;
  {
    std::lock_guard lock(live->end_mutex);
    if (live->end) co_return;
    live->end_waiters.push_back(over);
  }
  co_await over;
}

}  // namespace tarn::stepfunctions
