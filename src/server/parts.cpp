// SPDX-License-Identifier: Apache-2.0
#include "server/parts.hpp"

#include "platform/limits.hpp"
#include "server/services.hpp"
#include "services/s3/object_access.hpp"

namespace tarn::server {
namespace {

namespace limits = platform::limits;

kernel::StoreOptions store_options(const std::filesystem::path& data_directory, bool in_memory) {
  kernel::StoreOptions options;
  options.directory = data_directory / "store";
  options.in_memory = in_memory;
  return options;
}

std::filesystem::path made(const std::filesystem::path& directory) {
  std::filesystem::create_directories(directory);
  return directory;
}

}  // namespace

Kernel::Kernel(const std::filesystem::path& data_directory, bool in_memory)
    : store(store_options(made(data_directory), in_memory), clock, random),
      blobs(data_directory / "blobs", random),
      calls("call", limits::k_call_threads, limits::k_call_queue_max),
      background("background", limits::k_background_threads),
      bus(store, background),
      jobs(store, background),
      schedules(store) {}

Parts::Parts(const Options& options, bool in_memory)
    : kernel(options.data_directory, in_memory),
      secrets(options.data_directory, kernel.random),
      compute({.directory = options.data_directory / "sandbox",
               .root = {},
               .allow_egress = options.allow_egress}),
      queries("query", limits::k_query_threads),
      environment{kernel.store,
                  kernel.bus,
                  kernel.jobs,
                  kernel.schedules,
                  kernel.blobs,
                  kernel.clock,
                  kernel.random,
                  registry,
                  kernel.calls,
                  kernel.background,
                  ports,
                  secrets,
                  options.data_directory,
                  "",
                  options.region,
                  std::string(platform::k_default_account),
                  options.host},
      clusters(queries, kernel.clock, std::make_shared<s3::ObjectAccess>(environment)),
      services(add_services({environment, compute, clusters, options.pg_port}, registry,
                            resource_types)) {}

}  // namespace tarn::server
