// SPDX-License-Identifier: Apache-2.0
#include "engines/sandbox/launch.hpp"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <sstream>

#include "base/strings.hpp"
#include "engines/sandbox/tree.hpp"

namespace tarn::sandbox {
namespace {

namespace fs = std::filesystem;
using init::Field;

// Bounding set of a job's user 0, as for containers elsewhere; never the administration of the
// host. Inside a user namespace they reach no further than the job.
constexpr const char* k_capabilities[] = {
    "CAP_CHOWN",  "CAP_DAC_OVERRIDE", "CAP_FOWNER",           "CAP_FSETID",     "CAP_KILL",
    "CAP_SETGID", "CAP_SETUID",       "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_SETFCAP"};

// What of /proc tells of, or changes, the host. A job's user 0 may be the host's by number.
constexpr const char* k_proc_read_only[] = {"/proc/sys", "/proc/bus", "/proc/irq", "/proc/fs"};
constexpr const char* k_proc_hidden_directories[] = {"/proc/acpi", "/proc/scsi", "/proc/driver"};
constexpr const char* k_proc_hidden_files[] = {
    "/proc/kcore",       "/proc/keys",          "/proc/timer_list", "/proc/latency_stats",
    "/proc/sched_debug", "/proc/sysrq-trigger", "/proc/mtrr"};

constexpr std::size_t k_mount_options_max = 4000;  // the kernel takes one page

std::string read_text(const fs::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// An absolute path without "." and "..", below "/".
std::string checked_target(const std::string& target) {
  if (!target.starts_with('/')) {
    throw SandboxError(fmt::format("mount target '{}' is not absolute", target));
  }
  std::vector<std::string> parts;
  for (auto& part : split(target, '/')) {
    if (part.empty()) continue;
    if (part == "." || part == "..") {
      throw SandboxError(fmt::format("mount target '{}' holds '{}'", target, part));
    }
    parts.push_back(std::move(part));
  }
  if (parts.empty()) throw SandboxError("nothing can be mounted at '/': that is the root's place");
  return "/" + join(parts, "/");
}

// overlayfs separates directories by ':' and options by ','.
std::string overlay_escape(const fs::path& path) {
  std::string escaped;
  for (const char c : path.string()) {
    if (c == ':' || c == ',' || c == '\\') escaped.push_back('\\');
    escaped.push_back(c);
  }
  return escaped;
}

std::string host_name(const std::string& name) {
  std::string host;
  for (const char c : name) {
    host.push_back(std::isalnum(static_cast<unsigned char>(c)) ? c : '-');
    if (host.size() == 60) break;
  }
  while (host.starts_with('-')) host.erase(0, 1);
  return host.empty() ? "sandbox" : host;
}

class Planner {
 public:
  Planner(const JobSpec& job, const LaunchEnvironment& environment)
      : job_(job),
        environment_(environment),
        home_(environment.job_directory) {}

  LaunchPlan run() {
    check();
    make_skeleton();
    field(Field::parent_pid, std::to_string(::getpid()));
    field(Field::namespaces, std::string(1, static_cast<char>(environment_.namespaces)));
    for (const auto& file : environment_.cgroup_procs) field(Field::cgroup_procs, file);
    plan_root();
    plan_layers();
    plan_proc();
    plan_command();
    return {std::move(spec_)};
  }

 private:
  void field(Field field, std::string_view bytes) { init::append_field(spec_, field, bytes); }

  void bubblewrap(std::initializer_list<std::string_view> arguments) {
    for (const auto argument : arguments) field(Field::bubblewrap, argument);
  }

  void check() {
    if (job_.command.empty()) throw SandboxError("there is no command to run");
    if (!fs::is_directory(job_.root)) {
      throw SandboxError(fmt::format(
          "the root directory '{}' does not exist; `./dev setup` makes it", job_.root.string()));
    }
    if (job_.listeners.size() > init::k_listeners_max) {
      throw SandboxError(fmt::format("more than {} listeners", init::k_listeners_max));
    }
    if (job_.network == Network::host && !job_.listeners.empty()) {
      throw SandboxError("listeners need a network of the job's own; see listen_on_host");
    }
    for (const auto& layer : job_.layers) {
      if (!fs::is_directory(layer.source)) {
        throw SandboxError(fmt::format("the layer '{}' does not exist", layer.source.string()));
      }
      targets_.push_back(checked_target(layer.target));
    }
    // Below another layer's target, that layer's links would decide where the mount ends up.
    for (const auto& inner : targets_) {
      for (const auto& outer : targets_) {
        if (inner.starts_with(outer + "/")) {
          throw SandboxError(fmt::format("layer target '{}' lies below '{}'", inner, outer));
        }
      }
    }
    for (const auto& [name, value] : job_.environment) {
      if (name.empty() || name.find('=') != std::string::npos ||
          name.find('\0') != std::string::npos || value.find('\0') != std::string::npos) {
        throw SandboxError(fmt::format("'{}' cannot be an environment variable", name));
      }
    }
  }

  // The topmost read-only layer of the root: places to mount on, and files of this job.
  void make_skeleton() {
    const fs::path skeleton = home_ / "skeleton";
    fs::create_directory(skeleton);
    ::chmod(skeleton.c_str(), 0755);
    TreeWriter tree(skeleton);
    const auto place = [&](const std::string& target) {
      refuse_links(target);
      if (!fs::is_directory(job_.root / target.substr(1))) tree.make_directory(target.substr(1));
    };
    for (const auto& target : targets_) place(target);
    for (const auto& scratch : job_.scratch) place(checked_target(scratch.target));
    for (const auto& shared : job_.shared) place(checked_target(shared.target));
    for (const char* target : {"/proc", "/dev", "/tmp"}) place(target);
    const std::string host = host_name(job_.name);
    tree.write_file("etc/hosts", "127.0.0.1 localhost " + host + "\n", 0644);
    tree.write_file("etc/hostname", host + "\n", 0644);
    if (job_.network == Network::host) {
      tree.write_file("etc/resolv.conf", read_text("/etc/resolv.conf"), 0644);
    }
    if (!job_.user.name.empty()) add_user(tree);
    for (const auto& file : job_.files) {
      tree.write_file(checked_target(file.target).substr(1), file.content, file.mode);
    }
  }

  // A directory made over a link of the root would hide what the link leads to.
  void refuse_links(const std::string& target) const {
    fs::path path = job_.root;
    for (const auto& part : split(target.substr(1), '/')) {
      path /= part;
      if (fs::is_symlink(path)) {
        throw SandboxError(
            fmt::format("mount target '{}' goes through a link of the root", target));
      }
    }
  }

  void add_user(TreeWriter& tree) const {
    std::string users = read_text(job_.root / "etc/passwd");
    std::string groups = read_text(job_.root / "etc/group");
    const User& user = job_.user;
    if (users.find(fmt::format(":{}:", user.uid)) == std::string::npos) {
      users += fmt::format("{}:x:{}:{}::{}:/bin/sh\n", user.name, user.uid, user.gid, user.home);
      tree.write_file("etc/passwd", users, 0644);
    }
    if (groups.find(fmt::format(":{}:", user.gid)) == std::string::npos) {
      groups += fmt::format("{}:x:{}:\n", user.name, user.gid);
      tree.write_file("etc/group", groups, 0644);
    }
  }

  void overlay(const fs::path& target, const std::string& options) {
    if (options.size() > k_mount_options_max) {
      throw SandboxError("too many layers, or too long paths, on one target");
    }
    field(Field::overlay, target.string() + '\0' + options);
  }

  fs::path make(const std::string& name, mode_t mode = 0755) {
    const fs::path path = home_ / name;
    fs::create_directory(path);
    ::chmod(path.c_str(), mode);
    return path;
  }

  void plan_root() {
    const fs::path root = make("root");
    std::string options = "lowerdir=" + overlay_escape(home_ / "skeleton") + ":" +
                          overlay_escape(fs::canonical(job_.root));
    if (job_.root_writable) {
      // Overlay keeps its notes in attributes that user namespaces allow.
      options += ",upperdir=" + overlay_escape(make("upper")) +
                 ",workdir=" + overlay_escape(make("work")) + ",userxattr";
    }
    overlay(root, options);
    bubblewrap({environment_.bubblewrap.string(), "--unshare-pid", "--unshare-ipc", "--unshare-uts",
                "--unshare-cgroup-try", "--hostname", host_name(job_.name), "--die-with-parent",
                "--as-pid-1", "--chdir", "/", "--cap-drop", "ALL"});
    for (const char* capability : k_capabilities) bubblewrap({"--cap-add", capability});
    if (job_.network == Network::isolated) bubblewrap({"--unshare-net"});
    if (environment_.namespaces == init::Namespaces::user_single &&
        (job_.user.uid != 0 || job_.user.gid != 0)) {
      bubblewrap({"--unshare-user", "--uid", std::to_string(job_.user.uid), "--gid",
                  std::to_string(job_.user.gid)});
    }
    bubblewrap({job_.root_writable ? "--bind" : "--ro-bind", root.string(), "/"});
  }

  void plan_layers() {
    std::vector<std::string> done;
    for (const auto& target : targets_) {
      if (std::find(done.begin(), done.end(), target) != done.end()) continue;
      done.push_back(target);
      std::vector<fs::path> stack;  // the topmost first, as overlayfs wants it
      for (std::size_t i = targets_.size(); i-- > 0;) {
        if (targets_[i] == target) stack.push_back(fs::canonical(job_.layers[i].source));
      }
      const bool writable =
          std::any_of(job_.layers.begin(), job_.layers.end(), [&](const LayerMount& layer) {
            return layer.writable && checked_target(layer.target) == target;
          });
      fs::path source = stack.front();
      if (stack.size() > 1 || writable) source = stack_layers(stack, done.size(), writable);
      bubblewrap({writable ? "--bind" : "--ro-bind", source.string(), target});
    }
    for (const auto& shared : job_.shared) {
      bubblewrap({"--bind", shared.source.string(), checked_target(shared.target)});
    }
    for (std::size_t i = 0; i < job_.scratch.size(); ++i) plan_scratch(job_.scratch[i], i);
  }

  fs::path stack_layers(const std::vector<fs::path>& stack, std::size_t number, bool writable) {
    fs::path target = make(fmt::format("stack-{}", number));
    std::string options = "lowerdir=";
    for (std::size_t i = 0; i < stack.size(); ++i) {
      if (i > 0) options += ":";
      options += overlay_escape(stack[i]);
    }
    if (writable) {
      options += ",upperdir=" + overlay_escape(make(fmt::format("stack-{}-upper", number))) +
                 ",workdir=" + overlay_escape(make(fmt::format("stack-{}-work", number))) +
                 ",userxattr";
    }
    overlay(target, options);
    return target;
  }

  void plan_scratch(const ScratchMount& scratch, std::size_t number) {
    const std::string target = checked_target(scratch.target);
    if (scratch.in_memory_bytes_max) {
      bubblewrap({"--perms", fmt::format("{:o}", scratch.mode), "--size",
                  std::to_string(*scratch.in_memory_bytes_max), "--tmpfs", target});
      return;
    }
    const fs::path source = make(fmt::format("scratch-{}", number), scratch.mode);
    if (environment_.namespaces != init::Namespaces::user_single) {
      [[maybe_unused]] const int ignored = ::chown(source.c_str(), job_.user.uid, job_.user.gid);
    }
    bubblewrap({"--bind", source.string(), target});
  }

  void plan_proc() {
    bubblewrap({"--proc", "/proc", "--dev", "/dev"});
    for (const char* path : k_proc_read_only) {
      if (fs::exists(path)) bubblewrap({"--ro-bind", path, path});
    }
    for (const char* path : k_proc_hidden_directories) {
      if (fs::exists(path)) bubblewrap({"--tmpfs", path, "--remount-ro", path});
    }
    for (const char* path : k_proc_hidden_files) {
      if (fs::exists(path)) bubblewrap({"--ro-bind", "/dev/null", path});
    }
    bubblewrap({"--", fmt::format("/proc/self/fd/{}", init::k_self_fd), "--inside"});
  }

  void limit(int resource, std::uint64_t value) {
    field(Field::resource_limit, std::to_string(resource) + '\0' + std::to_string(value));
  }

  void plan_command() {
    for (const auto& listener : job_.listeners) {
      field(Field::listener, listener.address + '\0' + std::to_string(listener.port));
    }
    field(Field::uid, std::to_string(job_.user.uid));
    field(Field::gid, std::to_string(job_.user.gid));
    field(Field::working_directory, job_.working_directory);
    for (const auto& argument : job_.command) field(Field::argument, argument);
    auto variables = job_.environment;
    variables.try_emplace("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    variables.try_emplace("HOME", job_.user.home);
    for (const auto& [name, value] : variables) field(Field::environment, name + "=" + value);
    plan_limits();
  }

  void plan_limits() {
    const Limits& limits = job_.limits;
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    limit(RLIMIT_NOFILE, std::min<std::uint64_t>(limits.open_files, files.rlim_max));
    limit(RLIMIT_CORE, 0);
    if (limits.file_size_bytes) limit(RLIMIT_FSIZE, *limits.file_size_bytes);
    if (limits.memory_bytes && environment_.limit_memory_by_process) {
      limit(RLIMIT_DATA, *limits.memory_bytes);
    }
    if (limits.pids && environment_.limit_pids_by_user) limit(RLIMIT_NPROC, *limits.pids);
  }

  const JobSpec& job_;
  const LaunchEnvironment& environment_;
  const fs::path home_;
  std::vector<std::string> targets_;  // of job_.layers, normalised
  std::string spec_;
};

}  // namespace

LaunchPlan plan_launch(const JobSpec& spec, const LaunchEnvironment& environment) {
  return Planner(spec, environment).run();
}

}  // namespace tarn::sandbox
