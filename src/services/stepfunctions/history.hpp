// SPDX-License-Identifier: Apache-2.0
// History events: what AWS's GetExecutionHistory returns, kept compactly.
//
// Events are appended in batches, one row per commit (records.hpp), and an exited state's output is
// usually the next state's input, so a batch stores equal neighbours once. `event_json` gives AWS's
// wire form.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "base/time.hpp"
#include "services/stepfunctions/datum.hpp"

namespace tarn::stepfunctions::asl {

// Stored by number: append only.
enum class HistoryType : std::uint8_t {
  execution_started,
  execution_succeeded,
  execution_failed,
  execution_aborted,
  execution_timed_out,
  task_state_entered,
  pass_state_entered,
  choice_state_entered,
  wait_state_entered,
  succeed_state_entered,
  fail_state_entered,
  parallel_state_entered,
  map_state_entered,
  task_state_exited,
  pass_state_exited,
  choice_state_exited,
  wait_state_exited,
  succeed_state_exited,
  parallel_state_exited,
  map_state_exited,
  task_state_aborted,
  wait_state_aborted,
  parallel_state_aborted,
  map_state_aborted,
  task_scheduled,
  task_start_failed,
  task_started,
  task_submitted,
  task_submit_failed,
  task_succeeded,
  task_failed,
  task_timed_out,
  lambda_function_scheduled,
  lambda_function_schedule_failed,
  lambda_function_start_failed,
  lambda_function_started,
  lambda_function_succeeded,
  lambda_function_failed,
  lambda_function_timed_out,
  activity_scheduled,
  activity_schedule_failed,
  activity_started,
  activity_succeeded,
  activity_failed,
  activity_timed_out,
  parallel_state_started,
  parallel_state_succeeded,
  parallel_state_failed,
  map_state_started,
  map_state_succeeded,
  map_state_failed,
  map_iteration_started,
  map_iteration_succeeded,
  map_iteration_failed,
  map_iteration_aborted,
  map_run_started,
  map_run_succeeded,
  map_run_failed,
  map_run_aborted,
  evaluation_failed
};
std::string_view history_type_name(HistoryType type);  // "TaskScheduled"

struct HistoryEvent {
  std::uint64_t id = 0;
  std::uint64_t previous = 0;
  Timestamp time{};
  HistoryType type = HistoryType::execution_started;
  std::string name;           // of the state, the Map, the worker
  std::optional<Datum> data;  // the input, output or parameters
  std::optional<std::string> error, cause;
  JsonObject more;  // the other details, as AWS names them
};

// {"timestamp": …, "type": …, "id": …, "previousEventId": …, "…EventDetails": {…}}. Without data,
// the details lack input and output, as with includeExecutionData=false.
JsonObject event_json(const HistoryEvent& event, bool include_data);

std::string encode_events(const std::vector<HistoryEvent>& events);
// Appends to `out`; throws std::runtime_error when the bytes are no batch.
void decode_events(std::string_view bytes, std::vector<HistoryEvent>& out);

}  // namespace tarn::stepfunctions::asl
