// SPDX-License-Identifier: Apache-2.0
#include "server/doctor.hpp"

#include <cstdio>

#include <fmt/format.h>

#include "engines/sandbox/compute.hpp"
#include "server/temporary_directory.hpp"

namespace tarn::server {
namespace {

// Prints one line a finding; false if something is missing.
bool report(const std::vector<sandbox::Finding>& findings) {
  bool all = true;
  for (const auto& finding : findings) {
    fmt::print("{} {}: {}\n", finding.ok ? "ok     " : "MISSING", finding.subject, finding.detail);
    if (!finding.ok && !finding.remedy.empty()) fmt::print("        {}\n", finding.remedy);
    all = all && finding.ok;
  }
  return all;
}

}  // namespace

int doctor() {
  const TemporaryDirectory directory;
  bool good = true;
  try {
    sandbox::Compute compute({.directory = directory.path(), .root = {}});
    good = report(compute.sandbox().doctor());
    const auto root = compute.root();
    good =
        report({{"base root tarn/slim", !root.empty(),
                 root.empty() ? "none: tasks and functions have nothing to run in" : root.string(),
                 "./dev setup makes it"}}) &&
        good;
    compute.close();
  } catch (const sandbox::SandboxError& error) {
    good = report({{"bubblewrap", false, error.what(), "apt-get install bubblewrap"}});
  }
  return good ? 0 : 1;
}

}  // namespace tarn::server
