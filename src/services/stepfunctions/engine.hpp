// SPDX-License-Identifier: Apache-2.0
// The interpreter behind `step`: entering, working, leaving, failing. Private to this folder's
// engine*.cpp. One Engine lives for one step.
//
// Orders of events and their previousEventId follow histories recorded from AWS:
//   - an event's previous one is its flow's last event; the first state of a machine has 0;
//   - ParallelStateSucceeded, MapStateSucceeded, MapRunSucceeded, MapIterationFailed and the
//     …Aborted events do not become the flow's last event;
//   - States.Runtime is never retried or caught, not even by name.
#pragma once
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "services/stepfunctions/execution.hpp"

namespace tarn::stepfunctions::asl {

inline constexpr std::size_t k_transitions_per_step = 4096;

inline Microseconds seconds(double value) {
  return Microseconds(static_cast<std::int64_t>(value * 1'000'000));
}
// How long an execution may take at most, if there is a limit.
std::optional<Microseconds> time_limit(const Execution& execution, const Definition& definition);
HistoryType entered_type(StateType type);
HistoryType exited_type(StateType type);
std::optional<HistoryType> aborted_type(StateType type);

struct Failure {
  std::optional<std::string> error, cause;
  bool runtime = false;  // cannot be retried or caught
  bool timeout = false;
  bool heartbeat = false;
};

class Engine {
 public:
  Engine(Execution& execution, const StepContext& context)
      : execution_(execution),
        context_(context) {}

  StepResult run(const Event& event) {
    StepResult out;
    if (execution_.status != ExecutionStatus::running) {
      out.accepted = false;
      return out;
    }
    out.accepted = std::visit([this](const auto& each) { return on(each); }, event);
    if (out.accepted) work();
    out.effects = std::move(effects_);
    return out;
  }

 private:
  class Scope;

  // ------------------------------------------------------------ events
  bool on(const Started&) {
    const auto& identity = execution_.identity;
    HistoryEvent event;
    event.type = HistoryType::execution_started;
    event.data = identity.input;
    event.more["roleArn"] = identity.role_arn;
    append(std::move(event), 0);
    Frame& root = execution_.add_frame();
    root.state = context_.definition.flows.front().start;
    root.input = identity.input;
    execution_.ready.push_back(root.id);
    if (const auto limit = time_limit(execution_, context_.definition)) {
      effects_.push_back(SetTimer{root.id, 0, TimerKind::execution, identity.start + *limit});
    }
    return true;
  }
  bool on(const Continue&) { return true; }
  bool on(const Stop& stop) {
    HistoryEvent event;
    event.type = HistoryType::execution_aborted;
    event.error = stop.error;
    event.cause = stop.cause;
    append(std::move(event), 0);
    complete({ExecutionStatus::aborted, std::nullopt, stop.error, stop.cause});
    return true;
  }
  bool on(const TaskSubmitted& event) {
    Frame* frame = waiting_task(event.frame, event.sequence);
    if (!frame || frame->submitted) return false;
    frame->submitted = true;
    frame->submission = event.output;
    touch_data(*frame);
    record_task(*frame, HistoryType::task_submitted, event.output);
    return true;
  }
  bool on(const ActivityStarted& event) {
    Frame* frame = waiting_task(event.frame, event.sequence);
    if (!frame || frame->submitted) return false;
    frame->submitted = true;
    touch(*frame);
    record(*frame, HistoryType::activity_started, event.worker);
    arm_heartbeat(*frame);
    return true;
  }
  bool on(const Heartbeat& event) {
    Frame* frame = waiting_task(event.frame, event.sequence);
    if (!frame) return false;
    if (frame->heartbeat_due) arm_heartbeat(*frame);
    return true;
  }
  bool on(const TaskSucceeded& event) {
    Frame* frame = waiting_task(event.frame, event.sequence);
    if (!frame) return false;
    task_succeeded(*frame, event.output);
    return true;
  }
  bool on(const TaskFailed& event) {
    Frame* frame = waiting_task(event.frame, event.sequence);
    if (!frame) return false;
    task_failed(*frame, event.error, event.cause);
    return true;
  }
  bool on(const TimerDue& timer) {
    if (timer.kind == TimerKind::execution) return execution_timed_out();
    Frame* frame = find(timer.frame);
    if (!frame || frame->sequence != timer.sequence) return false;
    switch (timer.kind) {
      case TimerKind::wait: return wait_over(*frame);
      case TimerKind::timeout: return task_timed_out(*frame, false);
      case TimerKind::heartbeat:
        // The timer may stand for an earlier beat than the last one.
        if (frame->heartbeat_due && context_.now < *frame->heartbeat_due) return false;
        return task_timed_out(*frame, true);
      case TimerKind::execution: break;
    }
    return false;
  }

  bool wait_over(Frame& frame) {
    if (frame.waiting != Waiting::timer && frame.waiting != Waiting::retry) return false;
    const bool retry = frame.waiting == Waiting::retry;
    frame.due.reset();
    frame.waiting = Waiting::ready;
    touch(frame);
    guarded(frame, [&] {
      if (retry) {
        dispatch(frame);
      } else {
        complete_state(frame, effective_input(frame));
      }
    });
    if (frame.waiting == Waiting::ready && find(frame.id)) push_ready(frame);
    return true;
  }

  bool execution_timed_out() {
    Frame* root = find(k_root_frame);
    if (!root) return false;
    HistoryEvent event;
    event.type = HistoryType::execution_timed_out;
    event.error = "States.Timeout";
    append(std::move(event), root->last_event);
    complete({ExecutionStatus::timed_out, std::nullopt, "States.Timeout", std::nullopt});
    return true;
  }

  // ------------------------------------------------------------ the loop
  void work() {
    std::size_t transitions = 0;
    while (execution_.status == ExecutionStatus::running && !execution_.ready.empty()) {
      const FrameId id = execution_.ready.front();
      execution_.ready.pop_front();
      current_ = id;
      Frame* frame = find(id);
      while (frame && frame->waiting == Waiting::ready &&
             execution_.status == ExecutionStatus::running) {
        if (++transitions > k_transitions_per_step) {
          execution_.ready.push_front(id);
          effects_.push_back(Yielded{});
          return;
        }
        enter(*frame);
        frame = find(id);
      }
    }
    current_ = 0;
  }

  Frame* find(FrameId id) {
    const auto found = execution_.frames.find(id);
    return found == execution_.frames.end() ? nullptr : found->second.get();
  }
  void push_ready(Frame& frame) {
    auto& ready = execution_.ready;
    if (std::find(ready.begin(), ready.end(), frame.id) == ready.end()) ready.push_back(frame.id);
  }
  void touch(Frame& frame) {
    frame.state_changed = true;
    execution_.changed.insert(frame.id);
  }
  void touch_data(Frame& frame) {
    frame.data_changed = true;
    touch(frame);
  }
  const State& state_of(const Frame& frame) const {
    return context_.definition.state(frame.flow, frame.state);
  }

  // ------------------------------------------------------------ history
  std::uint64_t append(HistoryEvent event, std::uint64_t previous) {
    event.id = execution_.next_event++;
    event.previous = previous;
    event.time = context_.now;
    execution_.unsaved_events.push_back(std::move(event));
    return execution_.next_event - 1;
  }
  // As the flow's next event.
  void record(Frame& frame, HistoryEvent event) {
    frame.last_event =
        frame.silent ? frame.last_event + 1 : append(std::move(event), frame.last_event);
    touch(frame);
  }
  void record(Frame& frame, HistoryType type, std::string name = {}) {
    HistoryEvent event;
    event.type = type;
    event.name = std::move(name);
    record(frame, std::move(event));
  }
  // Beside the flow: the last event stays what it is.
  void record_aside(const Frame& frame, HistoryEvent event, std::uint64_t previous) {
    if (!frame.silent) append(std::move(event), previous);
  }

  // ------------------------------------------------------------ states
  void enter(Frame& frame) {
    const State& state = state_of(frame);
    if (!execution_.identity.express && execution_.next_event + 2 > k_history_events_max) {
      return history_full();
    }
    HistoryEvent event;
    event.type = entered_type(state.type);
    event.name = state.name;
    event.data = frame.input;
    record(frame, std::move(event));
    frame.entered_event = frame.last_event;
    frame.entered = context_.now;
    frame.attempts.assign(state.retriers.size(), 0);
    frame.retry_count = 0;
    const FrameId id = frame.id;
    guarded(frame, [&] { dispatch(frame); });
    if (Frame* still = find(id)) touch(*still);
  }

  void history_full() {
    Frame& root = *find(k_root_frame);
    HistoryEvent event;
    event.type = HistoryType::execution_failed;
    event.error = "States.Runtime";
    event.cause = "The execution reached the maximum number of history events (25000).";
    append(event, root.last_event);
    complete({ExecutionStatus::failed, std::nullopt, event.error, event.cause});
  }

  // Runs work on a state; what its expressions throw becomes the state's failure.
  template <class Work>
  void guarded(Frame& frame, Work work) {
    try {
      work();
    } catch (const EvaluationError& error) {
      fail_state(frame, evaluation_failure(frame, error), false);
    }
  }
  Failure evaluation_failure(const Frame& frame, const EvaluationError& error) {
    Failure failure;
    failure.error = error.error;
    failure.runtime = error.error == "States.Runtime";
    failure.cause = error.error == "States.DataLimitExceeded"
                        ? std::string(error.what())
                        : fmt::format(
                              "An error occurred while executing the state '{}' (entered "
                              "at the event id #{}). {}",
                              state_of(frame).name, frame.entered_event, error.what());
    return failure;
  }

  void dispatch(Frame& frame) {
    const State& state = state_of(frame);
    switch (state.type) {
      case StateType::pass: return pass(frame, state);
      case StateType::choice: return choice(frame, state);
      case StateType::wait: return wait(frame, state);
      case StateType::succeed: return succeed(frame, state);
      case StateType::fail: return fail(frame, state);
      case StateType::task: return schedule(frame, state);
      case StateType::parallel: return start_parallel(frame, state);
      case StateType::map: return start_map(frame, state);
    }
  }

  // ------------------------------------------------------------ data flow
  Datum filtered(Frame& frame, const PathFilter& filter, const Datum& value);
  Datum effective_input(Frame& frame) {
    return filtered(frame, state_of(frame).input_path, frame.input);
  }
  Datum templated(Frame& frame, const std::optional<Template>& made, const Datum& input);
  std::optional<double> number(Frame& frame, const Number& given, const Datum& input,
                               std::string_view field);
  void limit_size(const Datum& value, const std::string& name) const {
    if (value.size() <= k_payload_bytes_max) return;
    throw EvaluationError("States.DataLimitExceeded",
                          fmt::format("The state/task '{}' returned a result with a size exceeding "
                                      "the maximum number of bytes service limit.",
                                      name));
  }
  Datum placed(const ResultPath& where, const Datum& input, const Datum& result) const {
    if (where.discard) return input;
    if (!where.where) return result;
    try {
      return Datum(put_at(input.value(), *where.where, result.value()));
    } catch (const PathNotFound&) {
      throw EvaluationError("States.ResultPathMatchFailure",
                            fmt::format("Unable to apply ReferencePath {} to input {}",
                                        where.where->text(), input.text()));
    }
  }

  // The state's work gave `result`: through ResultSelector, ResultPath, OutputPath, and on.
  void complete_state(Frame& frame, const Datum& result) {
    const State& state = state_of(frame);
    const Datum selected = templated(frame, state.result_selector, result);
    if (state.type == StateType::pass) limit_size(selected, state.name);
    const Datum output =
        filtered(frame, state.output_path, placed(state.result_path, frame.input, selected));
    limit_size(output, state.name);
    leave(frame, output, assigned(frame, state.assign, selected), state.next);
  }

  using Assigned = std::vector<std::pair<std::string, Datum>>;
  Assigned assigned(Frame& frame, const std::optional<Template>& assign, const Datum& input);

  void leave(Frame& frame, const Datum& output, Assigned variables,
             std::optional<std::size_t> next) {
    const State& state = state_of(frame);
    HistoryEvent event;
    event.type = exited_type(state.type);
    event.name = state.name;
    event.data = output;
    if (!variables.empty()) {
      std::map<std::string, std::string> texts;
      for (const auto& [name, value] : variables) texts[name] = value.text();
      JsonObject shown;
      for (auto& [name, text] : texts) shown[name] = text;
      event.more["assignedVariables"] = std::move(shown);
      event.more["assignedVariablesDetails"] = JsonObject{{"truncated", false}};
    }
    record(frame, std::move(event));
    for (auto& [name, value] : variables) frame.variables[name] = value.settle();
    end_wait(frame);
    frame.input = output;
    touch_data(frame);
    if (next) {
      frame.state = *next;
      frame.waiting = Waiting::ready;
      if (frame.id != current_) push_ready(frame);
    } else {
      finish(frame, output);
    }
  }

  void finish(Frame& frame, const Datum& output) {
    if (frame.parent == 0) {
      HistoryEvent event;
      event.type = HistoryType::execution_succeeded;
      event.data = output;
      append(std::move(event), frame.last_event);
      return complete({ExecutionStatus::succeeded, output, std::nullopt, std::nullopt});
    }
    frame.waiting = Waiting::done;
    frame.arguments = output;
    frame.input = Datum();
    frame.variables.clear();
    touch_data(frame);
    child_finished(*find(frame.parent), frame);
  }

  // ------------------------------------------------------------ simple states
  void pass(Frame& frame, const State& state) {
    const Datum input = effective_input(frame);
    complete_state(frame, state.result ? *state.result : templated(frame, state.parameters, input));
  }
  void succeed(Frame& frame, const State& state) {
    const Datum output = filtered(frame, state.output_path, effective_input(frame));
    leave(frame, output, {}, std::nullopt);
  }
  void fail(Frame& frame, const State& state);
  void choice(Frame& frame, const State& state);
  void wait(Frame& frame, const State& state);

  // ------------------------------------------------------------ tasks
  std::string token_of(const Frame& frame) const {
    return encode_token({execution_.identity.arn, frame.id, frame.sequence, frame.token_secret});
  }
  Frame* waiting_task(FrameId id, std::uint64_t sequence) {
    Frame* frame = find(id);
    const bool fits = frame && frame->waiting == Waiting::task && frame->sequence == sequence;
    return fits ? frame : nullptr;
  }
  void schedule(Frame& frame, const State& state);
  void record_scheduled(Frame& frame, const State& state, std::optional<double> timeout,
                        std::optional<double> heartbeat);
  void record_task(Frame& frame, HistoryType type, const std::optional<Datum>& output,
                   const std::optional<std::string>& error = {},
                   const std::optional<std::string>& cause = {});
  void task_succeeded(Frame& frame, const Datum& output);
  void task_failed(Frame& frame, const std::optional<std::string>& error,
                   const std::optional<std::string>& cause);
  bool task_timed_out(Frame& frame, bool heartbeat);
  void arm_heartbeat(Frame& frame) {
    if (frame.heartbeat_seconds == 0) return;
    frame.heartbeat_due = context_.now + seconds(static_cast<double>(frame.heartbeat_seconds));
    touch(frame);
    effects_.push_back(
        SetTimer{frame.id, frame.sequence, TimerKind::heartbeat, *frame.heartbeat_due});
  }
  // Forgets the timers of the wait that is over.
  void end_wait(Frame& frame) {
    if (frame.due) effects_.push_back(ClearTimer{frame.id, frame.sequence, TimerKind::wait});
    if (frame.timeout_due) {
      effects_.push_back(ClearTimer{frame.id, frame.sequence, TimerKind::timeout});
    }
    if (frame.heartbeat_due) {
      effects_.push_back(ClearTimer{frame.id, frame.sequence, TimerKind::heartbeat});
    }
    frame.due.reset();
    frame.timeout_due.reset();
    frame.heartbeat_due.reset();
    frame.heartbeat_seconds = 0;
    frame.submitted = false;
    frame.submission.reset();
    frame.token_secret.clear();
  }

  // ------------------------------------------------------------ Parallel and Map
  void start_parallel(Frame& frame, const State& state);
  void start_map(Frame& frame, const State& state);
  void start_distributed(Frame& frame, const State& state);
  void prepare_children(Frame& frame, std::uint64_t total);
  Frame& add_child(Frame& parent, std::uint64_t index, std::size_t flow, const Datum& input);
  void start_iteration(Frame& frame, const State& state, std::uint64_t previous);
  const Datum& map_items(Frame& frame, const State& state);
  void child_finished(Frame& parent, Frame& child);
  void child_failed(Frame& parent, Frame& child, const Failure& failure);
  void next_iterations(Frame& parent, std::uint64_t previous);
  void children_done(Frame& parent);
  Datum collected(const Frame& parent);
  void drop_children(Frame& parent);
  void abort(Frame& frame);
  void remove(Frame& frame);
  HistoryEvent iteration_event(HistoryType type, const Frame& parent, std::uint64_t index) {
    HistoryEvent event;
    event.type = type;
    event.name = state_of(parent).name;
    event.more["index"] = static_cast<std::int64_t>(index);
    return event;
  }

  // ------------------------------------------------------------ failures
  static bool matches(const std::vector<std::string>& errors, const Failure& failure);
  void fail_state(Frame& frame, const Failure& failure, bool from_children);
  bool retry(Frame& frame, const State& state, const Failure& failure);
  void caught(Frame& frame, const Catcher& catcher, const Failure& failure);
  void fail_flow(Frame& frame, const Failure& failure);

  void complete(Completed completed) {
    for (auto& [id, frame] : execution_.frames) abort_waits(*frame);
    const Frame* root = find(k_root_frame);
    if (root && time_limit(execution_, context_.definition)) {
      effects_.push_back(ClearTimer{root->id, 0, TimerKind::execution});
    }
    for (auto& [id, frame] : execution_.frames) {
      if (frame->stored) execution_.removed.push_back(id);
    }
    for (auto& [id, frame] : execution_.frames) over_.push_back(std::move(frame));
    execution_.frames.clear();
    execution_.changed.clear();
    execution_.ready.clear();
    execution_.status = completed.status;
    effects_.push_back(std::move(completed));
  }
  void abort_waits(Frame& frame) {
    if (frame.waiting == Waiting::task) {
      effects_.push_back(CancelTask{frame.id, frame.sequence, state_of(frame).resource});
    }
    end_wait(frame);
  }

  Execution& execution_;
  const StepContext& context_;
  std::vector<Effect> effects_;
  // Frames that are over, kept until the step ends: callers still hold references.
  std::vector<std::unique_ptr<Frame>> over_;
  FrameId current_ = 0;  // the one that `work` runs
};

// What expressions of one state see.
class Engine::Scope : public Bindings {
 public:
  Scope(Engine& engine, Frame& frame, const Datum& input)
      : engine_(engine),
        frame_(frame),
        input_(input) {}
  const Json& input() override { return input_.value(); }
  const std::string& input_text() override { return input_.text(); }
  Random& random() override { return engine_.context_.random; }
  const Json* variable(const std::string& name) override {
    for (Frame* at = &frame_; at; at = at->parent ? engine_.find(at->parent) : nullptr) {
      const auto found = at->variables.find(name);
      if (found != at->variables.end()) return &found->second.value();
      const Frame* parent = at->parent ? engine_.find(at->parent) : nullptr;
      if (parent && at->silent && !parent->silent) break;  // a distributed Map sees none outside
    }
    return nullptr;
  }
  // An iteration that is about to start: Map.Item of an item selector.
  void set_item(std::uint64_t index, const Json& value) {
    item_index_ = index;
    item_ = &value;
  }

  const Json& context() override {
    Json& context = engine_.execution_.context;
    if (context.get_object().empty()) fill_constant(context.get_object());
    auto& object = context.get_object();
    const State& state = engine_.state_of(frame_);
    JsonObject shown{{"Name", state.name}, {"EnteredTime", iso8601(frame_.entered)}};
    if (state.type == StateType::task) shown["RetryCount"] = frame_.retry_count;
    object["State"] = std::move(shown);
    object.stable_erase("Task");
    object.stable_erase("Map");
    if (state.type == StateType::task && !frame_.token_secret.empty()) {
      object["Task"] = JsonObject{{"Token", engine_.token_of(frame_)}};
    }
    fill_item(object);
    return context;
  }

 private:
  void fill_constant(JsonObject& object) {
    const auto& identity = engine_.execution_.identity;
    object["Execution"] = JsonObject{{"Id", identity.arn},
                                     {"Input", identity.input.value()},
                                     {"StartTime", iso8601(identity.start)},
                                     {"Name", identity.name},
                                     {"RoleArn", identity.role_arn}};
    if (!identity.express) object["Execution"].get_object()["RedriveCount"] = 0;
    object["StateMachine"] =
        JsonObject{{"Id", identity.machine_arn}, {"Name", identity.machine_name}};
  }
  void fill_item(JsonObject& object) {
    if (item_) {
      object["Map"] = JsonObject{{"Item", JsonObject{{"Index", item_index_}, {"Value", *item_}}}};
      return;
    }
    for (const Frame* at = &frame_; at; at = at->parent ? engine_.find(at->parent) : nullptr) {
      if (!at->item) continue;
      object["Map"] =
          JsonObject{{"Item", JsonObject{{"Index", at->index}, {"Value", at->item->value()}}}};
      return;
    }
  }

  Engine& engine_;
  Frame& frame_;
  const Datum& input_;
  std::uint64_t item_index_ = 0;
  const Json* item_ = nullptr;
};

}  // namespace tarn::stepfunctions::asl
