// SPDX-License-Identifier: Apache-2.0
// One run of a state machine as a deterministic machine of its own: a tree of frames, changed only
// by `step(execution, event)`, which runs pure states until every flow waits or ends and returns
// the effects that must leave (after the caller has committed what changed).
//
//   execution = Execution(identity); step(Started{}) → effects; commit; carry out effects;
//   later: step(TaskSucceeded{frame, sequence, output}) → …
//
// A frame is one flow of states: the machine itself, a branch of a Parallel, an iteration of a Map.
// Each frame is stored by itself, its small changing part apart from its data, and only what a
// step touched is written: a Map of thousands of items does not rewrite the execution.
//
// Everything that may repeat after a crash carries (frame, sequence): a result, timer or heartbeat
// for an earlier wait than the frame's present one is ignored. No I/O, no clock, no threads: one
// thread at a time works on an Execution.
#pragma once
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/ids.hpp"
#include "base/time.hpp"
#include "services/stepfunctions/datum.hpp"
#include "services/stepfunctions/definition.hpp"
#include "services/stepfunctions/history.hpp"

namespace tarn::stepfunctions::asl {

using FrameId = std::uint64_t;
inline constexpr FrameId k_root_frame = 1;
inline constexpr std::uint64_t k_history_events_max = 25'000;
inline constexpr std::size_t k_payload_bytes_max = 262'144;
inline constexpr std::uint64_t k_inline_concurrency_max = 40;

// Stored by number: append only.
enum class Waiting : std::uint8_t { ready, timer, retry, task, children, done };
enum class ExecutionStatus : std::uint8_t { running, succeeded, failed, timed_out, aborted };
std::string_view status_name(ExecutionStatus status);  // "TIMED_OUT"

struct Frame {
  FrameId id = k_root_frame;
  FrameId parent = 0;
  std::uint64_t index = 0;  // of the branch or iteration
  std::uint64_t flow = 0, state = 0;
  bool silent = false;  // inside a distributed Map: its events are no part of the history
  Waiting waiting = Waiting::ready;
  std::uint64_t last_event = 0, entered_event = 0;
  Timestamp entered{};
  std::uint64_t sequence = 0;           // of its waits
  std::vector<std::uint64_t> attempts;  // by retrier
  std::uint64_t retry_count = 0;
  bool submitted = false;
  bool heartbeat_missed = false;
  std::string token_secret;
  std::optional<Timestamp> due, timeout_due, heartbeat_due;
  std::int64_t heartbeat_seconds = 0;
  // Parallel and Map: children that there will be, were started, have ended.
  std::uint64_t total = 0, started = 0, succeeded = 0, failed = 0;
  std::uint64_t concurrency = 0, tolerated = 0;
  std::string map_run;  // a distributed Map's ARN

  Datum input;                      // of the present state
  Datum arguments;                  // of its task; or, when done, the flow's output
  std::optional<Datum> item;        // of a Map's iteration
  std::optional<std::string> role;  // the task's own role
  std::optional<Datum> submission;  // what a .sync task's request answered
  std::map<std::string, Datum> variables;

  // Not stored.
  bool stored = false, state_changed = true, data_changed = true;
  std::optional<Datum> children_input, items;
  std::map<std::uint64_t, FrameId> children;

  std::string encode_state() const;
  std::string encode_data() const;
  static Frame decode(std::string_view state, std::string_view data);
};

struct ExecutionIdentity {
  std::string arn, name;
  std::string machine_arn, machine_name;
  std::string role_arn, region;
  Datum input;
  Timestamp start{};
  bool express = false;
};

// ---------------------------------------------------------------- events

struct Started {};
struct TaskSubmitted {
  FrameId frame;
  std::uint64_t sequence;
  Datum output;
};
struct TaskSucceeded {
  FrameId frame;
  std::uint64_t sequence;
  Datum output;
};
struct TaskFailed {
  FrameId frame;
  std::uint64_t sequence;
  std::optional<std::string> error, cause;
};
struct ActivityStarted {
  FrameId frame;
  std::uint64_t sequence;
  std::string worker;
};
struct Heartbeat {
  FrameId frame;
  std::uint64_t sequence;
};
enum class TimerKind : std::uint8_t { wait, timeout, heartbeat, execution };
struct TimerDue {
  FrameId frame;
  std::uint64_t sequence;
  TimerKind kind;
};
struct Stop {
  std::optional<std::string> error, cause;
};
struct Continue {};  // after a step that yielded
using Event = std::variant<Started, TaskSubmitted, TaskSucceeded, TaskFailed, ActivityStarted,
                           Heartbeat, TimerDue, Stop, Continue>;

// ---------------------------------------------------------------- effects

struct ScheduleTask {
  FrameId frame;
  std::uint64_t sequence;
  Resource resource;
  Datum arguments;
  std::optional<std::string> role;  // Credentials' role, else the machine's
  std::optional<Datum> submission;  // the request was made already: only wait for the job
  std::string token;                // for .waitForTaskToken and activities
};
struct CancelTask {
  FrameId frame;
  std::uint64_t sequence;
  Resource resource;
};
struct SetTimer {
  FrameId frame;
  std::uint64_t sequence;
  TimerKind kind;
  Timestamp due;
};
struct ClearTimer {
  FrameId frame;
  std::uint64_t sequence;
  TimerKind kind;
};
struct Completed {
  ExecutionStatus status;
  std::optional<Datum> output;
  std::optional<std::string> error, cause;
};
struct Yielded {};  // more to do: commit and step with Continue
using Effect = std::variant<ScheduleTask, CancelTask, SetTimer, ClearTimer, Completed, Yielded>;

struct Execution {
  ExecutionIdentity identity;
  ExecutionStatus status = ExecutionStatus::running;
  std::uint64_t next_event = 1;
  FrameId next_frame = k_root_frame;
  std::map<FrameId, std::unique_ptr<Frame>> frames;

  // What the last steps left to be stored; the caller empties them when it has.
  std::vector<HistoryEvent> unsaved_events;
  std::set<FrameId> changed;     // look at the frame's state_changed and data_changed
  std::vector<FrameId> removed;  // that had been stored

  // Frames that can go on; rebuilt by `restore`.
  std::deque<FrameId> ready;
  Json context = JsonObject();  // of the context object, built on first use

  Frame& add_frame();
  // After all stored frames were put back into `frames`.
  void restore();
  void saved();  // everything above has been stored
};

struct StepContext {
  const Definition& definition;
  Timestamp now;
  Random& random;
};

struct StepResult {
  bool accepted = true;  // false: the event was for a wait that is over
  std::vector<Effect> effects;
};
StepResult step(Execution& execution, const Event& event, const StepContext& context);

// The effects that a restored execution still waits for: tasks under way, timers.
std::vector<Effect> pending_effects(const Execution& execution, const Definition& definition);

// The same for every repetition of one effect: "arn/frame/sequence".
std::string effect_id(const Execution& execution, FrameId frame, std::uint64_t sequence);

// Task tokens name execution, frame and sequence, and prove themselves by a secret in the frame.
struct TaskToken {
  std::string execution_arn;
  FrameId frame = 0;
  std::uint64_t sequence = 0;
  std::string secret;
};
std::string encode_token(const TaskToken& token);
std::optional<TaskToken> decode_token(std::string_view text);

}  // namespace tarn::stepfunctions::asl
