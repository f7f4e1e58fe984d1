// SPDX-License-Identifier: Apache-2.0
// Data flow, the simple states, failures, and the entry points.
#include "services/stepfunctions/engine.hpp"

#include <cmath>

namespace tarn::stepfunctions::asl {
namespace {

constexpr double k_wait_seconds_max = 2'147'483'647;
constexpr std::int64_t k_express_seconds_max = 300;

HistoryType typed(HistoryType first, StateType type) {
  return static_cast<HistoryType>(static_cast<int>(first) + static_cast<int>(type));
}
}  // namespace

std::optional<Microseconds> time_limit(const Execution& execution, const Definition& definition) {
  auto limit = definition.timeout_seconds;
  if (execution.identity.express) {
    limit = std::min(limit.value_or(k_express_seconds_max), k_express_seconds_max);
  }
  if (!limit) return std::nullopt;
  return seconds(static_cast<double>(*limit));
}

HistoryType entered_type(StateType type) { return typed(HistoryType::task_state_entered, type); }
HistoryType exited_type(StateType type) {
  using enum StateType;
  switch (type) {
    case task: return HistoryType::task_state_exited;
    case pass: return HistoryType::pass_state_exited;
    case choice: return HistoryType::choice_state_exited;
    case wait: return HistoryType::wait_state_exited;
    case succeed:
    case fail: return HistoryType::succeed_state_exited;
    case parallel: return HistoryType::parallel_state_exited;
    case map: return HistoryType::map_state_exited;
  }
  return HistoryType::pass_state_exited;
}
static_assert(static_cast<int>(HistoryType::task_state_entered) +
                  static_cast<int>(StateType::map) ==
              static_cast<int>(HistoryType::map_state_entered));
static_assert(static_cast<int>(HistoryType::task_state_entered) +
                  static_cast<int>(StateType::fail) ==
              static_cast<int>(HistoryType::fail_state_entered));

std::optional<HistoryType> aborted_type(StateType type) {
  switch (type) {
    case StateType::task: return HistoryType::task_state_aborted;
    case StateType::wait: return HistoryType::wait_state_aborted;
    case StateType::parallel: return HistoryType::parallel_state_aborted;
    case StateType::map: return HistoryType::map_state_aborted;
    default: return std::nullopt;
  }
}

namespace {

// As Java writes a number or text into a message.
std::string shown(const Json& value) {
  return value.is_string() ? std::string(json_text(value.get_string())) : dump_json(value);
}

}  // namespace

// ---------------------------------------------------------------- data flow

Datum Engine::filtered(Frame& frame, const PathFilter& filter, const Datum& value) {
  if (filter.null) return Datum(JsonObject());
  if (!filter.path) return value;
  const JsonPath* path = filter.path->as_path();
  if (path && path->is_root() && path->root() == JsonPath::Root::input) return value;
  Scope scope(*this, frame, value);
  return Datum(filter.path->evaluate_filter(scope));
}

Datum Engine::templated(Frame& frame, const std::optional<Template>& made, const Datum& input) {
  if (!made) return input;
  Scope scope(*this, frame, input);
  return Datum(made->evaluate(scope));
}

Engine::Assigned Engine::assigned(Frame& frame, const std::optional<Template>& assign,
                                  const Datum& input) {
  Assigned out;
  if (!assign) return out;
  Scope scope(*this, frame, input);
  Json values = assign->evaluate(scope);
  for (auto& member : values.get_object()) {
    out.emplace_back(std::string(std::string_view(member.key())), Datum(std::move(member.value())));
  }
  return out;
}

std::optional<double> Engine::number(Frame& frame, const Number& given, const Datum& input,
                                     std::string_view field) {
  if (given.literal) return given.literal;
  if (!given.path) return std::nullopt;
  Scope scope(*this, frame, input);
  const Json value = given.path->evaluate_filter(scope);
  if (value.is_int64() || value.is_uint64()) return value.to_number<double>();
  const bool fraction = field == "ToleratedFailurePercentage";
  if (fraction && value.is_double()) return value.get_double();
  throw EvaluationError(
      "States.Runtime",
      fmt::format("The {}Path field refers to value \"{}\" which is not a valid "
                  "{}: {}",
                  field, shown(value), fraction ? "float" : "integer", given.path->text()));
}

// ---------------------------------------------------------------- simple states

void Engine::fail(Frame& frame, const State& state) {
  const Datum& input = frame.input;
  Scope scope(*this, frame, input);
  const auto text = [&](const std::optional<std::string>& literal,
                        const std::optional<Expression>& path,
                        std::string_view field) -> std::optional<std::string> {
    if (!path) return literal;
    const Json value = path->evaluate(scope, field);
    if (value.is_string()) return std::string(json_text(value.get_string()));
    throw EvaluationError("States.Runtime",
                          fmt::format("The {} field refers to value \"{}\" which is not a string: "
                                      "{}",
                                      field, dump_json(value), path->text()));
  };
  Failure failure;
  failure.error = text(state.error, state.error_path, "ErrorPath");
  failure.cause = text(state.cause, state.cause_path, "CausePath");
  failure.runtime = failure.error == "States.Runtime";
  fail_flow(frame, failure);
}

void Engine::choice(Frame& frame, const State& state) {
  const Datum input = effective_input(frame);
  Scope scope(*this, frame, input);
  const std::optional<Template>* assign = &state.assign;
  auto next = state.default_next;
  for (const auto& rule : state.choices) {
    if (!holds(rule.condition, scope)) continue;
    next = rule.next;
    assign = &rule.assign;
    break;
  }
  if (!next) {
    throw EvaluationError("States.NoChoiceMatched",
                          "Failed to transition out of the state. The state does not point to a "
                          "next state.");
  }
  const Datum output = filtered(frame, state.output_path, input);
  leave(frame, output, assigned(frame, *assign, input), next);
}

void Engine::wait(Frame& frame, const State& state) {
  const Datum input = effective_input(frame);
  Scope scope(*this, frame, input);
  const auto look_up = [&](const Expression& path, const char* field) {
    try {
      return path.evaluate_filter(scope);
    } catch (const EvaluationError&) {
      throw EvaluationError("States.Runtime",
                            fmt::format("The {} parameter does not reference an input value: {}",
                                        field, path.text()));
    }
  };
  Timestamp due = context_.now;
  if (state.seconds.literal) {
    due += seconds(*state.seconds.literal);
  } else if (state.timestamp) {
    due = *state.timestamp;
  } else if (state.seconds.path) {
    const Expression& path = *state.seconds.path;
    const Json value = look_up(path, "SecondsPath");
    if (!value.is_int64() && !value.is_uint64()) {
      throw EvaluationError("States.Runtime",
                            fmt::format("The SecondsPath parameter cannot be parsed as a long "
                                        "value: {} == {}",
                                        path.text(), shown(value)));
    }
    if (value.to_number<double>() < 0) {
      throw EvaluationError("States.Runtime",
                            fmt::format("The SecondsPath parameter references a negative value: "
                                        "{} == {}",
                                        path.text(), shown(value)));
    }
    if (value.to_number<double>() > k_wait_seconds_max) {
      throw EvaluationError("States.Runtime", "Wait state delay is too long.");
    }
    due += seconds(value.to_number<double>());
  } else {
    const Json value = look_up(*state.timestamp_path, "TimestampPath");
    const auto time =
        value.is_string() ? parse_rfc3339(json_text(value.get_string())) : std::nullopt;
    if (!time) {
      throw EvaluationError("States.Runtime",
                            fmt::format("The TimestampPath parameter does not reference a valid "
                                        "ISO-8601 extended offset date-time format string: {} == "
                                        "{}",
                                        state.timestamp_path->text(), shown(value)));
    }
    due = *time;
  }
  if (due - context_.now > seconds(k_wait_seconds_max)) {
    throw EvaluationError("States.Runtime", "Wait state delay is too long.");
  }
  if (due <= context_.now) return complete_state(frame, input);
  frame.waiting = Waiting::timer;
  frame.due = due;
  ++frame.sequence;
  touch(frame);
  effects_.push_back(SetTimer{frame.id, frame.sequence, TimerKind::wait, due});
}

// ---------------------------------------------------------------- failures

bool Engine::matches(const std::vector<std::string>& errors, const Failure& failure) {
  return std::any_of(errors.begin(), errors.end(), [&](const std::string& name) {
    if (name == "States.ALL") return true;
    if (name == "States.TaskFailed") return !failure.timeout;
    if (name == "States.HeartbeatTimeout" && failure.heartbeat) return true;
    return failure.error && name == *failure.error;
  });
}

// `from_children`: a Parallel's branch or a Map's iteration failed, rather than the state itself.
void Engine::fail_state(Frame& frame, const Failure& failure, bool from_children) {
  const State& state = state_of(frame);
  end_wait(frame);
  frame.waiting = Waiting::ready;  // its task, if it has one, has ended by itself
  if (!failure.runtime && retry(frame, state, failure)) return;
  if (from_children) {
    record(frame, state.type == StateType::map ? HistoryType::map_state_failed
                                               : HistoryType::parallel_state_failed);
  }
  if (!failure.runtime) {
    for (const auto& catcher : state.catchers) {
      if (!matches(catcher.errors, failure)) continue;
      try {
        return caught(frame, catcher, failure);
      } catch (const EvaluationError& error) {
        return fail_flow(frame, evaluation_failure(frame, error));
      }
    }
  }
  fail_flow(frame, failure);
}

bool Engine::retry(Frame& frame, const State& state, const Failure& failure) {
  for (std::size_t i = 0; i < state.retriers.size(); ++i) {
    const Retrier& retrier = state.retriers[i];
    if (!matches(retrier.errors, failure)) continue;
    if (frame.attempts.size() <= i) frame.attempts.resize(i + 1);
    auto& attempts = frame.attempts[i];
    if (attempts >= static_cast<std::uint64_t>(retrier.attempts_max)) return false;
    double delay =
        retrier.interval_seconds * std::pow(retrier.backoff_rate, static_cast<double>(attempts));
    delay = std::min(delay, retrier.delay_seconds_max.value_or(k_wait_seconds_max));
    delay = std::min(delay, k_wait_seconds_max);
    if (retrier.full_jitter) delay *= context_.random.unit();
    ++attempts;
    ++frame.retry_count;
    ++frame.sequence;
    frame.waiting = Waiting::retry;
    frame.due = context_.now + seconds(delay);
    touch(frame);
    effects_.push_back(SetTimer{frame.id, frame.sequence, TimerKind::wait, *frame.due});
    return true;
  }
  return false;
}

void Engine::caught(Frame& frame, const Catcher& catcher, const Failure& failure) {
  JsonObject error;
  const auto put = [&](const char* key, const std::optional<std::string>& text, bool empty) {
    error[key] = text ? Json(*text) : (empty ? Json("") : Json(nullptr));
  };
  put("Error", failure.error, false);
  put("Cause", failure.cause, failure.timeout);
  const Datum given((Json(std::move(error))));
  const Datum output = placed(catcher.result_path, frame.input, given);
  leave(frame, output, assigned(frame, catcher.assign, given), catcher.next);
}

void Engine::fail_flow(Frame& frame, const Failure& failure) {
  if (frame.parent != 0) return child_failed(*find(frame.parent), frame, failure);
  HistoryEvent event;
  event.type = HistoryType::execution_failed;
  event.error = failure.error;
  event.cause = failure.cause;
  append(std::move(event), frame.last_event);
  complete({ExecutionStatus::failed, std::nullopt, failure.error, failure.cause});
}

// ---------------------------------------------------------------- entry points

StepResult step(Execution& execution, const Event& event, const StepContext& context) {
  return Engine(execution, context).run(event);
}

}  // namespace tarn::stepfunctions::asl
