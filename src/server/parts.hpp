// SPDX-License-Identifier: Apache-2.0
// What every form of the house has: the kernel, the pools, the registry and the services, over a
// data directory or in memory (`tarn ops`, tests). No sockets.
#pragma once
#include <filesystem>
#include <memory>

#include "base/pool.hpp"
#include "engines/sandbox/compute.hpp"
#include "platform/registry.hpp"
#include "platform/resource_type.hpp"
#include "server/options.hpp"
#include "server/services.hpp"

namespace tarn::server {

struct Kernel {
  explicit Kernel(const std::filesystem::path& data_directory, bool in_memory);
  SystemClock clock;
  SystemRandom random;
  kernel::Store store;
  kernel::Blobs blobs;
  ThreadPool calls;
  ThreadPool background;
  kernel::Bus bus;
  kernel::Jobs jobs;
  kernel::Schedules schedules;
};

struct Parts {
  Parts(const Options& options, bool in_memory);
  Kernel kernel;
  platform::SecretBox secrets;
  sandbox::Compute compute;
  ThreadPool queries;  // DuckDB
  platform::Ports ports;
  platform::Registry registry;
  platform::ResourceTypes resource_types;
  platform::Environment environment;
  sql::Clusters clusters;
  Services services;
};

}  // namespace tarn::server
