// SPDX-License-Identifier: Apache-2.0
// Reverting an update, cleaning up after one, and deleting a stack's resources.
#include <algorithm>

#include "base/strings.hpp"
#include "services/cloudformation/stack_operation.hpp"

namespace tarn::cloudformation {
namespace {

std::string bracketed(const std::vector<std::string>& names) {
  return "[" + join(names, ", ") + "]";
}

}  // namespace

// Puts every touched resource back; what was made anew becomes a leftover for the clean-up.
Task<void> StackOperation::revert() {
  target_ = version(stack_.former);
  std::vector<std::string> touched;
  for (const auto& wave : target_->evaluated.graph.waves()) {
    for (const auto& id : wave) {
      const auto it = resources_.find(id);
      if (it != resources_.end() && it->second.operation == operation_) touched.push_back(id);
    }
  }
  for (const auto& [id, resource] : resources_) {
    const bool listed = std::find(touched.begin(), touched.end(), id) != touched.end();
    if (resource.operation == operation_ && !listed) touched.push_back(id);
  }
  std::set<std::string> done;
  std::map<std::string, Timestamp> waiting;
  while (done.size() < touched.size()) {
    if (superseded()) co_return;
    bool moved = false;
    for (const auto& id : touched) {
      if (done.contains(id)) continue;
      const auto known = waiting.find(id);
      if (known != waiting.end() && known->second > environment_.clock.now()) continue;
      std::string one = id;
      const auto outcome = co_await step_revert(std::move(one));
      waiting.erase(id);
      if (outcome == Outcome::waits) {
        waiting[id] = due(id);
      } else {
        done.insert(id);
        moved = true;
      }
    }
    if (done.size() < touched.size() && !moved) co_await pause(waiting);
  }
  if (!failures_.empty()) {
    std::vector<std::string> names;
    for (const auto& [id, reason] : failures_) names.push_back(id);
    finish("UPDATE_ROLLBACK_FAILED",
           "The following resource(s) failed to update: " + bracketed(names) + ".");
    co_return;
  }
  environment_.store.transact(scope_, [&](kernel::Txn& txn) {
    auto stack = txn.find_for_update<StackRecord>(stack_id_);
    if (!stack || stack->operation != operation_) return;
    std::swap(stack->inputs, stack->former);  // the clean-up still needs what was attempted
    set_status(txn, *stack, "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "",
               environment_.clock.now());
    txn.put(*stack);
    stack_ = *stack;
  });
}

// Takes back what needs no call. True: an update back is to be asked for (again).
bool StackOperation::begin_revert(ResourceRecord& resource) {
  const auto keep_former = [&] {
    std::erase_if(resource.leftovers, [&](const PhysicalResource& left) {
      return left.physical_id == resource.former->physical_id;
    });
  };
  // What is new to the stack is removed as its DeletionPolicy says, a replacement in any case.
  const auto drop_new = [&](std::string policy) {
    if (!resource.current.exists) return;
    auto made = resource.current;
    made.update_replace_policy = std::move(policy);
    resource.leftovers.push_back(std::move(made));
  };
  switch (resource.step) {
    case Step::creating:
      drop_new(resource.current.deletion_policy);
      resource.current = PhysicalResource();
      resource.step = Step::none;
      save(resource, false);
      return false;
    case Step::replacing:
      keep_former();
      drop_new("Delete");
      resource.current = *resource.former;
      resource.step = Step::none;
      resource.status = "UPDATE_COMPLETE";
      resource.reason.clear();
      save(resource, true);
      return false;
    case Step::updating:
      // What was being put in place goes out by an update back; `former` stands for it meanwhile.
      keep_former();
      std::swap(resource.current, *resource.former);
      resource.step = Step::reverting;
      resource.token = new_token();
      resource.progress.clear();
      resource.done = false;
      resource.reason.clear();
      resource.status = "UPDATE_IN_PROGRESS";
      save(resource, true);
      return true;
    case Step::reverting: return !resource.done || resource.status == "UPDATE_FAILED";
    default: return false;
  }
}

Task<StackOperation::Outcome> StackOperation::step_revert(std::string id) {
  ResourceRecord resource = resources_.at(id);
  if (!begin_revert(resource)) co_return Outcome::done;
  if (stack_.skipped.contains(id)) {
    resource.done = true;
    resource.status = "UPDATE_COMPLETE";
    save(resource, false);
    co_return Outcome::done;
  }
  Action action{types_.find(resource.type), Step::reverting,
                request_for(resource, resource.current)};
  action.request.previous_properties =
      with_stack_tags(resource, *resource.former, vault_.open(resource.former->sealed).properties);
  Result result;
  try {
    Json properties = action.request.properties;
    action.request.properties = co_await with_references(std::move(properties), resource.type);
  } catch (const TemplateError& error) {
    result.progress.status = platform::ResourceProgress::Status::failed;
    result.progress.message = error.what();
  }
  if (result.progress.status != platform::ResourceProgress::Status::failed) {
    auto performed = perform(std::move(action));
    result = co_await performed;
  }
  co_return end_revert(std::move(resource), result.progress);
}

StackOperation::Outcome StackOperation::end_revert(ResourceRecord resource,
                                                   const platform::ResourceProgress& progress) {
  if (progress.status == platform::ResourceProgress::Status::pending) {
    resource.progress = progress.state;
    save(resource, false);
    return Outcome::waits;
  }
  resource.done = true;
  resource.progress.clear();
  if (progress.status == platform::ResourceProgress::Status::failed) {
    resource.status = "UPDATE_FAILED";
    resource.reason = progress.message;
    failures_[resource.logical_id] = progress.message;
  } else {
    auto known = vault_.open(resource.current.sealed);
    for (const auto& [name, value] : progress.attributes) known.attributes[name] = value;
    resource.current.sealed = vault_.seal(known);
    resource.status = "UPDATE_COMPLETE";
    resource.reason.clear();
  }
  save(resource, true);
  return Outcome::done;
}

// Leftovers, and what the target does not have any more.
Task<void> StackOperation::clean_up() {
  const bool forward = stack_.status == "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS";
  target_ = version(stack_.inputs);
  DependencyGraph order;
  try {
    order = version(stack_.former)->evaluated.graph;
  } catch (const TemplateError&) {
    order = target_->evaluated.graph;  // what was attempted could not even be read
  }
  std::set<std::string> leaving;
  std::set<std::string> leftovers;
  for (const auto& [id, resource] : resources_) {
    if (!resource.leftovers.empty()) leftovers.insert(id);
    if (!target_->evaluated.resource(id)) leaving.insert(id);
  }
  auto first = remove_resources(order, leftovers, false);
  auto failed = co_await first;
  if (superseded()) co_return;
  auto second = remove_resources(order, leaving, true);
  for (auto& id : co_await second) failed.push_back(std::move(id));
  if (superseded()) co_return;
  environment_.store.transact(scope_, [&](kernel::Txn& txn) {
    for (const auto& id : leaving) {
      const auto it = resources_.find(id);
      if (it != resources_.end() && !it->second.current.exists && it->second.leftovers.empty()) {
        txn.erase<ResourceRecord>(stack_id_, id);
      }
    }
  });
  const std::string reason = failed.empty()
                                 ? std::string()
                                 : "Update successful. One or more resources could not be deleted.";
  finish(forward ? "UPDATE_COMPLETE" : "UPDATE_ROLLBACK_COMPLETE", reason);
}

// The whole stack: asked for, or because its creation failed.
Task<void> StackOperation::remove_all() {
  const bool rolls_back = stack_.status == "ROLLBACK_IN_PROGRESS";
  DependencyGraph order;
  try {
    order = version(stack_.inputs)->evaluated.graph;
  } catch (const TemplateError&) {
    // A template that cannot be read any more orders nothing.
  }
  if (!rolls_back) {
    std::string used;
    environment_.store.transact(scope_, [&](kernel::Txn& txn) {
      used.clear();
      for (const auto& output : stack_.outputs) {
        if (output.export_name.empty()) continue;
        const auto users = importers(txn, output.export_name);
        if (users.empty()) continue;
        used = fmt::format("Export {} cannot be deleted as it is in use by {}", output.export_name,
                           join(users, ", "));
      }
    });
    if (!used.empty()) {
      finish("DELETE_FAILED", used);
      co_return;
    }
  }
  std::set<std::string> ids;
  for (const auto& [id, resource] : resources_) ids.insert(id);
  auto removal = remove_resources(order, ids, true);
  const auto failed = co_await removal;
  if (superseded()) co_return;
  if (!failed.empty()) {
    finish(rolls_back ? "ROLLBACK_FAILED" : "DELETE_FAILED",
           "The following resource(s) failed to delete: " + bracketed(failed) + ". ");
    co_return;
  }
  environment_.store.transact(scope_, [&](kernel::Txn& txn) {
    auto stack = txn.find_for_update<StackRecord>(stack_id_);
    if (!stack || stack->operation != operation_) return;
    for (const auto& record : txn.list<ImportRecord>()) {
      if (record.stack_id == stack_id_) txn.erase<ImportRecord>(record.export_name, stack_id_);
    }
    const auto now = environment_.clock.now();
    if (!rolls_back) {
      for (const auto& output : stack->outputs) {
        if (!output.export_name.empty()) txn.erase<ExportRecord>(output.export_name);
      }
      const auto name = txn.find_for_update<StackNameRecord>(stack->name);
      if (name && name->id == stack->id) txn.erase<StackNameRecord>(stack->name);
      stack->deleted = now;
    }
    set_status(txn, *stack, rolls_back ? "ROLLBACK_COMPLETE" : "DELETE_COMPLETE", "", now);
    txn.put(*stack);
    stack_ = *stack;
  });
}

// Deletes leftovers of `ids` and, if `currents`, what they are now; dependents first. Gives those
// that could not be deleted; what they need stays untouched.
Task<std::vector<std::string>> StackOperation::remove_resources(DependencyGraph order,
                                                                std::set<std::string> ids,
                                                                bool currents) {
  for (const auto& id : ids) order.add(id);
  std::set<std::string> done;
  std::map<std::string, Timestamp> waiting;
  std::vector<std::string> failed;
  std::set<std::string> stuck;
  for (const auto& id : order.ids()) {
    if (!ids.contains(id)) done.insert(id);
  }
  while (true) {
    if (superseded()) co_return failed;
    std::set<std::string> started = stuck;
    std::vector<std::string> next;
    for (const auto& [id, due] : waiting) {
      started.insert(id);
      if (due <= environment_.clock.now()) next.push_back(id);
    }
    for (auto& id : order.ready(done, started, true)) next.push_back(std::move(id));
    bool moved = false;
    for (const auto& id : next) {
      std::string one = id;
      const auto outcome = co_await step_remove(std::move(one), currents);
      moved = moved || outcome != Outcome::waits;
      waiting.erase(id);
      if (outcome == Outcome::done) done.insert(id);
      if (outcome == Outcome::waits) waiting[id] = due(id);
      if (outcome == Outcome::failed) {
        failed.push_back(id);
        stuck.insert(id);
      }
    }
    if (next.empty() && waiting.empty()) co_return failed;
    if (!moved) co_await pause(waiting);
  }
}

bool StackOperation::retains(const ResourceRecord& resource, const PhysicalResource& physical,
                             bool leftover) {
  if (stack_.skipped.contains(resource.logical_id) && !leftover) return true;
  auto policy = leftover ? physical.update_replace_policy : physical.deletion_policy;
  if (policy == "Retain" && stack_.retain_except_on_create) policy = "RetainExceptOnCreate";
  if (policy == "Retain" || policy == "Snapshot") return true;
  // "…ExceptOnCreate": kept but by the rollback of the creation.
  const bool rolls_back = stack_.status == "ROLLBACK_IN_PROGRESS" ||
                          stack_.status == "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS";
  return policy == "RetainExceptOnCreate" && !rolls_back;
}

// Saves the resource and tells of its removal; a leftover's is told without changing the status of
// what stands in its place.
void StackOperation::save_removal(ResourceRecord& resource, const PhysicalResource& physical,
                                  bool leftover, std::string status, std::string reason) {
  auto told = resource;
  told.current = physical;
  told.status = std::move(status);
  told.reason = std::move(reason);
  if (!leftover) {
    resource.status = told.status;
    resource.reason = told.reason;
  }
  resource.updated = environment_.clock.now();
  environment_.store.transact(scope_, [&](kernel::Txn& txn) {
    txn.put(resource);
    tell(txn, stack_, told, "", resource.updated);
  });
  resources_[resource.logical_id] = resource;
}

// One leftover, or what the resource is now.
Task<StackOperation::Outcome> StackOperation::step_remove(std::string id, bool current) {
  const auto it = resources_.find(id);
  if (it == resources_.end()) co_return Outcome::done;
  ResourceRecord resource = it->second;
  const bool leftover = !resource.leftovers.empty();
  if (!leftover && (!current || !resource.current.exists)) co_return Outcome::done;
  const PhysicalResource physical = leftover ? resource.leftovers.back() : resource.current;
  const auto forget = [&] {
    resource.progress.clear();
    resource.step = Step::none;
    if (leftover) {
      resource.leftovers.pop_back();
    } else {
      resource.current.exists = false;
    }
    // Others may be left of the same resource: looked at again.
    return leftover ? Outcome::waits : Outcome::done;
  };
  const auto* type = types_.find(resource.type);
  const bool still_used =
      leftover && resource.current.exists && physical.physical_id == resource.current.physical_id;
  if (still_used) {  // made again under the same id
    const auto outcome = forget();
    save(resource, false);
    co_return outcome;
  }
  if (retains(resource, physical, leftover)) {
    const auto& policy = leftover ? physical.update_replace_policy : physical.deletion_policy;
    const auto outcome = forget();
    save_removal(resource, physical, leftover, "DELETE_SKIPPED",
                 policy == "Snapshot" ? "Snapshots are not supported; the resource is kept" : "");
    co_return outcome;
  }
  if (physical.physical_id.empty() || !type) {  // nothing was made
    const auto outcome = forget();
    if (!leftover) resource.status = "DELETE_COMPLETE";
    save(resource, false);
    co_return outcome;
  }
  if (resource.step != Step::deleting || resource.operation != operation_) {
    resource.step = Step::deleting;
    resource.operation = operation_;
    resource.done = false;
    resource.token = new_token();
    resource.progress.clear();
    save_removal(resource, physical, leftover, "DELETE_IN_PROGRESS", "");
  }
  Action action{type, Step::deleting, request_for(resource, physical)};
  auto performed = perform(std::move(action));
  const auto result = co_await performed;
  const auto& progress = result.progress;
  if (progress.status == platform::ResourceProgress::Status::pending) {
    if (resource.progress != progress.state) {
      resource.progress = progress.state;
      save(resource, false);
    }
    co_return Outcome::waits;
  }
  if (progress.status == platform::ResourceProgress::Status::failed) {
    resource.step = Step::none;
    failures_[id] = progress.message;
    save_removal(resource, physical, leftover, "DELETE_FAILED", progress.message);
    co_return Outcome::failed;
  }
  const auto outcome = forget();
  save_removal(resource, physical, leftover, "DELETE_COMPLETE", "");
  co_return outcome;
}

}  // namespace tarn::cloudformation
