// SPDX-License-Identifier: Apache-2.0
// Task states: scheduling, results, time-outs.
#include "services/stepfunctions/engine.hpp"

namespace tarn::stepfunctions::asl {

void Engine::schedule(Frame& frame, const State& state) {
  const Resource& resource = state.resource;
  const bool needs_token =
      resource.kind == Resource::Kind::activity || resource.pattern != Resource::Pattern::request;
  ++frame.sequence;
  frame.token_secret = needs_token ? context_.random.hex(32) : std::string();
  const Datum input = effective_input(frame);
  const Datum arguments = templated(frame, state.parameters, input);
  limit_size(arguments, state.name);
  const auto timeout = number(frame, state.timeout, input, "TimeoutSeconds");
  const auto heartbeat = number(frame, state.heartbeat, input, "HeartbeatSeconds");
  frame.role.reset();
  if (state.credentials) {
    const Datum given = templated(frame, state.credentials, input);
    frame.role = find_string(given.value(), "RoleArn");
    if (!frame.role) {
      throw EvaluationError("States.Runtime", "The RoleArn of Credentials must be a string.");
    }
  }
  frame.arguments = arguments;
  frame.waiting = Waiting::task;
  frame.submitted = false;
  frame.heartbeat_missed = false;
  touch_data(frame);
  record_scheduled(frame, state, timeout, heartbeat);
  effects_.push_back(ScheduleTask{frame.id,
                                  frame.sequence,
                                  resource,
                                  arguments,
                                  frame.role,
                                  {},
                                  needs_token ? token_of(frame) : std::string()});
  if (timeout) {
    frame.timeout_due = context_.now + seconds(*timeout);
    effects_.push_back(SetTimer{frame.id, frame.sequence, TimerKind::timeout, *frame.timeout_due});
  }
  frame.heartbeat_seconds = heartbeat ? static_cast<std::int64_t>(*heartbeat) : 0;
  if (resource.kind != Resource::Kind::activity) arm_heartbeat(frame);
}

void Engine::record_scheduled(Frame& frame, const State& state, std::optional<double> timeout,
                              std::optional<double> heartbeat) {
  using Kind = Resource::Kind;
  const Resource& resource = state.resource;
  HistoryEvent event;
  event.data = frame.arguments;
  const auto whole = [](double value) { return static_cast<std::int64_t>(value); };
  if (timeout) event.more["timeoutInSeconds"] = whole(*timeout);
  if (heartbeat) event.more["heartbeatInSeconds"] = whole(*heartbeat);
  if (resource.kind == Kind::lambda || resource.kind == Kind::activity) {
    event.type = resource.kind == Kind::lambda ? HistoryType::lambda_function_scheduled
                                               : HistoryType::activity_scheduled;
    event.more["resource"] = resource.arn;
  } else {
    event.type = HistoryType::task_scheduled;
    event.more["resource"] = resource.name;
    event.more["resourceType"] = resource.type;
    event.more["region"] = execution_.identity.region;
  }
  if (frame.role) event.more["taskCredentials"] = JsonObject{{"roleArn", *frame.role}};
  record(frame, std::move(event));
  if (resource.kind == Kind::lambda) {
    record(frame, HistoryType::lambda_function_started);
  } else if (resource.kind != Kind::activity) {
    record_task(frame, HistoryType::task_started, std::nullopt);
  }
}

void Engine::record_task(Frame& frame, HistoryType type, const std::optional<Datum>& output,
                         const std::optional<std::string>& error,
                         const std::optional<std::string>& cause) {
  const Resource& resource = state_of(frame).resource;
  HistoryEvent event;
  event.type = type;
  event.data = output;
  event.error = error;
  event.cause = cause;
  if (resource.kind == Resource::Kind::sdk || resource.kind == Resource::Kind::optimized) {
    event.more["resource"] = resource.name;
    event.more["resourceType"] = resource.type;
  }
  record(frame, std::move(event));
}

namespace {

enum class Outcome { succeeded, failed, timed_out };
HistoryType outcome_type(const Resource& resource, Outcome outcome) {
  using enum HistoryType;
  static constexpr HistoryType k_types[][3] = {
      {lambda_function_succeeded, lambda_function_failed, lambda_function_timed_out},
      {activity_succeeded, activity_failed, activity_timed_out},
      {task_succeeded, task_failed, task_timed_out}};
  const int row = resource.kind == Resource::Kind::lambda     ? 0
                  : resource.kind == Resource::Kind::activity ? 1
                                                              : 2;
  return k_types[row][static_cast<int>(outcome)];
}

}  // namespace

void Engine::task_succeeded(Frame& frame, const Datum& output) {
  const Resource& resource = state_of(frame).resource;
  if (output.size() > k_payload_bytes_max) {
    const std::string& name = resource.type.empty() ? resource.arn : resource.type;
    return task_failed(frame, "States.DataLimitExceeded",
                       fmt::format("The state/task '{}' returned a result with a size exceeding "
                                   "the maximum number of bytes service limit.",
                                   name));
  }
  record_task(frame, outcome_type(resource, Outcome::succeeded), output);
  end_wait(frame);
  frame.arguments = Datum();
  frame.waiting = Waiting::ready;
  touch_data(frame);
  guarded(frame, [&] { complete_state(frame, output); });
}

void Engine::task_failed(Frame& frame, const std::optional<std::string>& error,
                         const std::optional<std::string>& cause) {
  record_task(frame, outcome_type(state_of(frame).resource, Outcome::failed), std::nullopt, error,
              cause);
  Failure failure;
  failure.error = error;
  failure.cause = cause;
  failure.timeout = error == "States.Timeout";
  failure.runtime = error == "States.Runtime";
  fail_state(frame, failure, false);
}

bool Engine::task_timed_out(Frame& frame, bool heartbeat) {
  if (frame.waiting != Waiting::task) return false;
  Failure failure;
  failure.error = "States.Timeout";
  failure.timeout = true;
  failure.heartbeat = heartbeat;
  record_task(frame, outcome_type(state_of(frame).resource, Outcome::timed_out), std::nullopt,
              failure.error);
  effects_.push_back(CancelTask{frame.id, frame.sequence, state_of(frame).resource});
  fail_state(frame, failure, false);
  return true;
}

std::vector<Effect> pending_effects(const Execution& execution, const Definition& definition) {
  std::vector<Effect> out;
  if (execution.status != ExecutionStatus::running) return out;
  for (const auto& [id, frame] : execution.frames) {
    if (frame->waiting == Waiting::task) {
      const Resource& resource = definition.state(frame->flow, frame->state).resource;
      std::string token;
      if (!frame->token_secret.empty()) {
        token = encode_token({execution.identity.arn, id, frame->sequence, frame->token_secret});
      }
      out.push_back(ScheduleTask{id, frame->sequence, resource, frame->arguments, frame->role,
                                 frame->submission, token});
      if (frame->timeout_due) {
        out.push_back(SetTimer{id, frame->sequence, TimerKind::timeout, *frame->timeout_due});
      }
      if (frame->heartbeat_due) {
        out.push_back(SetTimer{id, frame->sequence, TimerKind::heartbeat, *frame->heartbeat_due});
      }
    }
    if (frame->due) out.push_back(SetTimer{id, frame->sequence, TimerKind::wait, *frame->due});
  }
  if (const auto limit = time_limit(execution, definition)) {
    out.push_back(
        SetTimer{k_root_frame, 0, TimerKind::execution, execution.identity.start + *limit});
  }
  if (!execution.ready.empty()) out.push_back(Yielded{});
  return out;
}

}  // namespace tarn::stepfunctions::asl
