// SPDX-License-Identifier: Apache-2.0
#include "server/up.hpp"

#include <csignal>
#include <cstdio>
#include <exception>

#include <fmt/format.h>
#include <pthread.h>
#include <sys/resource.h>

#include "base/log.hpp"
#include "server/house.hpp"

namespace tarn::server {
namespace {

// Blocked in every thread, so that only `sigwait` below sees them.
sigset_t block_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, number);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return set;
}

// Connections, RocksDB's files and the segments of the log are open at once: as many as we may.
void raise_open_files() {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
}

void print_screen(const Options& options, const House& house) {
  const std::string data = options.data_directory.string();
  fmt::print(
      "Tarn serves AWS's APIs on   {}\n"
      "warehouses (PostgreSQL) on  {}\n"
      "data directory              {}\n"
      "credentials                 eval \"$(tarn env --data {})\"\n"
      "what is implemented         tarn ops\n"
      "stop                        Ctrl-C\n"
      "ready\n",
      house.endpoint(), house.warehouse_address(), data, data);
  std::fflush(stdout);
}

}  // namespace

int up(const Options& options) {
  const sigset_t signals = block_signals();
  raise_open_files();
  if (options.verbose) log::set_level(log::Level::debug);
  try {
    House house(options);
    print_screen(options, house);
    int received = 0;
    sigwait(&signals, &received);
    log::info("server", "stopping");
    house.stop();
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "tarn: {}\n", error.what());
    return 1;
  }
}

}  // namespace tarn::server
