// SPDX-License-Identifier: Apache-2.0
// What the ARN of a state machine, version or alias stands for. Looked up within a transaction;
// values.
#pragma once
#include <optional>
#include <string>

#include "base/ids.hpp"
#include "kernel/store.hpp"
#include "services/stepfunctions/records.hpp"

namespace tarn::stepfunctions {

struct Target {
  MachineRecord machine;  // with the version's revision and role
  std::optional<VersionRecord> version;
  std::string alias_arn;  // the alias that led to the version
};

[[noreturn]] void no_machine(const std::string& arn);
// Locks the machine shared. An alias of two versions chooses one by weight. Throws InvalidArn or
// StateMachineDoesNotExist.
Target require_target(kernel::Txn& txn, const std::string& arn, Random& random);
// Only the machine itself.
MachineRecord require_machine(kernel::Txn& txn, const std::string& arn);

// The version of the machine's present revision; made when there is none yet.
VersionRecord publish_version(kernel::Txn& txn, MachineRecord& machine,
                              const std::optional<std::string>& description, Timestamp now);

}  // namespace tarn::stepfunctions
