// SPDX-License-Identifier: Apache-2.0
// Parallel and Map: starting, joining, failing and aborting the flows below a state.
//
// A distributed Map's iterations run as frames of the same execution, without history ("silent");
// on AWS each is an execution of its own.
#include <cmath>

#include "base/strings.hpp"
#include "services/stepfunctions/engine.hpp"

namespace tarn::stepfunctions::asl {
namespace {

constexpr std::uint64_t k_distributed_concurrency = 1000;

HistoryEvent event_of(HistoryType type) {
  HistoryEvent event;
  event.type = type;
  return event;
}

}  // namespace

void Engine::prepare_children(Frame& frame, std::uint64_t total) {
  frame.total = total;
  frame.started = frame.succeeded = frame.failed = 0;
  frame.waiting = Waiting::children;
  touch(frame);
}

Frame& Engine::add_child(Frame& parent, std::uint64_t index, std::size_t flow, const Datum& input) {
  Frame& child = execution_.add_frame();
  child.parent = parent.id;
  child.index = index;
  child.flow = flow;
  child.state = context_.definition.flows[flow].start;
  child.silent = parent.silent;
  child.input = input;
  child.last_event = parent.last_event;
  parent.children[index] = child.id;
  ++parent.started;
  execution_.ready.push_back(child.id);
  return child;
}

// ---------------------------------------------------------------- starting

void Engine::start_parallel(Frame& frame, const State& state) {
  const Datum input = templated(frame, state.parameters, effective_input(frame));
  record(frame, HistoryType::parallel_state_started);
  prepare_children(frame, state.flows.size());
  for (std::size_t i = 0; i < state.flows.size(); ++i) add_child(frame, i, state.flows[i], input);
  if (frame.total == 0) children_done(frame);
}

const Datum& Engine::map_items(Frame& frame, const State& state) {
  if (frame.items) return *frame.items;
  frame.children_input = effective_input(frame);
  Datum items = *frame.children_input;
  if (state.map.items_path) {
    Scope scope(*this, frame, *frame.children_input);
    items = Datum(state.map.items_path->evaluate_filter(scope));
  }
  if (!items.value().is_array()) {
    throw EvaluationError(
        "States.Runtime",
        fmt::format("Reference path \"{}\" must point to array.",
                    state.map.items_path ? state.map.items_path->text() : std::string("$")));
  }
  frame.items = items;
  return *frame.items;
}

void Engine::start_map(Frame& frame, const State& state) {
  if (!state.map.unsupported.empty()) {
    throw EvaluationError("States.Runtime",
                          fmt::format("The field '{}' of a distributed Map is not supported by "
                                      "Tarn yet.",
                                      state.map.unsupported));
  }
  frame.items.reset();
  const Datum items = map_items(frame, state);
  const Datum input = *frame.children_input;
  const auto concurrency = number(frame, state.map.concurrency_max, input, "MaxConcurrency");
  if (concurrency && *concurrency < 0) {
    throw EvaluationError("States.Runtime", "MaxConcurrency cannot be negative.");
  }
  const auto most = state.map.distributed ? k_distributed_concurrency : k_inline_concurrency_max;
  const auto wanted = static_cast<std::uint64_t>(concurrency.value_or(0));
  frame.concurrency = wanted == 0 ? most : std::min(wanted, most);
  HistoryEvent event = event_of(HistoryType::map_state_started);
  event.more["length"] = static_cast<std::int64_t>(items.value().get_array().size());
  record(frame, std::move(event));
  if (state.map.distributed) start_distributed(frame, state);
  prepare_children(frame, items.value().get_array().size());
  next_iterations(frame, frame.last_event);
  if (frame.waiting == Waiting::children && frame.total == 0) children_done(frame);
}

void Engine::start_distributed(Frame& frame, const State& state) {
  const Datum& input = *frame.children_input;
  const auto total = static_cast<double>(frame.items->value().get_array().size());
  const auto count = number(frame, state.map.tolerated_count, input, "ToleratedFailureCount");
  const auto percentage =
      number(frame, state.map.tolerated_percentage, input, "ToleratedFailurePercentage");
  if (count && *count < 0) {
    throw EvaluationError("States.Runtime", "ToleratedFailureCount cannot be negative.");
  }
  if (percentage && (*percentage < 0 || *percentage > 100)) {
    throw EvaluationError("States.Runtime",
                          "ToleratedFailurePercentage must be between 0 and 100.");
  }
  double tolerated = count || percentage ? total : 0;
  if (count) tolerated = std::min(tolerated, *count);
  if (percentage) tolerated = std::min(tolerated, std::floor(total * *percentage / 100));
  frame.tolerated = static_cast<std::uint64_t>(tolerated);
  const std::string label = state.map.label.empty() ? context_.random.uuid() : state.map.label;
  frame.map_run = fmt::format(
      "{}/{}:{}", replace_all(execution_.identity.machine_arn, ":stateMachine:", ":mapRun:"), label,
      context_.random.uuid());
  HistoryEvent event = event_of(HistoryType::map_run_started);
  event.more["mapRunArn"] = frame.map_run;
  record(frame, std::move(event));
}

void Engine::next_iterations(Frame& parent, std::uint64_t previous) {
  const State& state = state_of(parent);
  while (parent.started < parent.total &&
         parent.started - parent.succeeded - parent.failed < parent.concurrency) {
    try {
      start_iteration(parent, state, previous);
    } catch (const EvaluationError& error) {
      drop_children(parent);
      return fail_state(parent, evaluation_failure(parent, error), true);
    }
  }
}

void Engine::start_iteration(Frame& frame, const State& state, std::uint64_t previous) {
  const Datum items = map_items(frame, state);
  const std::uint64_t index = frame.started;
  const Json& value = items.value().get_array()[index];
  const Datum item{Json(value)};
  Datum input = item;
  if (state.map.item_selector) {
    Scope scope(*this, frame, *frame.children_input);
    scope.set_item(index, value);
    input = Datum(state.map.item_selector->evaluate(scope));
  }
  Frame& child = add_child(frame, index, state.flows.front(), input);
  child.item = item;
  if (state.map.distributed) {
    child.silent = true;
    child.last_event = 1;  // its own ExecutionStarted, on AWS
    return;
  }
  if (frame.silent) return;
  child.last_event =
      append(iteration_event(HistoryType::map_iteration_started, frame, index), previous);
}

// ---------------------------------------------------------------- ending

void Engine::child_finished(Frame& parent, Frame& child) {
  const State& state = state_of(parent);
  ++parent.succeeded;
  touch(parent);
  if (state.type == StateType::parallel) {
    parent.last_event = std::max(child.last_event, parent.silent ? parent.last_event : 0);
  } else {
    if (!state.map.distributed && !parent.silent) {
      parent.last_event =
          append(iteration_event(HistoryType::map_iteration_succeeded, parent, child.index),
                 child.last_event);
    }
    next_iterations(parent, child.last_event);
  }
  if (parent.waiting == Waiting::children && parent.succeeded + parent.failed == parent.total) {
    children_done(parent);
  }
}

Datum Engine::collected(const Frame& parent) {
  std::string text = "[";
  for (const auto& [index, id] : parent.children) {
    const Frame* child = find(id);
    if (!child || child->waiting != Waiting::done) continue;  // a tolerated failure
    if (text.size() > 1) text.push_back(',');
    text += child->arguments.text();
  }
  text.push_back(']');
  return Datum::of_text(std::move(text));
}

void Engine::children_done(Frame& parent) {
  const State& state = state_of(parent);
  if (state.type == StateType::parallel) {
    record_aside(parent, event_of(HistoryType::parallel_state_succeeded), parent.last_event);
  } else {
    if (state.map.distributed) {
      record_aside(parent, event_of(HistoryType::map_run_succeeded), parent.last_event);
    }
    const auto previous =
        state.map.distributed && !parent.silent ? execution_.next_event - 1 : parent.last_event;
    record_aside(parent, event_of(HistoryType::map_state_succeeded), previous);
  }
  const Datum result = collected(parent);
  drop_children(parent);
  parent.waiting = Waiting::ready;
  touch(parent);
  guarded(parent, [&] { complete_state(parent, result); });
}

void Engine::child_failed(Frame& parent, Frame& child, const Failure& failure) {
  const State& state = state_of(parent);
  touch(parent);
  if (state.type == StateType::map && state.map.distributed) {
    ++parent.failed;
    remove(child);
    if (parent.failed <= parent.tolerated) {
      next_iterations(parent, parent.last_event);
      if (parent.waiting == Waiting::children && parent.succeeded + parent.failed == parent.total) {
        children_done(parent);
      }
      return;
    }
    Failure exceeded;
    exceeded.error = "States.ExceedToleratedFailureThreshold";
    exceeded.cause = "The specified tolerated failure threshold was exceeded";
    drop_children(parent);
    HistoryEvent event = event_of(HistoryType::map_run_failed);
    event.error = exceeded.error;
    event.cause = exceeded.cause;
    record(parent, std::move(event));
    return fail_state(parent, exceeded, true);
  }
  const auto last = child.last_event;
  const bool is_map = state.type == StateType::map;
  if (is_map) {
    record_aside(parent, iteration_event(HistoryType::map_iteration_failed, parent, child.index),
                 last);
  }
  if (state_of(child).type == StateType::task) {
    record_aside(parent, event_of(HistoryType::task_state_aborted), last);
  }
  for (const auto& [index, id] : parent.children) {
    const Frame* other = find(id);
    if (!other || other == &child || other->waiting == Waiting::done) continue;
    if (is_map) {
      record_aside(parent, iteration_event(HistoryType::map_iteration_aborted, parent, index),
                   last);
    }
    // A branch that has not entered its first state has nothing to abort.
    const auto aborted = other->entered_event ? aborted_type(state_of(*other).type) : std::nullopt;
    if (aborted) record_aside(parent, event_of(*aborted), last);
  }
  if (!parent.silent) parent.last_event = last;
  drop_children(parent);
  fail_state(parent, failure, true);
}

void Engine::drop_children(Frame& parent) {
  const auto children = std::move(parent.children);
  parent.children.clear();
  for (const auto& [index, id] : children) {
    if (Frame* child = find(id)) abort(*child);
  }
  parent.items.reset();
  parent.children_input.reset();
}

void Engine::abort(Frame& frame) {
  drop_children(frame);
  if (frame.waiting != Waiting::done) abort_waits(frame);
  remove(frame);
}

void Engine::remove(Frame& frame) {
  const FrameId id = frame.id;
  if (Frame* parent = find(frame.parent)) {
    const auto mine = parent->children.find(frame.index);
    if (mine != parent->children.end() && mine->second == id) parent->children.erase(mine);
  }
  if (frame.stored) execution_.removed.push_back(id);
  execution_.changed.erase(id);
  std::erase(execution_.ready, id);
  const auto found = execution_.frames.find(id);
  if (found == execution_.frames.end()) return;
  over_.push_back(std::move(found->second));
  execution_.frames.erase(found);
}

}  // namespace tarn::stepfunctions::asl
