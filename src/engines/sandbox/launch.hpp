// SPDX-License-Identifier: Apache-2.0
// From a JobSpec to the text that `sandbox-init` reads and the directories that it needs: no
// processes here. Checks everything that can be checked before a start. Pure but for the disk.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "engines/sandbox/init_protocol.hpp"
#include "engines/sandbox/job.hpp"

namespace tarn::sandbox {

struct LaunchPlan {
  std::string spec;
};

struct LaunchEnvironment {
  std::filesystem::path bubblewrap;
  std::filesystem::path job_directory;  // exists, empty, the job's own
  init::Namespaces namespaces = init::Namespaces::none;
  std::vector<std::string> cgroup_procs;
  bool limit_memory_by_process = false;  // no control group does it
  bool limit_pids_by_user = false;
};

// Throws SandboxError where the job cannot be run as described.
LaunchPlan plan_launch(const JobSpec& spec, const LaunchEnvironment& environment);

}  // namespace tarn::sandbox
