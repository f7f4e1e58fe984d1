// SPDX-License-Identifier: Apache-2.0
// What a test of services needs: an Environment on a store in memory with a manual clock and seeded
// randomness, the registry, and typed calls without sockets. Resource types are asked as the stack
// engine asks them. For one test thread.
//
//   ServiceHouse house;
//   house.add<ssm::Ssm>();
//   house.start();
//   const auto out = house.ask<ssm::GetParameter>({.name = "a"});
#pragma once
#include <memory>
#include <string>

#include "aws/error.hpp"
#include "kernel/testing/house.hpp"
#include "platform/registry.hpp"
#include "platform/resource_type.hpp"

namespace tarn::platform::testing {

class ServiceHouse {
 public:
  ServiceHouse() = default;
  ~ServiceHouse() {
    if (!started_) return;
    jobs_.stop();
    bus_.stop();
    registry_.stop();
  }

  template <class S>
  S& add() {
    auto service = std::make_unique<S>(environment_);
    S& made = *service;
    made.resources(types_);
    registry_.add(std::move(service));
    return made;
  }
  void start() {
    registry_.start();
    bus_.start();
    jobs_.start();
    started_ = true;
  }

  ManualClock& clock() { return house_.clock; }
  kernel::Bus& bus() { return bus_; }
  Registry& registry() { return registry_; }
  Environment& environment() { return environment_; }

  CallPtr call(Identity identity = root_identity(), std::string region = "us-east-1") {
    return environment_.call_as(std::move(identity), std::move(region));
  }
  template <class Op>
  typename Op::Output ask(typename Op::Input input, CallPtr as = nullptr) {
    if (!as) as = call();
    return wait<typename Op::Output>(as->invoke<Op>(std::move(input)));
  }
  // "Code: message" of the refusal; empty when the call succeeds.
  template <class Op>
  std::string refusal(typename Op::Input input, CallPtr as = nullptr) {
    try {
      ask<Op>(std::move(input), std::move(as));
    } catch (const aws::ApiError& error) {
      return error.code + ": " + error.message;
    }
    return {};
  }

  // A resource of the stack "stack", as the engine would ask for it.
  ResourceRequest resource(std::string type, const std::string& properties,
                           std::string logical_id = "Thing") {
    ResourceRequest request;
    request.logical_id = std::move(logical_id);
    request.stack_name = "stack";
    request.stack_id = "arn:aws:cloudformation:us-east-1:000000000000:stack/stack/1";
    request.properties = parse_json(properties);
    request.previous_properties = JsonObject();
    request.client_token = house_.random.uuid();
    request.tags = {{"aws:cloudformation:stack-name", request.stack_name},
                    {"aws:cloudformation:stack-id", request.stack_id},
                    {"aws:cloudformation:logical-id", request.logical_id}};
    request.physical_id = types_.find(type)->choose_physical_id(request, house_.random);
    return request;
  }
  // Asks until it pends no more; the physical id lands in the request.
  ResourceProgress create(const std::string& type, ResourceRequest& request) {
    for (;;) {
      request.call = call();
      auto progress = wait<ResourceProgress>(types_.find(type)->create(request));
      if (!progress.physical_id.empty()) request.physical_id = progress.physical_id;
      request.state = progress.state;
      if (progress.status != ResourceProgress::Status::pending) return progress;
    }
  }
  ResourceProgress update(const std::string& type, ResourceRequest& request,
                          const std::string& properties) {
    request.call = call();
    request.client_token = house_.random.uuid();
    request.previous_properties = std::exchange(request.properties, parse_json(properties));
    return wait<ResourceProgress>(types_.find(type)->update(request));
  }
  ResourceProgress remove(const std::string& type, ResourceRequest& request) {
    request.call = call();
    return wait<ResourceProgress>(types_.find(type)->remove(request));
  }

  template <class T>
  T wait(Task<T> task) {
    return sync_wait<T>({.executor = &house_.pool}, std::move(task));
  }

 private:
  kernel::testing::House house_;
  kernel::Blobs blobs_{house_.directory() / "blobs", house_.random};
  kernel::Bus bus_{house_.store(), house_.pool};
  kernel::Jobs jobs_{house_.store(), house_.pool};
  kernel::Schedules schedules_{house_.store()};
  SecretBox secrets_{house_.directory(), house_.random};
  Ports ports_;
  Registry registry_;
  ResourceTypes types_;
  Environment environment_{house_.store(),
                           bus_,
                           jobs_,
                           schedules_,
                           blobs_,
                           house_.clock,
                           house_.random,
                           registry_,
                           house_.pool,
                           house_.pool,
                           ports_,
                           secrets_,
                           house_.directory(),
                           "http://127.0.0.1:4566",
                           "us-east-1",
                           std::string(k_default_account)};
  bool started_ = false;
};

}  // namespace tarn::platform::testing
