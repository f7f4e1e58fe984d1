// SPDX-License-Identifier: Apache-2.0
// Runs the executions that others recorded from AWS (../shared/conformance/stepfunctions) through
// the engine alone, on a manual clock, and compares their whole histories; and creates the
// definitions that AWS refused. Cases that call tasks or other operations are the service's to run.
//
// tests/conformance/stepfunctions_expected_failures.txt names the cases that may fail, with the
// reason; the test fails when another one fails or a listed one passes.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "base/strings.hpp"
#include "services/stepfunctions/definition.hpp"
#include "services/stepfunctions/execution.hpp"
#include "services/stepfunctions/testing/recorded.hpp"

namespace tarn::stepfunctions::asl {
namespace {

using testing::Comparer;
using testing::history_difference;

struct Ran {
  std::vector<HistoryEvent> events;
  std::optional<Completed> end;
};

// Runs to the end on a clock that jumps to the next timer. Every step goes through the stored form
// of all frames, so that what is not stored would be missed.
Ran run(const Definition& definition, const ExecutionIdentity& identity, bool express) {
  SeededRandom random(7);
  Execution execution;
  execution.identity = identity;
  execution.identity.express = express;
  Timestamp now = identity.start;
  Ran out;
  Event event = Started{};
  for (int steps = 0; steps < 1000; ++steps) {
    const auto result = step(execution, event, {definition, now, random});
    EXPECT_TRUE(result.accepted);
    const auto batch = encode_events(execution.unsaved_events);
    decode_events(batch, out.events);
    execution.saved();
    std::optional<SetTimer> next;
    bool yielded = false;
    for (const auto& effect : result.effects) {
      if (const auto* completed = std::get_if<Completed>(&effect)) {
        out.end = *completed;
        return out;
      }
      yielded |= std::holds_alternative<Yielded>(effect);
    }
    Execution again;
    again.identity = execution.identity;
    again.next_event = execution.next_event;
    again.next_frame = execution.next_frame;
    for (const auto& [id, frame] : execution.frames) {
      again.frames[id] =
          std::make_unique<Frame>(Frame::decode(frame->encode_state(), frame->encode_data()));
    }
    again.restore();
    execution = std::move(again);
    for (const auto& effect : pending_effects(execution, definition)) {
      const auto* timer = std::get_if<SetTimer>(&effect);
      if (timer && (!next || timer->due < next->due)) next = *timer;
    }
    if (yielded) {
      event = Continue{};
    } else if (next) {
      // A recording that ends inside a wait was read while AWS still waited.
      if (next->due - identity.start > std::chrono::hours(24)) return out;
      now = std::max(now, next->due);
      event = TimerDue{next->frame, next->sequence, next->kind};
    } else {
      return out;
    }
  }
  return out;
}

bool has_tasks(const Definition& definition) {
  for (const auto& flow : definition.flows) {
    for (const auto& state : flow.states) {
      if (state.type == StateType::task) return true;
    }
  }
  return false;
}

enum class Kind { skipped, passed, failed };
struct Outcome {
  Kind kind = Kind::skipped;
  std::string reason;
};

// A definition that CreateStateMachine refused, with AWS's message.
Outcome run_refused(const Json& test) {
  for (const auto& each : test.at("steps").as_array()) {
    const Json* params = find_member(each, "params");
    const bool refused = string_or(each, "op") == "stepfunctions.CreateStateMachine" &&
                         find_member(each, "expect_error");
    if (!refused || !params || !find_string(*params, "definition")) continue;
    const auto text = *find_string(*params, "definition");
    if (text.find("${") != std::string::npos) return {};
    const auto parsed = parse_definition(text, string_or(*params, "type") == "EXPRESS");
    const std::string recorded = dump_json(test.at("expected"));
    if (recorded.find("InvalidDefinition") == std::string::npos) return {};
    if (parsed.ok()) return {Kind::failed, "accepted, but recorded " + recorded.substr(0, 500)};
    std::string message = dump_json(Json(parsed.error_message()));
    message = replace_all(message.substr(1, message.size() - 2), "arn:aws:", "arn:<partition>:");
    if (recorded.find(message) != std::string::npos) return {Kind::passed, ""};
    return {Kind::failed, fmt::format("{} but recorded {}", message, recorded.substr(0, 500))};
  }
  return {};
}

Outcome run_case(const Json& test) {
  const auto& executions = test.at("executions").as_array();
  if (executions.empty()) return run_refused(test);
  const Comparer comparer(test);
  Outcome out;
  for (const auto& each : executions) {
    const Json* definition = find_member(each, "definition");
    const auto input = find_string(each, "input");
    if (!definition || !input || input->find("${") != std::string::npos) return {};
    const auto text = definition->is_string() ? std::string(json_text(definition->get_string()))
                                              : dump_json(*definition);
    if (text.find("${") != std::string::npos) return {};
    const bool express = string_or(each, "type") == "EXPRESS";
    const auto parsed = parse_definition(text, express);
    if (!parsed.ok()) return {Kind::failed, parsed.error_message()};
    if (has_tasks(*parsed.definition)) return {};
    const Json* history = nullptr;
    if (const auto key = find_string(each, "history_key")) {
      history = find_member(test.at("expected"), *key);
    }
    const Json* expected = find_member(each, "expected");
    if (!history && !expected) return {};
    ExecutionIdentity identity;
    identity.arn =
        "arn:<partition>:states:<region>:111111111111:execution:<ArnPart_0idx>:<ExecArnPart_0idx>";
    identity.name = "<ExecArnPart_0idx>";
    identity.machine_arn =
        "arn:<partition>:states:<region>:111111111111:stateMachine:<ArnPart_0idx>";
    identity.machine_name = "<ArnPart_0idx>";
    identity.role_arn = "snf_role_arn";
    identity.region = "<region>";
    identity.input = Datum::of_text(*input);
    identity.start = *parse_iso8601("2026-11-21T08:00:00Z");
    const Ran ran = run(*parsed.definition, identity, express);
    if (history && find_member(*history, "events")) {
      JsonArray actual;
      for (const auto& event : ran.events) actual.push_back(event_json(event, true));
      const auto difference =
          history_difference(test, comparer, history->at("events").as_array(), actual);
      if (!difference.empty()) return {Kind::failed, difference};
    } else if (expected) {
      const auto status = string_or(*expected, "status");
      const auto got = ran.end ? std::string(status_name(ran.end->status)) : "RUNNING";
      if (!status.empty() && status != got) return {Kind::failed, "status " + got};
    }
    out.kind = Kind::passed;
  }
  return out;
}

TEST(StepFunctionsConformance, HistoriesEqualThoseRecordedFromAws) {
  if (!std::filesystem::exists(testing::cases_directory())) {
    GTEST_SKIP() << testing::cases_directory() << " is absent: recorded cases cannot run";
  }
  const auto allowed = testing::expected_failures("stepfunctions_expected_failures.txt");
  std::set<std::string> failed;
  std::set<std::string> passed;
  int skipped = 0;
  for (const auto& entry : std::filesystem::directory_iterator(testing::cases_directory())) {
    const Json test = parse_json(testing::read_file(entry.path()));
    if (!test.at("pure_sfn").as_bool() || !test.at("complete").as_bool()) continue;
    const auto name = string_or(test, "name");
    const Outcome outcome = run_case(test);
    switch (outcome.kind) {
      case Kind::skipped: ++skipped; break;
      case Kind::passed: passed.insert(name); break;
      case Kind::failed:
        failed.insert(name);
        if (!allowed.contains(name)) ADD_FAILURE() << name << "\n  " << outcome.reason;
        break;
    }
  }
  for (const auto& [name, reason] : allowed) {
    EXPECT_FALSE(passed.contains(name)) << name << " passes now: take it off the list";
  }
  fmt::print("{} recorded cases equal AWS, {} are expected to fail, {} need the service\n",
             passed.size(), failed.size(), skipped);
  EXPECT_GT(passed.size(), 100U);
}

}  // namespace
}  // namespace tarn::stepfunctions::asl
