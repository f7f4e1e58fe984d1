// SPDX-License-Identifier: Apache-2.0
// Durable records of Step Functions, all in the scope of account and region.
//
//   machine        name                        what UpdateStateMachine changes
//   version        name, number                a published revision
//   alias          name, alias                 one version, or two by weight
//   revision       name, revision              definition text; executions keep the one they began
//   with execution      machine, name               what never changes, with the input progress
//   machine, name               status, counters; the output when it has ended started machine,
//   start, name        index for ListExecutions running        machine, name               what a
//   restart resumes frame, frame-data  machine, name, frame    the flows of a running execution
//   (execution.hpp) history        machine, name, first event  a batch of events per commit
//   (history.hpp) activity       name
#pragma once
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kernel/record.hpp"

namespace tarn::stepfunctions {

struct MachineRecord {
  static constexpr kernel::RecordKind k_kind{"stepfunctions", "machine", 1};
  std::string name, arn, type, role_arn, revision;
  bool updated = false;  // then the revision is shown
  Timestamp created{}, changed{};
  Json logging, tracing, encryption;  // as given, in the model's form; null where not given
  std::map<std::string, std::string> tags;
  std::uint64_t versions = 0;  // published so far
  auto key() const { return kernel::Key(name); }
  void fields(auto& f) {
    f(name, arn, type, role_arn, revision, updated, created, changed, logging, tracing, encryption,
      tags, versions);
  }
};

struct VersionRecord {
  static constexpr kernel::RecordKind k_kind{"stepfunctions", "version", 1};
  std::string machine;
  std::uint64_t number = 0;
  std::string arn, revision, role_arn;
  bool updated = false;  // as the machine's when it was published
  std::optional<std::string> description;
  Timestamp created{};
  Json logging, tracing, encryption;
  auto key() const { return kernel::Key(machine, number); }
  void fields(auto& f) {
    f(machine, number, arn, revision, role_arn, updated, description, created, logging, tracing,
      encryption);
  }
};

struct AliasRecord {
  static constexpr kernel::RecordKind k_kind{"stepfunctions", "alias", 1};
  std::string machine, name, arn;
  std::optional<std::string> description;
  Timestamp created{}, changed{};
  std::vector<std::pair<std::string, std::int64_t>> routes;  // version ARN, weight
  auto key() const { return kernel::Key(machine, name); }
  void fields(auto& f) { f(machine, name, arn, description, created, changed, routes); }
};

struct RevisionRecord {
  static constexpr kernel::RecordKind k_kind{"stepfunctions", "revision", 1,
                                             kernel::Family::bodies};
  std::string machine, revision, definition;
  auto key() const { return kernel::Key(machine, revision); }
  void fields(auto& f) { f(machine, revision, definition); }
};

struct ExecutionRecord {
  static constexpr kernel::RecordKind k_kind{"stepfunctions", "execution", 1,
                                             kernel::Family::bodies};
  std::string machine, name, arn, machine_arn, role_arn, revision, input;
  std::string trace_header;
  std::string version_arn, alias_arn;  // through which it was started
  Json logging;                        // the machine's LoggingConfiguration
  bool express = false;
  Timestamp start{};
  auto key() const { return kernel::Key(machine, name); }
  void fields(auto& f) {
    f(machine, name, arn, machine_arn, role_arn, revision, input, trace_header, version_arn,
      alias_arn, logging, express, start);
  }
};

struct ProgressRecord {
  static constexpr kernel::RecordKind k_kind{"stepfunctions", "progress", 1};
  std::string machine, name;
  std::uint8_t status = 0;  // asl::ExecutionStatus
  std::uint64_t next_event = 1, next_frame = 1;
  std::optional<Timestamp> stop;
  std::optional<std::string> output, error, cause;
  auto key() const { return kernel::Key(machine, name); }
  void fields(auto& f) {
    f(machine, name, status, next_event, next_frame, stop, output, error, cause);
  }
};

struct StartedRecord {
  static constexpr kernel::RecordKind k_kind{"stepfunctions", "started", 1};
  std::string machine, name;
  Timestamp start{};
  auto key() const { return kernel::Key(machine, start, name); }
  void fields(auto& f) { f(machine, name, start); }
};

struct RunningRecord {
  static constexpr kernel::RecordKind k_kind{"stepfunctions", "running", 1};
  std::string machine, name;
  auto key() const { return kernel::Key(machine, name); }
  void fields(auto& f) { f(machine, name); }
};

struct FrameRecord {
  static constexpr kernel::RecordKind k_kind{"stepfunctions", "frame", 1};
  std::string machine, name;
  std::uint64_t frame = 0;
  std::string bytes;
  auto key() const { return kernel::Key(machine, name, frame); }
  void fields(auto& f) { f(machine, name, frame, bytes); }
};

struct FrameDataRecord {
  static constexpr kernel::RecordKind k_kind{"stepfunctions", "frame-data", 1,
                                             kernel::Family::bodies};
  std::string machine, name;
  std::uint64_t frame = 0;
  std::string bytes;
  auto key() const { return kernel::Key(machine, name, frame); }
  void fields(auto& f) { f(machine, name, frame, bytes); }
};

struct HistoryRecord {
  static constexpr kernel::RecordKind k_kind{"stepfunctions", "history", 1, kernel::Family::events};
  std::string machine, name;
  std::uint64_t first = 0;
  std::string bytes;  // asl::encode_events
  auto key() const { return kernel::Key(machine, name, first); }
  void fields(auto& f) { f(machine, name, first, bytes); }
};

struct ActivityRecord {
  static constexpr kernel::RecordKind k_kind{"stepfunctions", "activity", 1};
  std::string name, arn;
  Timestamp created{};
  Json encryption;
  std::map<std::string, std::string> tags;
  auto key() const { return kernel::Key(name); }
  void fields(auto& f) { f(name, arn, created, encryption, tags); }
};

}  // namespace tarn::stepfunctions
