// SPDX-License-Identifier: Apache-2.0
// What a service is to the house: a table of operations, and optionally resource types, HTTP
// mounts, subscriptions and durable jobs.
//
// The operation table is the truth about what exists: `tarn ops` and docs/coverage.md are made from
// it, codegen generates wire types for its rows only, and a modelled operation without a row
// answers 501 NotImplemented.
//
//   void Sqs::operations(platform::OpTable& t) {
//     t.op<CreateQueue>(&Sqs::create_queue).on(&Sqs::queue_arn_by_name);
//     t.op<ReceiveMessage>(&Sqs::receive_message);              // Task<Output>(CallPtr, Input)
//     t.op<AddPermission>(&Sqs::add_permission).partial("stored, not enforced");
//   }
//
// A service may have `template <class Input> void admit(Call&, const Input&)`: it runs before every
// handler and refuses by throwing (S3's ExpectedBucketOwner).
//
// Handlers are `Output f(Call&, const Input&)` (plain; run on the call pool; re-run on
// kernel::Conflict) or `Task<Output> f(CallPtr, Input)` (those that wait; they use
// store.transact). Order of life: constructed, operations(), resources(), then start() when every
// service exists and before anything is served; stop() before destruction, in reverse order.
#pragma once
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "aws/operation.hpp"
#include "kernel/blobs.hpp"
#include "kernel/bus.hpp"
#include "kernel/jobs.hpp"
#include "kernel/scheduler.hpp"
#include "kernel/store.hpp"
#include "platform/call.hpp"
#include "platform/ports.hpp"
#include "platform/secret_box.hpp"

namespace tarn::platform {

class ResourceTypes;  // resource_type.hpp

// Everything that a service is given. References outlive the service.
struct Environment {
  kernel::Store& store;
  kernel::Bus& bus;
  kernel::Jobs& jobs;
  kernel::Schedules& schedules;
  kernel::Blobs& blobs;
  Clock& clock;
  Random& random;
  Registry& registry;
  Executor& calls;       // the call pool
  Executor& background;  // the bus, jobs, whatever outlives a request
  Ports& ports;
  SecretBox& secrets;
  std::filesystem::path data_directory;
  std::string endpoint;            // http://127.0.0.1:4566
  std::string region;              // the default one
  std::string account;             // the default one
  std::string host = "127.0.0.1";  // the address that servers listen on

  // A call of Tarn's own making, for background work.
  CallPtr call_as(Identity identity, std::string region) const;
};

// Condition keys of a request beside the global ones, with their values.
using ConditionKeys = std::vector<std::pair<std::string, std::string>>;

// One row: an operation, how to run it, and what IAM calls it.
struct OpRow {
  const aws::Operation* operation = nullptr;
  std::function<Task<void>(CallPtr, void* input, void* output)> run;
  std::function<std::shared_ptr<void>()> make_input, make_output;
  std::string action;        // "lambda:InvokeFunction"
  std::string partial_note;  // what is accepted but not done; empty: complete
  bool authorize = true;
  // The ARNs that the call touches, for policies; none: "*".
  std::function<std::vector<std::string>(Call&, const void* input)> resources;
  // The service's own condition keys ("ecs:cluster", "s3:prefix").
  std::function<ConditionKeys(Call&, const void* input)> condition_keys;
  // The policy of the resource itself (bucket, queue, topic), if it has one.
  std::function<std::optional<std::string>(Call&, const void* input)> resource_policy;
  // The roles that the caller hands to a service, which takes iam:PassRole.
  std::function<std::vector<std::string>(Call&, const void* input)> passed_roles;
  std::string passed_to;  // "lambda.amazonaws.com"
};

template <class Op>
class OpRowBuilder {
 public:
  explicit OpRowBuilder(OpRow& row) : row_(row) {}
  // Accepted but not (fully) done: says so in `tarn ops` and the coverage page.
  OpRowBuilder& partial(std::string note) { return row_.partial_note = std::move(note), *this; }
  // Where IAM's action is not service:Operation.
  OpRowBuilder& action(std::string name) { return row_.action = std::move(name), *this; }
  // Calls that need no permission (sts:GetCallerIdentity, and those whose handler decides itself).
  OpRowBuilder& no_authorization() { return row_.authorize = false, *this; }
  // `std::string f(Call&, const Input&)` or `std::vector<std::string> f(…)`: the ARNs touched.
  template <class F>
  OpRowBuilder& on(F arns) {
    row_.resources = [arns](Call& call, const void* in) -> std::vector<std::string> {
      const auto& input = *static_cast<const typename Op::Input*>(in);
      if constexpr (std::is_convertible_v<std::invoke_result_t<F, Call&, decltype(input)>,
                                          std::string>) {
        return {arns(call, input)};
      } else {
        return arns(call, input);
      }
    };
    return *this;
  }
  // `ConditionKeys f(Call&, const Input&)`: what policies' conditions may ask of this operation.
  template <class F>
  OpRowBuilder& condition_keys(F keys) {
    row_.condition_keys = [keys](Call& call, const void* in) -> ConditionKeys {
      return keys(call, *static_cast<const typename Op::Input*>(in));
    };
    return *this;
  }
  // `std::optional<std::string> f(Call&, const Input&)`: the resource's own policy document.
  template <class F>
  OpRowBuilder& resource_policy(F policy) {
    row_.resource_policy = [policy](Call& call, const void* in) -> std::optional<std::string> {
      return policy(call, *static_cast<const typename Op::Input*>(in));
    };
    return *this;
  }

  // `std::optional<std::string> f(…)` or `std::vector<std::string> f(Call&, const Input&)`: ARNs of
  // roles that `service` ("lambda.amazonaws.com") is to assume.
  template <class F>
  OpRowBuilder& passes_role(std::string service, F roles) {
    row_.passed_to = std::move(service);
    row_.passed_roles = [roles](Call& call, const void* in) -> std::vector<std::string> {
      auto given = roles(call, *static_cast<const typename Op::Input*>(in));
      if constexpr (std::is_same_v<decltype(given), std::optional<std::string>>) {
        return given ? std::vector<std::string>{*given} : std::vector<std::string>();
      } else {
        return given;
      }
    };
    return *this;
  }

 private:
  OpRow& row_;
};

namespace detail {
template <class T>
struct IsTask : std::false_type {};
template <class T>
struct IsTask<Task<T>> : std::true_type {};
// Runs a plain handler; again on kernel::Conflict, a bounded number of times.
void run_with_retry(const std::function<void()>& body);

template <class S, class Input>
void admit(S* service, Call& call, const Input& input) {
  if constexpr (requires { service->admit(call, input); }) service->admit(call, input);
}

template <class Op, class S, class F>
Task<void> run_plain(S* service, F handler, CallPtr call, void* in, void* out) {
  const auto& input = *static_cast<const typename Op::Input*>(in);
  auto& output = *static_cast<typename Op::Output*>(out);
  admit(service, *call, input);
  run_with_retry([&] { output = std::invoke(handler, service, *call, input); });
  co_return;
}
template <class Op, class S, class F>
Task<void> run_task(S* service, F handler, CallPtr call, void* in, void* out) {
  auto input = std::move(*static_cast<typename Op::Input*>(in));
  admit(service, *call, input);
  auto task = std::invoke(handler, service, std::move(call), std::move(input));
  *static_cast<typename Op::Output*>(out) = co_await task;
}
}  // namespace detail

class OpTable {
 public:
  // `signing_prefix`: IAM's service prefix of actions ("s3", "states", "logs").
  OpTable(std::vector<OpRow>& rows, void* service, std::string action_prefix)
      : rows_(rows),
        service_(service),
        action_prefix_(std::move(action_prefix)) {}

  template <class Op, class S, class R, class... A>
  OpRowBuilder<Op> op(R (S::*handler)(A...)) {
    OpRow& row = rows_.emplace_back();
    row.operation = &Op::operation();
    row.action = action_prefix_ + ":" + std::string(Op::operation().name);
    row.make_input = [] { return std::make_shared<typename Op::Input>(); };
    row.make_output = [] { return std::make_shared<typename Op::Output>(); };
    auto* service = static_cast<S*>(service_);
    row.run = [service, handler](CallPtr call, void* in, void* out) {
      if constexpr (detail::IsTask<R>::value) {
        return detail::run_task<Op>(service, handler, std::move(call), in, out);
      } else {
        return detail::run_plain<Op>(service, handler, std::move(call), in, out);
      }
    };
    return OpRowBuilder<Op>(row);
  }

 private:
  std::vector<OpRow>& rows_;
  void* service_;
  std::string action_prefix_;
};

class Service {
 public:
  virtual ~Service() = default;
  // The folder's name: "sqs", "redshift_data".
  virtual std::string_view name() const = 0;
  // IAM's prefix of its actions where that is not the name: "states", "redshift-data".
  virtual std::string_view action_prefix() const { return name(); }
  // The table's `op` calls member functions of the most derived class: pass `this` as that type
  // happens through `ServiceOf` below; derive from it.
  virtual void fill(std::vector<OpRow>& rows) = 0;
  virtual void resources(ResourceTypes&) {}
  virtual void start() {}
  virtual void stop() {}
};

// `class Sqs : public platform::ServiceOf<Sqs> { … void operations(platform::OpTable&); }`
template <class S>
class ServiceOf : public Service {
 public:
  void fill(std::vector<OpRow>& rows) override {
    OpTable table(rows, static_cast<S*>(this), std::string(action_prefix()));
    static_cast<S*>(this)->operations(table);
  }
};

}  // namespace tarn::platform
