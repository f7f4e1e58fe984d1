// SPDX-License-Identifier: Apache-2.0
#include "engines/sandbox/sandbox.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdlib>
#include <fstream>
#include <map>
#include <mutex>
#include <sstream>

#include "base/log.hpp"
#include "base/strings.hpp"
#include "engines/sandbox/cgroup.hpp"
#include "engines/sandbox/launch.hpp"
#include "engines/sandbox/poller.hpp"
#include "engines/sandbox/process.hpp"
#include "engines/sandbox/tree.hpp"

namespace tarn::sandbox {
namespace {

namespace fs = std::filesystem;

std::string read_text(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

fs::path find_on_path(const std::string& program) {
  const char* path = std::getenv("PATH");
  for (const auto& directory : split(path ? path : "/usr/bin:/bin", ':')) {
    const fs::path candidate = fs::path(directory) / program;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return {};
}

int run_to_end(const fs::path& program, std::string argument) {
  std::string name = program.string();
  char* arguments[] = {name.data(), argument.data(), nullptr};
  pid_t pid = 0;
  if (::posix_spawn(&pid, name.c_str(), nullptr, nullptr, arguments, environ) != 0) return -1;
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
  return status;
}

}  // namespace

struct Sandbox::Impl {
  Impl(SandboxOptions given, Executor& executor_given)
      : options(std::move(given)),
        executor(executor_given) {
    if (options.init_program.empty()) {
      options.init_program = fs::read_symlink("/proc/self/exe").parent_path() / "sandbox-init";
    }
    if (::access(options.init_program.c_str(), X_OK) != 0) {
      throw SandboxError(options.init_program.string() + " is missing: build Tarn completely");
    }
    if (options.bubblewrap.empty()) options.bubblewrap = find_on_path("bwrap");
    if (options.bubblewrap.empty()) {
      throw SandboxError("bwrap is missing; install it: apt-get install bubblewrap");
    }
    // Jobs of other users must be able to reach the directories mounted for them.
    fs::create_directories(options.directory);
    options.directory = fs::canonical(options.directory);
    choose_namespaces();
    sweep();
  }

  void choose_namespaces() {
    const bool root = ::geteuid() == 0;
    user_namespaces = run_to_end(options.init_program, "--probe-user-namespace") == 0;
    if (root) {
      namespaces = user_namespaces ? init::Namespaces::user_identity : init::Namespaces::none;
    } else {
      namespaces = init::Namespaces::user_single;
    }
  }

  // What a Tarn that was killed left behind.
  void sweep() {
    const fs::path jobs = options.directory / "jobs";
    const fs::path list = options.directory / "cgroup-parents";
    std::vector<fs::path> parents = cgroups.parents();
    std::ifstream file(list);
    for (std::string line; std::getline(file, line);) {
      if (!line.empty()) parents.emplace_back(line);
    }
    if (const auto count = CgroupTree::sweep(parents); count > 0) {
      log::info("sandbox", "removed {} control groups of an earlier run", count);
    }
    if (fs::exists(jobs)) remove_tree(jobs);
    fs::create_directories(jobs);
    std::ofstream remembered(list, std::ios::trunc);
    for (const auto& parent : cgroups.parents()) remembered << parent.string() << "\n";
  }

  // Not where nothing could be limited or counted anyway.
  std::unique_ptr<Cgroup> make_cgroup(const std::string& name, const Limits& limits) const {
    return cgroups.parents().empty() ? nullptr : cgroups.create(name, limits);
  }

  std::shared_ptr<JobProcess> prepare(JobSpec& spec, const std::string& number) {
    const std::string id = "job-" + number;
    const fs::path directory = options.directory / "jobs" / id;
    fs::create_directory(directory);
    ::chmod(directory.c_str(), 0755);
    JobProcess::Parts parts;
    try {
      parts.cgroup = make_cgroup(number, spec.limits);
      LaunchEnvironment environment;
      environment.bubblewrap = options.bubblewrap;
      environment.job_directory = directory;
      environment.namespaces = namespaces;
      if (parts.cgroup) environment.cgroup_procs = parts.cgroup->procs_files();
      environment.limit_memory_by_process = !cgroups.has("memory");
      environment.limit_pids_by_user = !cgroups.has("pids");
      parts.launch_spec = plan_launch(spec, environment).spec;
    } catch (...) {
      remove_tree(directory);
      throw;
    }
    parts.id = id;
    parts.init_program = options.init_program;
    parts.directory = directory;
    parts.standard_input = std::move(spec.standard_input);
    parts.output = std::move(spec.output);
    parts.listener_count = spec.listeners.size();
    parts.wall_time = spec.limits.wall_time;
    parts.memory_limited = spec.limits.memory_bytes.has_value() && cgroups.has("memory");
    parts.gone = [this](const std::string& gone) { forget(gone); };
    return std::make_shared<JobProcess>(std::move(parts), poller, executor);
  }

  void forget(const std::string& id) {
    std::lock_guard lock(mutex);
    processes.erase(id);
    changed.notify_all();
  }

  SandboxOptions options;
  Executor& executor;
  CgroupTree cgroups;
  bool user_namespaces = false;
  init::Namespaces namespaces = init::Namespaces::none;

  std::mutex mutex;
  std::condition_variable changed;
  std::uint64_t next_number = 1;
  bool stopping = false;
  std::map<std::string, std::shared_ptr<JobProcess>> processes;
  Poller poller;  // last: its thread uses the rest
};

Sandbox::Sandbox(SandboxOptions options, Executor& executor)
    : impl_(std::make_unique<Impl>(std::move(options), executor)) {}

Sandbox::~Sandbox() {
  std::unique_lock lock(impl_->mutex);
  impl_->stopping = true;
  for (const auto& [id, process] : impl_->processes) process->kill();
  impl_->changed.wait(lock, [&] { return impl_->processes.empty(); });
}

std::shared_ptr<Process> Sandbox::start(JobSpec spec) {
  std::string number;
  {
    std::lock_guard lock(impl_->mutex);
    if (impl_->stopping) throw SandboxError("Tarn is shutting down");
    number = std::to_string(impl_->next_number++);
  }
  auto process = impl_->prepare(spec, number);
  {
    std::lock_guard lock(impl_->mutex);
    impl_->processes[process->id()] = process;
  }
  impl_->poller.post([process] { process->spawn(); });
  return process;
}

std::vector<Finding> Sandbox::doctor() {
  std::vector<Finding> findings;
  findings.push_back({"bubblewrap", true, impl_->options.bubblewrap.string(), ""});
  const bool root = ::geteuid() == 0;
  findings.push_back({"user namespaces", impl_->user_namespaces,
                      impl_->user_namespaces ? "available"
                      : root                 ? "not allowed; jobs run with fewer barriers"
                                             : "not allowed; no job can run",
                      impl_->user_namespaces
                          ? ""
                          : "sysctl kernel.unprivileged_userns_clone=1, or, on Ubuntu, "
                            "kernel.apparmor_restrict_unprivileged_userns=0"});
  for (const std::string controller : {"memory", "cpu", "pids"}) {
    const auto missing = impl_->cgroups.missing().find(controller);
    const bool ok = missing == impl_->cgroups.missing().end();
    const std::string instead = controller == "cpu" ? "processor time is not limited"
                                                    : "limited per process instead (setrlimit)";
    findings.push_back({controller + " limits", ok,
                        ok ? "control groups" : missing->second + "; " + instead,
                        ok ? ""
                           : "start Tarn as root, or in a delegated group: "
                             "systemd-run --user --scope -p Delegate=yes tarn up"});
  }
  const fs::path base = default_root();
  findings.push_back({"base root", !base.empty(), base.empty() ? "not made" : base.string(),
                      base.empty() ? "./dev setup" : ""});
  JobSpec trial;
  trial.name = "doctor";
  trial.root = impl_->options.directory / "doctor-root";
  fs::create_directories(trial.root);
  trial.files.push_back({"/hello", read_text(impl_->options.init_program), 0755});
  trial.root_writable = true;  // not every file system can carry that
  trial.command = {"/hello", "--hello"};
  trial.limits.wall_time = std::chrono::seconds(10);
  Finding finding{"a job", false, "", "see the lines above"};
  try {
    const auto process = start(std::move(trial));
    const TaskContext context{&impl_->executor, {}};
    const ExitStatus status = sync_wait(context, process->wait());
    finding.ok = status.ok();
    finding.detail = status.ok() ? fmt::format("ran in {} ms", status.usage.wall.count())
                                 : fmt::format("exit {}: {}", status.code, status.failure);
  } catch (const std::exception& error) {
    finding.detail = error.what();
  }
  if (finding.ok) finding.remedy.clear();
  findings.push_back(std::move(finding));
  return findings;
}

fs::path default_root() {
  const char* cache = std::getenv("TARN_CACHE");
  const char* home = std::getenv("HOME");
  fs::path base;
  if (cache && *cache)
    base = cache;
  else if (home && *home)
    base = fs::path(home) / ".cache/tarn";
  else
    return {};
  std::error_code ignored;
  const fs::path root = fs::canonical(base / "roots/current", ignored);
  return ignored ? fs::path() : root;
}

Fd listen_on_host(const std::string& address, std::uint16_t port, std::uint16_t& bound_port) {
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_port = htons(port);
  socklen_t size = sizeof where;
  const int on = 1;
  if (!fd || ::inet_pton(AF_INET, address.c_str(), &where.sin_addr) != 1 ||
      ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      ::bind(fd.get(), reinterpret_cast<sockaddr*>(&where), size) != 0 ||
      ::listen(fd.get(), 512) != 0 ||
      ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&where), &size) != 0) {
    throw SandboxError(fmt::format("cannot listen on {}:{}: {}", address, port,
                                   std::generic_category().message(errno)));
  }
  bound_port = ntohs(where.sin_port);
  return fd;
}

}  // namespace tarn::sandbox
