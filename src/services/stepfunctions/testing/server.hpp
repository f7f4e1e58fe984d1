// SPDX-License-Identifier: Apache-2.0
// The service in process, without sockets: a store in memory, the real clock, an identity store
// that grants everything, and a few made-up services to call. For tests.
#pragma once
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/pool.hpp"
#include "kernel/testing/house.hpp"
#include "platform/registry.hpp"
#include "platform/resource_type.hpp"
#include "platform/service.hpp"
#include "services/stepfunctions/service.hpp"

namespace tarn::stepfunctions::testing {

// Whoever asks gets the account's root.
class OpenIdentities : public platform::IdentityStore {
 public:
  std::optional<Key> find_key(const std::string&) override { return std::nullopt; }
  Policies policies_of(const platform::Identity&) override { return {}; }
  platform::Identity assume_for_service(const std::string&, const std::string&,
                                        const std::string&) override {
    return platform::root_identity();
  }
  platform::Credentials issue_session(const platform::Identity&, Seconds) override { return {}; }
  platform::AssumedRole assume_role(const platform::Identity&,
                                    const platform::AssumeRoleRequest&) override {
    return {};
  }
};

struct Server {
  explicit Server(const std::filesystem::path& directory)
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
    ports.identities = &identities;
    registry.add(std::make_unique<StepFunctions>(environment));
    registry.start();
    bus.start();
    jobs.start();
  }
  ~Server() {
    jobs.stop();
    bus.stop();
    registry.stop();
    pool.stop();
  }

  // SDK-shaped JSON in and out, as root.
  Json ask(const std::string& operation, Json input) {
    auto call = environment.call_as(platform::root_identity(), "us-east-1");
    return sync_wait<Json>({.executor = &pool, .stop = {}},
                           call->invoke_json("stepfunctions", operation, std::move(input)));
  }

  SystemRandom random;
  SystemClock clock;
  ThreadPool pool{"test", 8};
  kernel::Store store;
  kernel::Blobs blobs;
  kernel::Bus bus;
  kernel::Jobs jobs;
  kernel::Schedules schedules;
  platform::SecretBox secrets;
  OpenIdentities identities;
  platform::Ports ports;
  platform::Registry registry;
  platform::Environment environment;
};

}  // namespace tarn::stepfunctions::testing
