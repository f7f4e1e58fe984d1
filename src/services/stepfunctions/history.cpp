// SPDX-License-Identifier: Apache-2.0
#include "services/stepfunctions/history.hpp"

#include <array>
#include <stdexcept>
#include <utility>

#include "services/stepfunctions/wire.hpp"

namespace tarn::stepfunctions::asl {
namespace {

// Where an event's data goes in its details.
enum class Data { none, input, output, parameters };
struct TypeInfo {
  std::string_view name;
  std::string_view details;  // the member's name; empty: this type has none
  Data data = Data::none;
};

constexpr std::string_view k_entered = "stateEnteredEventDetails";
constexpr std::string_view k_exited = "stateExitedEventDetails";

constexpr auto k_types = std::to_array<TypeInfo>({
    {"ExecutionStarted", "executionStartedEventDetails", Data::input},
    {"ExecutionSucceeded", "executionSucceededEventDetails", Data::output},
    {"ExecutionFailed", "executionFailedEventDetails"},
    {"ExecutionAborted", "executionAbortedEventDetails"},
    {"ExecutionTimedOut", "executionTimedOutEventDetails"},
    {"TaskStateEntered", k_entered, Data::input},
    {"PassStateEntered", k_entered, Data::input},
    {"ChoiceStateEntered", k_entered, Data::input},
    {"WaitStateEntered", k_entered, Data::input},
    {"SucceedStateEntered", k_entered, Data::input},
    {"FailStateEntered", k_entered, Data::input},
    {"ParallelStateEntered", k_entered, Data::input},
    {"MapStateEntered", k_entered, Data::input},
    {"TaskStateExited", k_exited, Data::output},
    {"PassStateExited", k_exited, Data::output},
    {"ChoiceStateExited", k_exited, Data::output},
    {"WaitStateExited", k_exited, Data::output},
    {"SucceedStateExited", k_exited, Data::output},
    {"ParallelStateExited", k_exited, Data::output},
    {"MapStateExited", k_exited, Data::output},
    {"TaskStateAborted", ""},
    {"WaitStateAborted", ""},
    {"ParallelStateAborted", ""},
    {"MapStateAborted", ""},
    {"TaskScheduled", "taskScheduledEventDetails", Data::parameters},
    {"TaskStartFailed", "taskStartFailedEventDetails"},
    {"TaskStarted", "taskStartedEventDetails"},
    {"TaskSubmitted", "taskSubmittedEventDetails", Data::output},
    {"TaskSubmitFailed", "taskSubmitFailedEventDetails"},
    {"TaskSucceeded", "taskSucceededEventDetails", Data::output},
    {"TaskFailed", "taskFailedEventDetails"},
    {"TaskTimedOut", "taskTimedOutEventDetails"},
    {"LambdaFunctionScheduled", "lambdaFunctionScheduledEventDetails", Data::input},
    {"LambdaFunctionScheduleFailed", "lambdaFunctionScheduleFailedEventDetails"},
    {"LambdaFunctionStartFailed", "lambdaFunctionStartFailedEventDetails"},
    {"LambdaFunctionStarted", ""},
    {"LambdaFunctionSucceeded", "lambdaFunctionSucceededEventDetails", Data::output},
    {"LambdaFunctionFailed", "lambdaFunctionFailedEventDetails"},
    {"LambdaFunctionTimedOut", "lambdaFunctionTimedOutEventDetails"},
    {"ActivityScheduled", "activityScheduledEventDetails", Data::input},
    {"ActivityScheduleFailed", "activityScheduleFailedEventDetails"},
    {"ActivityStarted", "activityStartedEventDetails"},
    {"ActivitySucceeded", "activitySucceededEventDetails", Data::output},
    {"ActivityFailed", "activityFailedEventDetails"},
    {"ActivityTimedOut", "activityTimedOutEventDetails"},
    {"ParallelStateStarted", ""},
    {"ParallelStateSucceeded", ""},
    {"ParallelStateFailed", ""},
    {"MapStateStarted", "mapStateStartedEventDetails"},
    {"MapStateSucceeded", ""},
    {"MapStateFailed", ""},
    {"MapIterationStarted", "mapIterationStartedEventDetails"},
    {"MapIterationSucceeded", "mapIterationSucceededEventDetails"},
    {"MapIterationFailed", "mapIterationFailedEventDetails"},
    {"MapIterationAborted", "mapIterationAbortedEventDetails"},
    {"MapRunStarted", "mapRunStartedEventDetails"},
    {"MapRunSucceeded", ""},
    {"MapRunFailed", "mapRunFailedEventDetails"},
    {"MapRunAborted", ""},
    {"EvaluationFailed", "evaluationFailedEventDetails"},
});
static_assert(k_types.size() == static_cast<std::size_t>(HistoryType::evaluation_failed) + 1);

const TypeInfo& info_of(HistoryType type) { return k_types[static_cast<std::size_t>(type)]; }

enum : std::uint8_t {
  k_has_name = 1,
  k_has_data = 2,
  k_data_as_before = 4,
  k_has_error = 8,
  k_has_cause = 16,
  k_has_more = 32
};

}  // namespace

std::string_view history_type_name(HistoryType type) { return info_of(type).name; }

JsonObject event_json(const HistoryEvent& event, bool include_data) {
  const TypeInfo& info = info_of(event.type);
  JsonObject out;
  out["timestamp"] = to_seconds(event.time);
  out["type"] = info.name;
  out["id"] = static_cast<std::int64_t>(event.id);
  out["previousEventId"] = static_cast<std::int64_t>(event.previous);
  if (info.details.empty()) return out;
  JsonObject details = event.more;
  if (!event.name.empty()) {
    details[event.type == HistoryType::activity_started ? "workerName" : "name"] = event.name;
  }
  if (event.data && include_data) {
    static constexpr std::string_view k_keys[] = {"", "input", "output", "parameters"};
    const auto key = k_keys[static_cast<std::size_t>(info.data)];
    details[key] = event.data->text();
    if (info.data != Data::parameters) {
      details[std::string(key) + "Details"] = JsonObject{{"truncated", false}};
    }
  }
  if (event.error && include_data) details["error"] = *event.error;
  if (event.cause && include_data) details["cause"] = *event.cause;
  out[info.details] = std::move(details);
  return out;
}

std::string encode_events(const std::vector<HistoryEvent>& events) {
  wire::Writer out;
  out.byte(1);  // version of the batch
  out.number(events.size());
  const Datum* before = nullptr;
  std::uint64_t id = 0;
  std::int64_t time = 0;
  for (const auto& event : events) {
    const bool again = event.data && before &&
                       (event.data->same_as(*before) || event.data->text() == before->text());
    out.byte(static_cast<std::uint8_t>(event.type));
    out.byte(static_cast<std::uint8_t>(
        (event.name.empty() ? 0 : k_has_name) | (event.data ? k_has_data : 0) |
        (again ? k_data_as_before : 0) | (event.error ? k_has_error : 0) |
        (event.cause ? k_has_cause : 0) | (event.more.empty() ? 0 : k_has_more)));
    out.number(event.id - id);
    out.number(event.id - event.previous);
    out.signed_number(to_micros(event.time) - time);
    id = event.id;
    time = to_micros(event.time);
    if (!event.name.empty()) out.text(event.name);
    if (event.data && !again) out.text(event.data->text());
    if (event.error) out.text(*event.error);
    if (event.cause) out.text(*event.cause);
    if (!event.more.empty()) out.text(dump_json(Json(event.more)));
    if (event.data) before = &*event.data;
  }
  return out.take();
}

void decode_events(std::string_view bytes, std::vector<HistoryEvent>& out) {
  wire::Reader in(bytes);
  if (in.byte() != 1) throw std::runtime_error("a history batch of an unknown version");
  std::optional<Datum> before;
  std::uint64_t id = 0;
  std::int64_t time = 0;
  for (auto left = in.number(); left > 0; --left) {
    HistoryEvent event;
    const auto type = in.byte();
    if (type >= k_types.size()) throw std::runtime_error("a history event of an unknown type");
    event.type = static_cast<HistoryType>(type);
    const auto flags = in.byte();
    event.id = id += in.number();
    event.previous = event.id - in.number();
    time += in.signed_number();
    event.time = Timestamp(Microseconds(time));
    if (flags & k_has_name) event.name = in.text();
    if (flags & k_has_data) {
      event.data = flags & k_data_as_before ? *before : Datum::of_text(in.text());
      before = event.data;
    }
    if (flags & k_has_error) event.error = in.text();
    if (flags & k_has_cause) event.cause = in.text();
    if (flags & k_has_more) event.more = parse_json(in.text()).get_object();
    out.push_back(std::move(event));
  }
}

}  // namespace tarn::stepfunctions::asl
