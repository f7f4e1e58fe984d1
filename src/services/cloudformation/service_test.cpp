// SPDX-License-Identifier: Apache-2.0
// The service on made-up resource types: operations through the registry, without sockets.
#include "services/cloudformation/service.hpp"

#include <gtest/gtest.h>

#include <atomic>

#include "aws/error.hpp"
#include "base/strings.hpp"
#include "kernel/testing/house.hpp"
#include "platform/registry.hpp"

namespace tarn::cloudformation {
namespace {

using platform::ResourceProgress;
using platform::ResourceRequest;

// Where the made-up things live: it outlives the server, as other services' records would.
struct World {
  struct Thing {
    std::string token, value, owner;
  };
  std::mutex mutex;
  std::map<std::string, Thing> things;  // by physical id
  std::map<std::string, std::string> by_token;
  std::vector<std::string> log;
  int made = 0;
  std::set<std::string> crash_after;  // "create X": once, after the effect
  bool crashed(const std::string& what) {
    const bool crash = crash_after.erase(what) > 0;
    return crash;
  }
  std::string told() {
    std::lock_guard lock(mutex);
    return join(log, " ");
  }
};

// Properties: Name (the id, if given), Value (replaces if it begins with "new"), Slow (polls),
// Fail, FailUpdate, FailRemove, Link (anything).
class ThingType : public platform::ResourceType {
 public:
  ThingType(World& world, std::string name, bool chooses)
      : world_(world),
        name_(std::move(name)),
        chooses_(chooses) {}
  std::string_view name() const override { return name_; }
  std::set<std::string> properties() const override {
    return {"Name", "Value", "Slow", "Fail", "FailUpdate", "FailRemove", "Link", "Size"};
  }
  std::set<std::string> replacing_properties() const override { return {"Name", "Size"}; }
  std::string choose_physical_id(const ResourceRequest& request, Random& random) const override {
    EXPECT_EQ(request.call->region(), "us-east-1");
    if (const auto name = find_string(request.properties, "Name")) return *name;
    return chooses_ ? platform::generated_name(request, random, 64) : std::string();
  }

  Task<ResourceProgress> create(ResourceRequest request) const override {
    ResourceProgress progress;
    std::lock_guard lock(world_.mutex);
    if (const auto failure = find_string(request.properties, "Fail")) {
      world_.log.push_back("fail:" + request.logical_id);
      throw aws::ApiError("Broken", *failure);
    }
    auto id = request.physical_id;
    const auto known = world_.by_token.find(request.client_token);
    if (known != world_.by_token.end()) {
      id = known->second;
    } else {
      if (id.empty()) id = fmt::format("made-{}", ++world_.made);
      if (world_.things.contains(id)) throw aws::ApiError("AlreadyExists", id + " already exists");
      world_.things[id] = {request.client_token, string_or(request.properties, "Value"),
                           request.logical_id};
      world_.by_token[request.client_token] = id;
      world_.log.push_back("+" + request.logical_id);
    }
    if (world_.crashed("create " + request.logical_id)) throw Cancelled();
    progress.physical_id = id;
    const int polls = std::stoi(string_or(request.properties, "Slow", "0"));
    const int done = request.state.empty() ? 0 : std::stoi(request.state);
    if (done < polls) {
      progress.status = ResourceProgress::Status::pending;
      progress.state = std::to_string(done + 1);
      progress.retry_after = std::chrono::milliseconds(5);
    }
    progress.attributes["Arn"] = "arn:" + id;
    co_return progress;
  }

  Task<ResourceProgress> update(ResourceRequest request) const override {
    std::lock_guard lock(world_.mutex);
    if (const auto failure = find_string(request.properties, "FailUpdate")) {
      throw aws::ApiError("Broken", *failure);
    }
    auto& thing = world_.things.at(request.physical_id);
    thing.value = string_or(request.properties, "Value");
    world_.log.push_back("~" + request.logical_id + "=" + thing.value);
    if (world_.crashed("update " + request.logical_id)) throw Cancelled();
    ResourceProgress progress;
    progress.physical_id = request.physical_id;
    progress.attributes["Arn"] = "arn:" + request.physical_id;
    co_return progress;
  }

  Task<ResourceProgress> remove(ResourceRequest request) const override {
    std::lock_guard lock(world_.mutex);
    if (const auto failure = find_string(request.properties, "FailRemove")) {
      throw aws::ApiError("Broken", *failure);
    }
    if (world_.things.erase(request.physical_id)) world_.log.push_back("-" + request.logical_id);
    if (world_.crashed("remove " + request.logical_id)) throw Cancelled();
    ResourceProgress progress;
    progress.physical_id = request.physical_id;
    co_return progress;
  }

 private:
  World& world_;
  const std::string name_;
  const bool chooses_;
};

class ThingService : public platform::Service {
 public:
  explicit ThingService(World& world) : world_(world) {}
  std::string_view name() const override { return "things"; }
  void fill(std::vector<platform::OpRow>&) override {}
  void resources(platform::ResourceTypes& types) override {
    types.add(std::make_unique<ThingType>(world_, "Test::Thing", true));
    types.add(std::make_unique<ThingType>(world_, "Test::Blind", false));
  }

 private:
  World& world_;
};

struct Server {
  Server(World& world, const std::filesystem::path& directory, Random& random)
      : store({.directory = directory / "store"}, clock, random),
        blobs(directory / "blobs", random),
        bus(store, pool),
        jobs(store, pool),
        schedules(store),
        secrets(directory, random),
        environment{store,       bus,
                    jobs,        schedules,
                    blobs,       clock,
                    random,      registry,
                    pool,        pool,
                    ports,       secrets,
                    directory,   "http://127.0.0.1:4566",
                    "us-east-1", std::string(platform::k_default_account)} {
    registry.add(std::make_unique<ThingService>(world));
    registry.add(std::make_unique<CloudFormation>(environment));
    registry.start();
    bus.start();
    jobs.start();
  }
  ~Server() {
    jobs.stop();
    bus.stop();
    registry.stop();
  }
  SystemClock clock;
  ThreadPool pool{"test", 4};
  kernel::Store store;
  kernel::Blobs blobs;
  kernel::Bus bus;
  kernel::Jobs jobs;
  kernel::Schedules schedules;
  platform::SecretBox secrets;
  platform::Ports ports;
  platform::Registry registry;
  platform::Environment environment;
};

class Stacks : public testing::Test {
 protected:
  Stacks() { open(); }
  void open() { server_ = std::make_unique<Server>(world_, directory_.path(), random_); }
  void reopen() {
    server_.reset();
    open();
  }

  template <class Op>
  typename Op::Output ask(typename Op::Input input) {
    auto call = server_->environment.call_as(platform::root_identity(), "us-east-1");
    return sync_wait<typename Op::Output>({.executor = &server_->pool},
                                          call->invoke<Op>(std::move(input)));
  }
  template <class Op>
  std::string refusal(typename Op::Input input) {
    try {
      ask<Op>(std::move(input));
    } catch (const aws::ApiError& error) {
      return error.code + ": " + error.message;
    }
    return "";
  }
  // The stack's status once it rests, with its reason.
  std::string rest(const std::string& stack) {
    for (int i = 0; i < 2'000; ++i) {
      const auto out = ask<DescribeStacks>({.stack_name = stack});
      const auto& found = out.stacks->at(0);
      if (!in_progress(found.stack_status)) {
        const auto reason = found.stack_status_reason.value_or("");
        return found.stack_status + (reason.empty() ? "" : " " + reason);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return "does not rest";
  }
  std::string create(const std::string& resources, const std::string& stack = "s") {
    CreateStackInput input{.stack_name = stack};
    input.template_body = resources;
    id_ = *ask<CreateStack>(std::move(input)).stack_id;
    return rest(id_);
  }
  std::string update(const std::string& resources, const std::string& stack = "s") {
    UpdateStackInput input{.stack_name = stack};
    input.template_body = resources;
    ask<UpdateStack>(std::move(input));
    return rest(id_);
  }
  std::string remove(const std::string& stack = "s") {
    ask<DeleteStack>({.stack_name = stack});
    return rest(id_);
  }
  std::string things() {
    std::lock_guard lock(world_.mutex);
    std::vector<std::string> out;
    for (const auto& [id, thing] : world_.things) {
      out.push_back(thing.owner + (thing.value.empty() ? "" : "=" + thing.value));
    }
    std::sort(out.begin(), out.end());
    return join(out, " ");
  }
  // Logical ids and statuses of all events, oldest first.
  std::vector<std::string> events(const std::string& stack) {
    std::vector<std::string> out;
    DescribeStackEventsInput input{.stack_name = stack};
    do {
      const auto page = ask<DescribeStackEvents>(input);
      for (const auto& event : *page.stack_events) {
        out.push_back(event.logical_resource_id.value_or("") + " " +
                      event.resource_status.value_or(""));
      }
      input.next_token = page.next_token;
    } while (input.next_token);
    std::reverse(out.begin(), out.end());
    return out;
  }

  World world_;
  kernel::testing::TemporaryDirectory directory_;
  SeededRandom random_{7};
  std::unique_ptr<Server> server_;
  std::string id_;
};

const char* k_two = R"(
Resources:
  B: {Type: Test::Thing, Properties: {Value: !GetAtt A.Arn}}
  A: {Type: Test::Thing, Properties: {Name: a, Value: x}}
Outputs:
  Out: {Value: !Ref A, Export: {Name: exported}}
)";

TEST_F(Stacks, AreCreatedInOrderToldOfAndDeletedInReverse) {
  EXPECT_EQ(create(k_two), "CREATE_COMPLETE");
  EXPECT_EQ(world_.told(), "+A +B");
  EXPECT_EQ(things(), "A=x B=arn:a");
  const auto stack = ask<DescribeStacks>({.stack_name = "s"}).stacks->at(0);
  EXPECT_EQ(stack.outputs->at(0).output_value, "a");
  EXPECT_EQ(stack.outputs->at(0).export_name, "exported");
  EXPECT_EQ(ask<ListExports>({}).exports->at(0).value, "a");
  const std::vector<std::string> k_events = {"s CREATE_IN_PROGRESS", "A CREATE_IN_PROGRESS",
                                             "A CREATE_COMPLETE",    "B CREATE_IN_PROGRESS",
                                             "B CREATE_COMPLETE",    "s CREATE_COMPLETE"};
  EXPECT_EQ(events("s"), k_events);
  EXPECT_EQ(ask<ListStackResources>({.stack_name = "s"}).stack_resource_summaries->size(), 2u);
  EXPECT_EQ(ask<DescribeStackResource>({.stack_name = "s", .logical_resource_id = "A"})
                .stack_resource_detail->physical_resource_id,
            "a");
  DescribeStackResourcesInput by_id;
  by_id.physical_resource_id = "a";
  EXPECT_EQ(ask<DescribeStackResources>(by_id).stack_resources->size(), 2u);
  GetTemplateInput which;
  which.stack_name = "s";
  EXPECT_EQ(ask<GetTemplate>(which).template_body, k_two);
  EXPECT_EQ(remove(), "DELETE_COMPLETE");
  EXPECT_EQ(world_.told(), "+A +B -B -A");
  EXPECT_EQ(refusal<DescribeStacks>({.stack_name = "s"}),
            "ValidationError: Stack with id s does not exist");
  EXPECT_TRUE(ask<ListExports>({}).exports->empty());
  EXPECT_EQ(ask<DescribeStacks>({.stack_name = id_}).stacks->at(0).stack_status, "DELETE_COMPLETE");
}

TEST_F(Stacks, WhatIsSlowRunsSideBySide) {
  EXPECT_EQ(create(R"(
Resources:
  A: {Type: Test::Thing, Properties: {Slow: '20'}}
  B: {Type: Test::Thing, Properties: {Slow: '20'}}
  C: {Type: Test::Thing, DependsOn: A}
)"),
            "CREATE_COMPLETE");
  EXPECT_EQ(world_.told(), "+A +B +C");
  const auto told = events("s");
  const auto at = [&](const char* what) {
    return std::find(told.begin(), told.end(), what) - told.begin();
  };
  EXPECT_LT(at("B CREATE_IN_PROGRESS"), at("A CREATE_COMPLETE"));
  EXPECT_GT(at("C CREATE_IN_PROGRESS"), at("A CREATE_COMPLETE"));
}

TEST_F(Stacks, AFailedCreationIsRolledBackWithoutTouchingOthersThings) {
  world_.things["taken"] = {"other", "theirs", "other"};
  EXPECT_EQ(create(R"(
Resources:
  A: {Type: Test::Thing}
  B: {Type: Test::Thing, DependsOn: A, Properties: {Name: taken}}
)"),
            "ROLLBACK_COMPLETE");
  EXPECT_EQ(things(), "other=theirs");
  const auto told = events("s");
  EXPECT_NE(std::find(told.begin(), told.end(), "B CREATE_FAILED"), told.end());
  EXPECT_NE(std::find(told.begin(), told.end(), "A DELETE_COMPLETE"), told.end());
  std::string reasons;
  const auto history = ask<DescribeStackEvents>({.stack_name = "s"});
  for (const auto& event : *history.stack_events) {
    reasons += event.resource_status_reason.value_or("") + "\n";
  }
  EXPECT_NE(reasons.find("The following resource(s) failed to create: [B]. Rollback requested by "
                         "user.\n"),
            std::string::npos)
      << reasons;
  EXPECT_EQ(refusal<UpdateStack>({.stack_name = "s", .template_body = k_two}),
            fmt::format("ValidationError: Stack:{} is in ROLLBACK_COMPLETE state and can not be "
                        "updated.",
                        id_));
  EXPECT_EQ(remove(), "DELETE_COMPLETE");
}

TEST_F(Stacks, OnFailureDecidesWhatIsLeft) {
  const std::string k_bad =
      "Resources:\n  A: {Type: Test::Thing}\n"
      "  B: {Type: Test::Thing, DependsOn: A, Properties: {Fail: no way}}\n";
  CreateStackInput keep{.stack_name = "keep", .template_body = k_bad};
  keep.on_failure = "DO_NOTHING";
  ask<CreateStack>(keep);
  EXPECT_EQ(rest("keep"), "CREATE_FAILED The following resource(s) failed to create: [B]. ");
  EXPECT_EQ(things(), "A");
  CreateStackInput drop{.stack_name = "drop", .template_body = k_bad};
  drop.on_failure = "DELETE";
  EXPECT_EQ(rest(*ask<CreateStack>(drop).stack_id), "DELETE_COMPLETE");
  EXPECT_EQ(things(), "A");
}

TEST_F(Stacks, UpdatesChangeReplaceAddAndRemove) {
  ASSERT_EQ(create(R"(
Resources:
  Same: {Type: Test::Thing}
  Change: {Type: Test::Thing, Properties: {Value: x}}
  Replace: {Type: Test::Thing, Properties: {Size: '1'}}
  Keep: {Type: Test::Thing, DeletionPolicy: Retain}
  Leave: {Type: Test::Thing}
)"),
            "CREATE_COMPLETE");
  const auto replaced =
      ask<DescribeStackResource>({.stack_name = "s", .logical_resource_id = "Replace"})
          .stack_resource_detail->physical_resource_id;
  world_.log.clear();
  EXPECT_EQ(update(R"(
Resources:
  Same: {Type: Test::Thing}
  Change: {Type: Test::Thing, Properties: {Value: y}}
  Replace: {Type: Test::Thing, Properties: {Size: '2'}}
  Follow: {Type: Test::Thing, Properties: {Link: !Ref Replace}}
)"),
            "UPDATE_COMPLETE");
  EXPECT_EQ(world_.told(), "~Change=y +Replace +Follow -Replace -Leave");
  EXPECT_EQ(things(), "Change=y Follow Keep Replace Same");
  EXPECT_NE(ask<DescribeStackResource>({.stack_name = "s", .logical_resource_id = "Replace"})
                .stack_resource_detail->physical_resource_id,
            replaced);
  EXPECT_EQ(refusal<DescribeStackResource>({.stack_name = "s", .logical_resource_id = "Leave"}),
            "ValidationError: Resource Leave does not exist for stack s");
}

TEST_F(Stacks, AFailedUpdateIsPutBack) {
  const std::string k_before = R"(
Resources:
  Change: {Type: Test::Thing, Properties: {Value: x}}
  Replace: {Type: Test::Thing, Properties: {Size: '1', Value: old}}
  Leave: {Type: Test::Thing}
)";
  ASSERT_EQ(create(k_before), "CREATE_COMPLETE");
  EXPECT_EQ(update(R"(
Resources:
  Change: {Type: Test::Thing, Properties: {Value: y}}
  Replace: {Type: Test::Thing, Properties: {Size: '2', Value: new}}
  New: {Type: Test::Thing}
  Bad: {Type: Test::Thing, DependsOn: [Change, Replace, New], Properties: {Fail: no way}}
)"),
            "UPDATE_ROLLBACK_COMPLETE");
  EXPECT_EQ(things(), "Change=x Leave Replace=old");
  EXPECT_EQ(ask<ListStackResources>({.stack_name = "s"}).stack_resource_summaries->size(), 3u);
  GetTemplateInput which;
  which.stack_name = "s";
  EXPECT_EQ(ask<GetTemplate>(which).template_body, k_before);
  EXPECT_EQ(refusal<UpdateStack>({.stack_name = "s", .template_body = k_before}),
            "ValidationError: No updates are to be performed.");
  EXPECT_EQ(remove(), "DELETE_COMPLETE");
  EXPECT_EQ(things(), "");
}

TEST_F(Stacks, ExportsInUseAreProtected) {
  ASSERT_EQ(create(k_two, "giver"), "CREATE_COMPLETE");
  const std::string giver = id_;
  const std::string k_taker =
      "Resources: {C: {Type: Test::Thing, Properties: {Value: !ImportValue exported}}}\n";
  ASSERT_EQ(create(k_taker, "taker"), "CREATE_COMPLETE");
  EXPECT_EQ(ask<ListImports>({.export_name = "exported"}).imports->at(0), "taker");
  ask<DeleteStack>({.stack_name = "giver"});
  EXPECT_EQ(rest(giver),
            "DELETE_FAILED Export exported cannot be deleted as it is in use by taker");
  EXPECT_EQ(create("Resources: {D: {Type: Test::Thing}}\n"
                   "Outputs: {O: {Value: x, Export: {Name: exported}}}\n",
                   "rival"),
            "ROLLBACK_COMPLETE");
  EXPECT_EQ(
      create("Resources: {D: {Type: Test::Thing, Properties: {Value: !ImportValue no}}}\n", "lost"),
      "ROLLBACK_COMPLETE");
  ask<DeleteStack>({.stack_name = "taker"});
  EXPECT_TRUE(rest("lost").starts_with("ROLLBACK_COMPLETE"));
}

TEST_F(Stacks, ChangeSetsTellThenDo) {
  CreateChangeSetInput first{.stack_name = "s", .change_set_name = "one"};
  first.template_body = k_two;
  first.change_set_type = "CREATE";
  const auto made = ask<CreateChangeSet>(first);
  EXPECT_EQ(ask<DescribeStacks>({.stack_name = "s"}).stacks->at(0).stack_status,
            "REVIEW_IN_PROGRESS");
  const auto told = ask<DescribeChangeSet>({.change_set_name = *made.id});
  EXPECT_EQ(told.status, "CREATE_COMPLETE");
  EXPECT_EQ(told.execution_status, "AVAILABLE");
  ASSERT_EQ(told.changes->size(), 2u);
  EXPECT_EQ(told.changes->at(0).resource_change->action, "Add");
  EXPECT_TRUE(world_.told().empty());
  ask<ExecuteChangeSet>({.change_set_name = "one", .stack_name = "s"});
  EXPECT_EQ(rest("s"), "CREATE_COMPLETE");

  CreateChangeSetInput same{.stack_name = "s", .change_set_name = "same"};
  same.template_body = k_two;
  ask<CreateChangeSet>(same);
  const auto empty = ask<DescribeChangeSet>({.change_set_name = "same", .stack_name = "s"});
  EXPECT_EQ(empty.status, "FAILED");
  EXPECT_EQ(empty.status_reason,
            "The submitted information didn't contain changes. Submit different information to "
            "create a change set.");

  CreateChangeSetInput second{.stack_name = "s", .change_set_name = "two"};
  second.template_body = replace_all(k_two, "Value: x", "Value: z");
  ask<CreateChangeSet>(second);
  const auto change = ask<DescribeChangeSet>({.change_set_name = "two", .stack_name = "s"});
  ASSERT_EQ(change.changes->size(), 2u);  // B takes an attribute of A
  EXPECT_EQ(change.changes->at(0).resource_change->details->at(0).evaluation, "Dynamic");
  EXPECT_EQ(change.changes->at(1).resource_change->logical_resource_id, "A");
  EXPECT_EQ(change.changes->at(1).resource_change->replacement, "False");
  EXPECT_EQ(change.changes->at(1).resource_change->physical_resource_id, "a");
  ask<ExecuteChangeSet>({.change_set_name = "two", .stack_name = "s"});
  EXPECT_EQ(rest("s"), "UPDATE_COMPLETE");
  EXPECT_EQ(things(), "A=z B=arn:a");
  EXPECT_TRUE(refusal<ExecuteChangeSet>({.change_set_name = "two", .stack_name = "s"})
                  .starts_with("InvalidChangeSetStatus"));
  EXPECT_EQ(ask<ListChangeSets>({.stack_name = "s"}).summaries->size(), 1u);
  ask<DeleteChangeSet>({.change_set_name = "two", .stack_name = "s"});
  EXPECT_EQ(refusal<DescribeChangeSet>({.change_set_name = "two", .stack_name = "s"}),
            "ChangeSetNotFound: ChangeSet [two] does not exist");
}

TEST_F(Stacks, RequestsAreRefusedInTheirWords) {
  EXPECT_EQ(refusal<CreateStack>({.stack_name = "a_b", .template_body = k_two}),
            "ValidationError: 1 validation error detected: Value 'a_b' at 'stackName' failed to "
            "satisfy constraint: Member must satisfy regular expression pattern: "
            "[a-zA-Z][-a-zA-Z0-9]*");
  EXPECT_EQ(refusal<CreateStack>({.stack_name = "s"}),
            "ValidationError: Either Template URL or Template Body must be specified.");
  EXPECT_EQ(refusal<CreateStack>(
                {.stack_name = "s", .template_body = "Resources: {A: {Type: AWS::DMS::Endpoint}}"}),
            "ValidationError: Template format error: Unrecognized resource types: "
            "[AWS::DMS::Endpoint]");
  EXPECT_EQ(refusal<CreateStack>(
                {.stack_name = "s",
                 .template_body = "Resources: {A: {Type: Test::Thing, Properties: {Nope: 1}}}"}),
            "ValidationError: Template validation error: Encountered unsupported property Nope in "
            "resource A of type Test::Thing");
  EXPECT_EQ(refusal<UpdateStack>({.stack_name = "s", .template_body = k_two}),
            "ValidationError: Stack with id s does not exist");
  EXPECT_EQ(refusal<DeleteStack>({.stack_name = "s"}), "");
  ASSERT_EQ(create(k_two), "CREATE_COMPLETE");
  EXPECT_EQ(refusal<CreateStack>({.stack_name = "s", .template_body = k_two}),
            "AlreadyExistsException: Stack [s] already exists");
  ask<UpdateTerminationProtection>({.enable_termination_protection = true, .stack_name = "s"});
  EXPECT_EQ(refusal<DeleteStack>({.stack_name = "s"}),
            "ValidationError: Stack [s] cannot be deleted while TerminationProtection is enabled");
}

TEST_F(Stacks, AFailedDeletionCanBeTriedAgainWithoutWhatHolds) {
  ASSERT_EQ(create("Resources:\n  A: {Type: Test::Thing}\n"
                   "  B: {Type: Test::Thing, DependsOn: A, Properties: {FailRemove: stuck}}\n"),
            "CREATE_COMPLETE");
  EXPECT_EQ(remove(), "DELETE_FAILED The following resource(s) failed to delete: [B]. ");
  EXPECT_EQ(things(), "A B");  // what B needs is not touched
  DeleteStackInput again{.stack_name = "s"};
  again.retain_resources = {"B"};
  ask<DeleteStack>(again);
  EXPECT_EQ(rest(id_), "DELETE_COMPLETE");
  EXPECT_EQ(things(), "B");
}

TEST_F(Stacks, ARollbackThatFailsCanBeContinued) {
  const auto with = [](const std::string& value, const std::string& more) {
    return "Resources:\n  A: {Type: Test::Thing, Properties: {Value: " + value + "}}\n" + more;
  };
  ASSERT_EQ(create("Resources:\n  A: {Type: Test::Thing, Properties: {Value: x, FailUpdate: "
                   "broken}}\n"),
            "CREATE_COMPLETE");
  EXPECT_EQ(
      update(with("y", "  B: {Type: Test::Thing, DependsOn: A, Properties: {Fail: broken}}\n")),
      "UPDATE_ROLLBACK_FAILED The following resource(s) failed to update: [A].");
  ContinueUpdateRollbackInput skip{.stack_name = "s"};
  skip.resources_to_skip = {"A"};
  ask<ContinueUpdateRollback>(skip);
  EXPECT_EQ(rest("s"), "UPDATE_ROLLBACK_COMPLETE");
}

TEST_F(Stacks, DeletingDuringCreationLeavesNothing) {
  CreateStackInput input{.stack_name = "s"};
  input.template_body = "Resources: {A: {Type: Test::Blind, Properties: {Slow: '100000'}}}";
  id_ = *ask<CreateStack>(input).stack_id;
  while (things().empty()) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  EXPECT_EQ(remove(), "DELETE_COMPLETE");
  EXPECT_EQ(things(), "");
}

// The process ends right after a type did its work, before the outcome was committed: the next
// process goes on, and nothing is doubled or orphaned.
TEST_F(Stacks, SurviveCrashesAtEveryStep) {
  const std::string k_first = R"(
Resources:
  A: {Type: Test::Thing, Properties: {Value: x}}
  B: {Type: Test::Blind, Properties: {Value: !Ref A}}
  C: {Type: Test::Blind, DependsOn: B, Properties: {Slow: '3', Size: '1'}}
)";
  const std::string k_second = R"(
Resources:
  A: {Type: Test::Thing, Properties: {Value: y}}
  C: {Type: Test::Blind, DependsOn: A, Properties: {Size: '2'}}
)";
  const auto crash = [&](const std::string& what, auto request) {
    {
      std::lock_guard lock(world_.mutex);
      world_.crash_after.insert(what);
    }
    request();
    const auto fired = [&] {
      std::lock_guard lock(world_.mutex);
      return !world_.crash_after.contains(what);
    };
    for (int i = 0; i < 2'000 && !fired(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    EXPECT_TRUE(fired()) << what;
    reopen();
  };
  for (const std::string id : {"A", "B", "C"}) {
    const auto stack = "s" + id;
    crash("create " + id, [&] {
      CreateStackInput input{.stack_name = stack};
      input.template_body = k_first;
      id_ = *ask<CreateStack>(input).stack_id;
    });
    EXPECT_EQ(rest(stack), "CREATE_COMPLETE");
    EXPECT_EQ(world_.things.size(), 3u);
    crash(id == "A"   ? "update A"
          : id == "B" ? "remove B"
                      : "create C",
          [&] {
            UpdateStackInput input{.stack_name = stack};
            input.template_body = k_second;
            ask<UpdateStack>(input);
          });
    EXPECT_EQ(rest(stack), "UPDATE_COMPLETE");
    EXPECT_EQ(things(), "A=y C");
    crash(id == "B" ? "remove A" : "remove C", [&] { ask<DeleteStack>({.stack_name = stack}); });
    EXPECT_EQ(rest(id_), "DELETE_COMPLETE");
    EXPECT_EQ(things(), "");
  }
}

TEST_F(Stacks, NoEchoParametersAreHiddenAndSealed) {
  CreateStackInput input{.stack_name = "s"};
  input.template_body =
      "Parameters: {P: {Type: String, NoEcho: true}}\n"
      "Resources: {A: {Type: Test::Thing, Properties: {Value: !Ref P}}}";
  input.parameters = {Parameter{.parameter_key = "P", .parameter_value = "hunter2"}};
  id_ = *ask<CreateStack>(input).stack_id;
  EXPECT_EQ(rest("s"), "CREATE_COMPLETE");
  EXPECT_EQ(things(), "A=hunter2");
  EXPECT_EQ(
      ask<DescribeStacks>({.stack_name = "s"}).stacks->at(0).parameters->at(0).parameter_value,
      "****");
  auto txn = server_->store.begin({std::string(platform::k_default_account), "us-east-1"});
  for (auto& resource : resources_of(txn, id_)) {
    EXPECT_EQ(kernel::encode_record(resource).find("hunter2"), std::string::npos);
  }
  const auto history = ask<DescribeStackEvents>({.stack_name = "s"});
  for (const auto& event : *history.stack_events) {
    EXPECT_EQ(event.resource_properties.value_or("").find("hunter2"), std::string::npos);
  }
}

}  // namespace
}  // namespace tarn::cloudformation
