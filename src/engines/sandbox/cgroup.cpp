// SPDX-License-Identifier: Apache-2.0
#include "engines/sandbox/cgroup.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include "base/log.hpp"
#include "base/strings.hpp"

namespace tarn::sandbox {
namespace {

namespace fs = std::filesystem;

constexpr int k_period_us = 100'000;

std::string read_text(const fs::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// 0, or the error number. Control files take one write, whole.
int write_text(const fs::path& path, std::string_view text) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return errno;
  const ssize_t written = ::write(fd, text.data(), text.size());
  const int error = written == static_cast<ssize_t>(text.size()) ? 0 : errno;
  ::close(fd);
  return error;
}

std::optional<std::uint64_t> read_number(const fs::path& path) {
  const std::string text = read_text(path);
  return parse_uint(trim(text));
}

// The number behind `name` in lines of "name number".
std::optional<std::uint64_t> read_entry(const fs::path& path, std::string_view name) {
  const std::string text = read_text(path);
  for (const auto& line : split(text, '\n')) {
    const auto words = split(line, ' ');
    if (words.size() == 2 && words[0] == name) return parse_uint(words[1]);
  }
  return std::nullopt;
}

std::vector<pid_t> members(const fs::path& directory) {
  std::vector<pid_t> pids;
  std::ifstream file(directory / "cgroup.procs");
  for (pid_t pid; file >> pid;) pids.push_back(pid);
  return pids;
}

// Field 22 of /proc/<pid>/stat: when it started, in ticks since the boot. Empty when it is gone.
std::string start_time(const std::string& pid) {
  const std::string text = read_text("/proc/" + pid + "/stat");
  const auto name_end = text.rfind(')');  // the name itself may hold anything
  if (name_end == std::string::npos || name_end + 2 > text.size()) return {};
  const auto fields = split(std::string_view(text).substr(name_end + 2), ' ');
  if (fields.size() < 20 || fields[0] == "Z" || fields[0] == "X") return {};
  return fields[19];
}

// Kills until nobody is left, at most for two seconds, then removes the directory.
bool end_group(const fs::path& directory) {
  write_text(directory / "cgroup.kill", "1");  // version 2 only
  for (int attempt = 0; attempt < 200; ++attempt) {
    if (::rmdir(directory.c_str()) == 0 || errno == ENOENT) return true;
    for (const pid_t pid : members(directory)) ::kill(pid, SIGKILL);
    std::this_thread::sleep_for(std::chrono::milliseconds(attempt < 10 ? 1 : 10));
  }
  return false;
}

struct Mount {
  std::string root, point, type;
  std::set<std::string> options;
};

std::vector<Mount> cgroup_mounts(const fs::path& mountinfo) {
  std::vector<Mount> mounts;
  std::ifstream file(mountinfo);
  for (std::string line; std::getline(file, line);) {
    const auto words = split(line, ' ');
    const auto dash = std::find(words.begin(), words.end(), "-");
    if (words.size() < 5 || words.end() - dash < 4) continue;
    if (dash[1] != "cgroup" && dash[1] != "cgroup2") continue;
    Mount mount{words[3], words[4], dash[1], {}};
    for (auto& option : split(dash[3], ',')) mount.options.insert(option);
    mounts.push_back(std::move(mount));
  }
  return mounts;
}

// Where `path`, as /proc/self/cgroup tells it, is found below the mount point.
fs::path directory_of(const Mount& mount, std::string path) {
  if (mount.root != "/" && path.starts_with(mount.root)) path.erase(0, mount.root.size());
  const auto start = path.find_first_not_of('/');
  return start == std::string::npos ? fs::path(mount.point)
                                    : fs::path(mount.point) / path.substr(start);
}

}  // namespace

std::string owner_prefix() {
  const std::string pid = std::to_string(::getpid());
  return fmt::format("tarn.{}.{}", pid, start_time(pid));
}

bool owner_is_alive(const std::string& name) {
  const auto parts = split(name, '.');
  if (parts.size() < 3 || parts[0] != "tarn" || !parse_uint(parts[1])) return true;
  return start_time(parts[1]) == parts[2];
}

// ---- One group

Cgroup::~Cgroup() {
  std::set<fs::path> all;
  for (const auto& [controller, directory] : directories_) all.insert(directory);
  for (const auto& directory : all) {
    if (!end_group(directory)) {
      log::warning("sandbox", "control group {} could not be removed", directory.string());
    }
  }
}

std::vector<std::string> Cgroup::procs_files() const {
  std::set<std::string> files;
  for (const auto& [controller, directory] : directories_) files.insert(directory / "cgroup.procs");
  return {files.begin(), files.end()};
}

std::optional<double> Cgroup::cpu_seconds() const {
  if (cpu_v2_) {
    const auto micros = read_entry(directories_.at("cpu") / "cpu.stat", "usage_usec");
    return micros ? std::optional(static_cast<double>(*micros) / 1e6) : std::nullopt;
  }
  const auto found = directories_.find("cpuacct");
  if (found == directories_.end()) return std::nullopt;
  const auto nanos = read_number(found->second / "cpuacct.usage");
  return nanos ? std::optional(static_cast<double>(*nanos) / 1e9) : std::nullopt;
}

std::optional<std::uint64_t> Cgroup::memory_peak_bytes() const {
  const auto found = directories_.find("memory");
  if (found == directories_.end()) return std::nullopt;
  return read_number(found->second / (memory_v2_ ? "memory.peak" : "memory.max_usage_in_bytes"));
}

std::optional<std::uint64_t> Cgroup::memory_bytes() const {
  const auto found = directories_.find("memory");
  if (found == directories_.end()) return std::nullopt;
  return read_number(found->second / (memory_v2_ ? "memory.current" : "memory.usage_in_bytes"));
}

std::uint64_t Cgroup::out_of_memory_kills() const {
  const auto found = directories_.find("memory");
  if (found == directories_.end()) return 0;
  const char* file = memory_v2_ ? "memory.events" : "memory.oom_control";
  return read_entry(found->second / file, "oom_kill").value_or(0);
}

void Cgroup::kill_all() const {
  for (const auto& [controller, directory] : directories_) {
    write_text(directory / "cgroup.kill", "1");
    for (const pid_t pid : members(directory)) ::kill(pid, SIGKILL);
  }
}

// ---- The tree

CgroupTree::CgroupTree(const Files& files) {
  const auto mounts = cgroup_mounts(files.mountinfo);
  std::ifstream own(files.self_cgroup);
  for (std::string line; std::getline(own, line);) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string path = line.substr(second + 1);
    for (const auto& mount : mounts) {
      if (controllers.empty() && mount.type == "cgroup2") find_v2(directory_of(mount, path));
      if (controllers.empty() || mount.type != "cgroup") continue;
      for (const auto& controller : split(controllers, ',')) {
        if (mount.options.contains(controller)) find_v1(controller, directory_of(mount, path));
      }
    }
  }
  for (const char* controller : {"memory", "cpu", "pids"}) {
    if (!has(controller))
      missing_.try_emplace(controller, "the kernel offers no such controller");
    else
      missing_.erase(controller);
  }
}

void CgroupTree::find_v1(const std::string& controller, const fs::path& directory) {
  static const std::set<std::string> k_wanted{"memory", "cpu", "cpuacct", "pids"};
  if (!k_wanted.contains(controller)) return;
  const fs::path probe = directory / (owner_prefix() + ".probe-" + controller);
  if (::mkdir(probe.c_str(), 0755) != 0 && errno != EEXIST) {
    missing_[controller] = fmt::format("no group can be made in {}: {}", directory.string(),
                                       std::generic_category().message(errno));
    return;
  }
  ::rmdir(probe.c_str());
  parents_[controller] = {directory, false};
}

// In version 2 a group either holds processes or divides its controllers among children. Ours
// holds at least this process, so it moves into a child first; only when nobody else is there, or
// when the group is the root of a container's own tree.
void CgroupTree::find_v2(const fs::path& own) {
  const std::string leaf = owner_prefix() + ".self";
  const fs::path parent = own.filename() == leaf ? own.parent_path() : own;
  std::set<std::string> offered;
  for (auto& name : split(trim(read_text(parent / "cgroup.controllers")), ' '))
    offered.insert(name);
  const std::vector<std::string> wanted{"memory", "cpu", "pids"};
  if (std::none_of(wanted.begin(), wanted.end(),
                   [&](const auto& name) { return offered.contains(name); })) {
    return;
  }
  const auto refuse = [&](const std::string& why) {
    for (const auto& name : wanted) missing_[name] = why;
  };
  const bool is_root = !fs::exists(parent / "cgroup.type");
  if (!is_root && parent == own) {
    auto inside = members(own);
    const bool alone = inside.size() == 1 && inside.front() == ::getpid();
    const bool namespace_root = own == "/sys/fs/cgroup";
    if (!alone && !namespace_root) {
      return refuse(
          fmt::format("{} holds other processes too; start Tarn in a group of its own: "
                      "systemd-run --scope -p Delegate=yes tarn up",
                      own.string()));
    }
    if (::mkdir((own / leaf).c_str(), 0755) != 0 && errno != EEXIST) {
      return refuse(fmt::format("no group can be made in {}: {}", own.string(),
                                std::generic_category().message(errno)));
    }
    for (const pid_t pid : inside) {
      write_text(own / leaf / "cgroup.procs", std::to_string(pid));
    }
  }
  for (const auto& name : wanted) {
    if (!offered.contains(name)) continue;
    if (const int error = write_text(parent / "cgroup.subtree_control", "+" + name); error != 0) {
      missing_[name] = fmt::format("{} cannot be divided: {}", parent.string(),
                                   std::generic_category().message(error));
      continue;
    }
    parents_[name] = {parent, true};
  }
}

std::vector<fs::path> CgroupTree::parents() const {
  std::set<fs::path> all;
  for (const auto& [controller, parent] : parents_) all.insert(parent.directory);
  return {all.begin(), all.end()};
}

std::unique_ptr<Cgroup> CgroupTree::create(const std::string& suffix, const Limits& limits) const {
  std::unique_ptr<Cgroup> group(new Cgroup());
  const std::string name = owner_prefix() + "." + suffix;
  for (const auto& [controller, parent] : parents_) {
    const fs::path directory = parent.directory / name;
    if (::mkdir(directory.c_str(), 0755) != 0 && errno != EEXIST) {
      throw SandboxError(fmt::format("cannot make the control group {}: {}", directory.string(),
                                     std::generic_category().message(errno)));
    }
    group->directories_[controller] = directory;
    if (controller == "memory") group->memory_v2_ = parent.v2;
    if (controller == "cpu") group->cpu_v2_ = parent.v2;
  }
  apply(*group, limits);
  return group;
}

void CgroupTree::apply(const Cgroup& group, const Limits& limits) const {
  const auto set = [&](const char* controller, const char* file, const std::string& value,
                       bool required = true) {
    const fs::path path = group.directories_.at(controller) / file;
    const int error = write_text(path, value);
    if (error != 0 && required) {
      throw SandboxError(fmt::format("cannot write {} to {}: {}", value, path.string(),
                                     std::generic_category().message(error)));
    }
  };
  if (limits.memory_bytes && has("memory")) {
    const std::string bytes = std::to_string(*limits.memory_bytes);
    set("memory", group.memory_v2_ ? "memory.max" : "memory.limit_in_bytes", bytes);
    // Without swap: a job that is too large shall end, not crawl. Absent where swap is not counted.
    if (group.memory_v2_)
      set("memory", "memory.swap.max", "0", false);
    else
      set("memory", "memory.memsw.limit_in_bytes", bytes, false);
  }
  if (limits.cpus && has("cpu")) {
    const auto quota = std::max<std::int64_t>(1000, std::llround(*limits.cpus * k_period_us));
    if (group.cpu_v2_) {
      set("cpu", "cpu.max", fmt::format("{} {}", quota, k_period_us));
    } else {
      set("cpu", "cpu.cfs_period_us", std::to_string(k_period_us));
      set("cpu", "cpu.cfs_quota_us", std::to_string(quota));
    }
  }
  if (limits.pids && has("pids")) set("pids", "pids.max", std::to_string(*limits.pids));
}

std::size_t CgroupTree::sweep(const std::vector<fs::path>& parents) {
  std::size_t removed = 0;
  for (const auto& parent : parents) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(parent, error)) {
      const std::string name = entry.path().filename();
      if (!name.starts_with("tarn.") || owner_is_alive(name)) continue;
      if (end_group(entry.path())) ++removed;
    }
  }
  return removed;
}

}  // namespace tarn::sandbox
