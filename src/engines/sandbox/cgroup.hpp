// SPDX-License-Identifier: Apache-2.0
// Control groups: how much memory, processor time and how many processes a job may use, and what
// it did use. Knows version 1 (one hierarchy per controller), version 2 and the hybrid of both.
//
// Groups are made only below the path that /proc/self/cgroup names, the part of the tree that is
// ours to divide. Each group's name carries the process that made it, so that a later start removes
// what a killed one left behind, and never another's. Where a controller cannot be used, `missing`
// says why, and the caller limits with setrlimit instead.
//
// Threading: CgroupTree is immutable after construction. A Cgroup may be asked from any thread.
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engines/sandbox/job.hpp"

namespace tarn::sandbox {

class Cgroup {
 public:
  ~Cgroup();  // kills what is inside and removes it
  Cgroup(const Cgroup&) = delete;
  Cgroup& operator=(const Cgroup&) = delete;

  // Files into which a process writes "0" to join.
  std::vector<std::string> procs_files() const;
  // What the whole group used so far; nothing where no controller counts it.
  std::optional<double> cpu_seconds() const;
  std::optional<std::uint64_t> memory_peak_bytes() const;
  std::optional<std::uint64_t> memory_bytes() const;
  std::uint64_t out_of_memory_kills() const;
  void kill_all() const;

 private:
  friend class CgroupTree;
  Cgroup() = default;
  // Directory of this group by controller; in version 2 all are the same one.
  std::map<std::string, std::filesystem::path> directories_;
  bool memory_v2_ = false;
  bool cpu_v2_ = false;
};

class CgroupTree {
 public:
  struct Files {  // elsewhere in tests
    std::filesystem::path self_cgroup = "/proc/self/cgroup";
    std::filesystem::path mountinfo = "/proc/self/mountinfo";
  };
  CgroupTree() : CgroupTree(Files{}) {}
  explicit CgroupTree(const Files& files);

  bool has(const std::string& controller) const { return parents_.contains(controller); }
  // "memory": "why it cannot be used".
  const std::map<std::string, std::string>& missing() const { return missing_; }
  // The directories in which groups are made, to be remembered for a later `sweep`.
  std::vector<std::filesystem::path> parents() const;

  // Throws SandboxError when the group cannot be made although the probe could.
  std::unique_ptr<Cgroup> create(const std::string& suffix, const Limits& limits) const;

  // Ends and removes the groups in `parents` whose makers are gone; how many.
  static std::size_t sweep(const std::vector<std::filesystem::path>& parents);

 private:
  struct Parent {
    std::filesystem::path directory;
    bool v2 = false;
  };
  void find_v1(const std::string& controller, const std::filesystem::path& directory);
  void find_v2(const std::filesystem::path& own);
  void apply(const Cgroup& group, const Limits& limits) const;

  std::map<std::string, Parent> parents_;  // memory, cpu, cpuacct, pids
  std::map<std::string, std::string> missing_;
};

// "tarn.<pid>.<start time>": unique among running and past processes of this boot.
std::string owner_prefix();
// Whether the maker of something named `owner_prefix()…` still runs. True if `name` is not ours.
bool owner_is_alive(const std::string& name);

}  // namespace tarn::sandbox
