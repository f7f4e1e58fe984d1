// SPDX-License-Identifier: Apache-2.0
// A state machine as the engine runs it: every path, template and rule parsed, every name of a next
// state replaced by its index. Made from the Amazon States Language text by `parse_definition`
// (definition_parser.cpp), which also finds all that AWS refuses, in AWS's words.
//
// Immutable after parsing and shared between executions and threads. Indices follow the text's
// order, so the same text always gives the same indices: frames may store them.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "services/stepfunctions/choice.hpp"
#include "services/stepfunctions/datum.hpp"
#include "services/stepfunctions/expression.hpp"
#include "services/stepfunctions/json_path.hpp"

namespace tarn::stepfunctions::asl {

enum class StateType { task, pass, choice, wait, succeed, fail, parallel, map };
std::string_view state_type_name(StateType type);  // "Task", …

// InputPath, OutputPath: absent leaves the value, null gives {}, else what the path finds.
struct PathFilter {
  bool null = false;
  std::optional<Expression> path;
};

// ResultPath: absent replaces the input by the result, null drops the result.
struct ResultPath {
  bool discard = false;
  std::optional<JsonPath> where;
};

// TimeoutSeconds or TimeoutSecondsPath.
struct Number {
  std::optional<double> literal;
  std::optional<Expression> path;
  bool given() const { return literal || path; }
};

struct Retrier {
  std::vector<std::string> errors;
  double interval_seconds = 1;
  std::int64_t attempts_max = 3;
  double backoff_rate = 2;
  std::optional<double> delay_seconds_max;
  bool full_jitter = false;
};

struct Catcher {
  std::vector<std::string> errors;
  std::size_t next = 0;
  ResultPath result_path;
  std::optional<Template> assign;
};

// What a Task calls.
struct Resource {
  enum class Kind { lambda, activity, optimized, sdk };
  enum class Pattern { request, sync, token };
  Kind kind = Kind::optimized;
  Pattern pattern = Pattern::request;
  std::string arn;      // as written
  std::string service;  // "sqs", "redshiftdata"
  std::string action;   // "sendMessage", without pattern
  // As in history events: "sendMessage.waitForTaskToken" and "sqs" or "aws-sdk:sqs".
  std::string name, type;
  bool output_is_json = false;  // .sync:2: a nested execution's output is given as JSON
};

struct MapSettings {
  bool distributed = false;
  Number concurrency_max;
  Number tolerated_count, tolerated_percentage;
  std::optional<Expression> items_path;
  std::optional<Template> item_selector;
  std::string label;
  std::string unsupported;  // ItemReader, … : the field that this engine cannot run
};

struct State {
  std::string name;
  StateType type = StateType::pass;
  std::optional<std::size_t> next;  // none: the flow ends here
  PathFilter input_path, output_path;
  ResultPath result_path;
  std::optional<Template> parameters;  // not of Map: there it is the item selector
  std::optional<Template> result_selector;
  std::optional<Template> assign;
  std::vector<Retrier> retriers;
  std::vector<Catcher> catchers;

  std::optional<Datum> result;               // Pass
  std::vector<ChoiceRule> choices;           // Choice
  std::optional<std::size_t> default_next;   // Choice
  Number seconds;                            // Wait
  std::optional<Timestamp> timestamp;        // Wait
  std::optional<Expression> timestamp_path;  // Wait
  std::optional<std::string> error, cause;   // Fail
  std::optional<Expression> error_path, cause_path;
  Resource resource;                    // Task
  Number timeout, heartbeat;            // Task
  std::optional<Template> credentials;  // Task
  std::vector<std::size_t> flows;       // Parallel: branches; Map: its processor
  MapSettings map;
};

// A set of states that refer to each other: the machine, a branch, a Map's processor.
struct Flow {
  std::size_t start = 0;
  std::vector<State> states;
};

struct Definition {
  std::vector<Flow> flows;  // the machine's own first
  std::optional<std::int64_t> timeout_seconds;
  std::map<std::string, std::set<std::string>> variables;  // read, by state
  const State& state(std::size_t flow, std::size_t index) const {
    return flows[flow].states[index];
  }
};

struct Diagnostic {
  bool error = true;  // else a warning
  std::string code;   // "SCHEMA_VALIDATION_FAILED"
  std::string message;
  std::string location;  // "/States/Wait/Timestamp"
};

struct ParsedDefinition {
  std::shared_ptr<const Definition> definition;  // null when there are errors
  std::vector<Diagnostic> diagnostics;
  bool ok() const { return definition != nullptr; }
  // "Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: … at /…'"
  std::string error_message() const;
};

ParsedDefinition parse_definition(std::string_view text, bool express);

// "2016-03-14T01:59:00Z" with fractions to nanoseconds and any offset; nothing else.
std::optional<Timestamp> parse_rfc3339(std::string_view text);
// Null when AWS would not know it.
std::optional<Resource> parse_resource(std::string_view arn);

}  // namespace tarn::stepfunctions::asl
