// SPDX-License-Identifier: Apache-2.0
// Drives one operation of one stack: create, update, roll back, clean up, delete.
//
// The stack's status is the state machine's state and every step of a resource is a record, so the
// driver may be started again at any moment: before a resource type is called, its physical id
// (where the type can choose it) and a client token are committed; the call is repeated with the
// same ones until its outcome is committed, too. Steps run one at a time, but a step that waits
// (`pending`) does not hold up the others, so what is slow runs side by side.
//
// Threading: one driver per stack at a time (`Service` sees to it), on the background pool; no
// transaction lives across a wait.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/task.hpp"
#include "platform/resource_type.hpp"
#include "platform/service.hpp"
#include "services/cloudformation/evaluated_template.hpp"
#include "services/cloudformation/stack_store.hpp"

namespace tarn::cloudformation {

// The resource types and what the engine knows of them; made once, then read-only.
class Types {
 public:
  explicit Types(platform::Registry& registry);
  const platform::ResourceType* find(std::string_view name) const;
  TypeCatalog catalog() const;

 private:
  platform::ResourceTypes types_;
  std::map<std::string, TypeDescription, std::less<>> descriptions_;
};

class StackOperation {
 public:
  StackOperation(platform::Environment& environment, const Types& types, kernel::Scope scope,
                 std::string stack_id, std::string operation);

  // Until the stack rests. Throws only what a restart should try again.
  static Task<void> run(std::shared_ptr<StackOperation> self);
  // After `run` failed for good: the stack rests with this reason.
  void give_up(const std::string& reason);

 private:
  enum class Outcome { done, waits, failed };
  // A template as one of the stack's versions has it.
  struct Version {
    Template whole;
    Surroundings surroundings;
    EvaluatedTemplate evaluated;
    std::map<std::string, std::string> tags;
    bool hides_values = false;  // has a NoEcho parameter
  };
  using VersionPtr = std::shared_ptr<const Version>;
  // What a step asks of a resource type.
  struct Action {
    const platform::ResourceType* type = nullptr;
    Step step = Step::none;
    platform::ResourceRequest request;
  };
  struct Result {
    platform::ResourceProgress progress;
    bool nothing_left = false;  // a failed creation that surely made nothing
  };

  // stack_operation.cpp: what all phases share.
  void load();
  bool superseded() const;
  VersionPtr version(const StackInputs& inputs);
  void finish(std::string status, std::string reason);
  platform::CallPtr caller();
  platform::ResourceRequest request_for(const ResourceRecord& resource,
                                        const PhysicalResource& physical);
  Task<Result> perform(Action action);
  Task<Json> with_references(Json properties, std::string type);
  Json with_stack_tags(const ResourceRecord& resource, const PhysicalResource& physical,
                       Json properties) const;
  void save(ResourceRecord& resource, bool tells, const std::string& properties = {});
  const TypeDescription* description(const std::string& type) const;
  Task<void> pause(std::map<std::string, Timestamp> waiting);
  Timestamp due(const std::string& id) const;  // when a waiting step is asked again
  std::optional<Json> value_of_ref(std::string_view logical_id);
  std::optional<Json> value_of_attribute(std::string_view logical_id, std::string_view attribute);
  std::string new_token();

  // stack_forward.cpp: create and update.
  Task<void> forward();
  Task<Outcome> step_forward(std::string id);
  bool forget_failure(ResourceRecord& resource);
  Task<Outcome> begin_forward(std::string id);
  Task<Outcome> continue_forward(std::string id);
  void commit_forward(ResourceRecord resource, Result result);
  Outcome fail_resource(ResourceRecord resource, std::string reason, bool something_left);
  Json final_properties(const std::string& id);
  void forward_failed(std::string reason);
  void forward_succeeded();
  std::vector<StackOutput> final_outputs();
  void publish_exports(kernel::Txn& txn, const std::vector<StackOutput>& outputs);
  void note_imports(bool finished);
  std::set<std::string> imports_of(const Version& version) const;
  std::string failure_reason() const;

  // stack_backward.cpp: reverting an update, cleaning up, deleting.
  Task<void> revert();
  Task<Outcome> step_revert(std::string id);
  bool begin_revert(ResourceRecord& resource);
  Outcome end_revert(ResourceRecord resource, const platform::ResourceProgress& progress);
  Task<void> clean_up();
  Task<void> remove_all();
  Task<std::vector<std::string>> remove_resources(DependencyGraph order, std::set<std::string> ids,
                                                  bool currents);
  Task<Outcome> step_remove(std::string id, bool current);
  void save_removal(ResourceRecord& resource, const PhysicalResource& physical, bool leftover,
                    std::string status, std::string reason);
  bool retains(const ResourceRecord& resource, const PhysicalResource& physical, bool leftover);

  platform::Environment& environment_;
  const Types& types_;
  const Vault vault_;
  const kernel::Scope scope_;
  const std::string stack_id_, operation_;

  StackRecord stack_;
  std::map<std::string, ResourceRecord> resources_;
  VersionPtr target_;                            // of the phase that runs
  std::map<std::string, std::string> failures_;  // logical id to reason, of this phase
  std::map<std::string, VersionPtr> versions_;
  std::map<std::string, std::chrono::milliseconds> retry_after_;  // of steps that wait
};

}  // namespace tarn::cloudformation
