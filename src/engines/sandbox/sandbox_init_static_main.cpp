// SPDX-License-Identifier: Apache-2.0
// The first process of every sandbox (see init_protocol.hpp for its two stages).
//
// It is linked statically because it runs inside roots that have no libraries of ours, and is
// handed in as an open file, so that jobs find no trace of it. Everything dies with Tarn: each
// stage asks for SIGKILL at its parent's death, and process 1 also ends when its control socket
// closes; the end of process 1 ends all others of its process namespace.
#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "engines/sandbox/init_protocol.hpp"

namespace {

using namespace tarn::sandbox::init;  // the protocol is this program's only vocabulary

void report(Report kind, std::string_view text = {}) {
  std::string packet(1, static_cast<char>(kind));
  packet.append(text);
  send(k_control_fd, packet.data(), packet.size(), MSG_NOSIGNAL);
}

[[noreturn]] void fail(const std::string& what, int error = errno) {
  report(Report::failed, error == 0 ? what : what + ": " + strerror(error));
  _exit(k_exit_not_started);
}

struct Spec {
  pid_t parent = 0;
  Namespaces namespaces = Namespaces::none;
  std::vector<std::string> cgroup_procs, overlays, bubblewrap, listeners, arguments, environment,
      resource_limits;
  std::string working_directory = "/";
  uid_t uid = 0;
  gid_t gid = 0;
};

unsigned long number(std::string_view text) {
  return strtoul(std::string(text).c_str(), nullptr, 10);
}

Spec read_spec() {
  struct stat info {};
  if (fstat(k_spec_fd, &info) != 0) fail("the specification is missing");
  std::string text(static_cast<std::size_t>(info.st_size), '\0');
  const ssize_t got = pread(k_spec_fd, text.data(), text.size(), 0);
  if (got != info.st_size) fail("the specification cannot be read");
  Spec spec;
  const bool whole = for_each_field(text, [&](Field field, std::string_view bytes) {
    switch (field) {
      case Field::parent_pid: spec.parent = static_cast<pid_t>(number(bytes)); break;
      case Field::namespaces: spec.namespaces = static_cast<Namespaces>(bytes.at(0)); break;
      case Field::cgroup_procs: spec.cgroup_procs.emplace_back(bytes); break;
      case Field::overlay: spec.overlays.emplace_back(bytes); break;
      case Field::bubblewrap: spec.bubblewrap.emplace_back(bytes); break;
      case Field::listener: spec.listeners.emplace_back(bytes); break;
      case Field::uid: spec.uid = static_cast<uid_t>(number(bytes)); break;
      case Field::gid: spec.gid = static_cast<gid_t>(number(bytes)); break;
      case Field::working_directory: spec.working_directory = bytes; break;
      case Field::argument: spec.arguments.emplace_back(bytes); break;
      case Field::environment: spec.environment.emplace_back(bytes); break;
      case Field::resource_limit: spec.resource_limits.emplace_back(bytes); break;
    }
  });
  if (!whole) fail("the specification is cut off", 0);
  return spec;
}

std::vector<char*> c_strings(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (auto& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

bool write_file(const std::string& path, std::string_view text) {
  const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool written = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int error = errno;
  close(fd);
  errno = error;
  return written;
}

void die_with_parent(pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(k_exit_not_started);  // it died before the line above
}

// ---- Stage one: outside

// "inside outside count" lines as they are in `path`, each id mapped to itself.
std::string identity_map(const char* path) {
  std::string lines;
  FILE* file = fopen(path, "re");
  if (!file) return "0 0 1";
  unsigned long inside = 0, outside = 0, count = 0;
  while (fscanf(file, "%lu %lu %lu", &inside, &outside, &count) == 3) {
    lines +=
        std::to_string(inside) + " " + std::to_string(inside) + " " + std::to_string(count) + "\n";
  }
  fclose(file);
  return lines;
}

// Only a process of the parent namespace may map more than one id: a child, forked beforehand.
void enter_identity_user_namespace() {
  int ready[2];
  if (pipe2(ready, O_CLOEXEC) != 0) fail("pipe");
  const std::string uids = identity_map("/proc/self/uid_map");
  const std::string gids = identity_map("/proc/self/gid_map");
  const std::string self = "/proc/" + std::to_string(getpid());
  const pid_t helper = fork();
  if (helper < 0) fail("fork");
  if (helper == 0) {
    close(ready[1]);
    char byte = 0;
    if (read(ready[0], &byte, 1) != 1) _exit(1);
    _exit(write_file(self + "/uid_map", uids) && write_file(self + "/gid_map", gids) ? 0 : 1);
  }
  close(ready[0]);
  if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) fail("cannot make a user namespace");
  if (write(ready[1], "x", 1) != 1) fail("pipe");
  close(ready[1]);
  int status = 0;
  while (waitpid(helper, &status, 0) < 0 && errno == EINTR) {}
  if (status != 0) fail("cannot map user ids", 0);
}

void enter_single_user_namespace() {
  const std::string uid = std::to_string(geteuid());
  const std::string gid = std::to_string(getegid());
  if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) fail("cannot make a user namespace");
  write_file("/proc/self/setgroups", "deny");
  if (!write_file("/proc/self/uid_map", "0 " + uid + " 1") ||
      !write_file("/proc/self/gid_map", "0 " + gid + " 1")) {
    fail("cannot map user ids");
  }
}

void enter_namespaces(Namespaces kind) {
  switch (kind) {
    case Namespaces::user_identity: enter_identity_user_namespace(); break;
    case Namespaces::user_single: enter_single_user_namespace(); break;
    case Namespaces::none:
      if (unshare(CLONE_NEWNS) != 0) fail("cannot make a mount namespace");
      break;
  }
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) fail("mount /");
}

[[noreturn]] void run_outside() {
  // Whatever Tarn has open stays outside.
  syscall(SYS_close_range, k_self_fd + 1, ~0U, 0);
  Spec spec = read_spec();
  die_with_parent(spec.parent);
  for (const auto& file : spec.cgroup_procs) {
    if (!write_file(file, "0")) fail("cannot join " + file);
  }
  enter_namespaces(spec.namespaces);
  die_with_parent(spec.parent);  // new credentials may have cleared it
  for (const auto& overlay : spec.overlays) {
    const auto split = overlay.find('\0');
    const std::string target = overlay.substr(0, split);
    if (mount("overlay", target.c_str(), "overlay", 0, overlay.c_str() + split + 1) != 0) {
      fail("cannot stack the layers (overlayfs)");
    }
  }
  auto arguments = c_strings(spec.bubblewrap);
  char* no_environment[] = {nullptr};
  execve(arguments[0], arguments.data(), no_environment);
  fail("cannot run " + spec.bubblewrap.front());
}

// ---- Stage two: inside, as process 1

int open_listener(const std::string& text) {
  const auto split = text.find('\0');
  const std::string address = text.substr(0, split);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) fail("socket");
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_port = htons(static_cast<std::uint16_t>(number(text.substr(split + 1))));
  if (inet_pton(AF_INET, address.c_str(), &where.sin_addr) != 1) {
    fail("'" + address + "' is no IPv4 address", 0);
  }
  if (bind(fd, reinterpret_cast<sockaddr*>(&where), sizeof where) != 0 || listen(fd, 512) != 0) {
    const int error = errno;
    fail("cannot listen on " + address + ":" + text.substr(split + 1), error);
  }
  return fd;
}

void pass_listeners(const std::vector<std::string>& listeners) {
  if (listeners.empty()) return;
  std::vector<int> fds;
  for (const auto& listener : listeners) fds.push_back(open_listener(listener));
  char kind = static_cast<char>(Report::listeners);
  iovec data{&kind, 1};
  alignas(cmsghdr) char buffer[CMSG_SPACE(sizeof(int) * k_listeners_max)] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = buffer;
  message.msg_controllen = CMSG_SPACE(sizeof(int) * fds.size());
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int) * fds.size());
  std::memcpy(CMSG_DATA(header), fds.data(), sizeof(int) * fds.size());
  if (sendmsg(k_control_fd, &message, MSG_NOSIGNAL) < 0) fail("cannot pass the listeners");
  for (const int fd : fds) close(fd);
}

// ---- System calls that no job has

// What administers a machine. A job's user 0 may be the host's by number, and a namespace of its
// own would give it capabilities again: it could mount the control groups and lift its limits.
constexpr int k_denied_calls[] = {
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_move_mount,
    SYS_open_tree,
    SYS_fsopen,
    SYS_fsconfig,
    SYS_fsmount,
    SYS_fspick,
    SYS_mount_setattr,
    SYS_setns,
    SYS_swapon,
    SYS_swapoff,
    SYS_reboot,
    SYS_kexec_load,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_bpf,
    SYS_perf_event_open,
    SYS_userfaultfd,
    SYS_add_key,
    SYS_request_key,
    SYS_keyctl,
    SYS_io_uring_setup,
    SYS_io_uring_enter,
    SYS_quotactl,
    SYS_acct,
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_sethostname,
    SYS_setdomainname,
    SYS_syslog,
    SYS_open_by_handle_at,
#ifdef SYS_kexec_file_load
    SYS_kexec_file_load,
#endif
#ifdef SYS_iopl
    SYS_iopl,
    SYS_ioperm,
#endif
};
constexpr unsigned k_new_namespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                      CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
#ifdef __x86_64__
constexpr unsigned k_architecture = AUDIT_ARCH_X86_64;
#else
constexpr unsigned k_architecture = AUDIT_ARCH_AARCH64;
#endif

// The filter of this process and all that come of it; it cannot be taken off again.
bool deny_administration() {
  constexpr auto statement = [](unsigned code, unsigned value) {
    return sock_filter(BPF_STMT(static_cast<unsigned short>(code), value));
  };
  constexpr auto jump = [](unsigned code, std::size_t value, std::size_t yes, std::size_t no) {
    return sock_filter(BPF_JUMP(static_cast<unsigned short>(BPF_JMP | code | BPF_K),
                                static_cast<unsigned>(value), static_cast<unsigned char>(yes),
                                static_cast<unsigned char>(no)));
  };
  constexpr unsigned load = BPF_LD | BPF_W | BPF_ABS, answer = BPF_RET | BPF_K;
  const auto refuse = [&](int error) { return statement(answer, SECCOMP_RET_ERRNO | error); };
  const sock_filter allow = statement(answer, SECCOMP_RET_ALLOW);

  std::vector<sock_filter> filter{
      statement(load, offsetof(seccomp_data, arch)),
      jump(BPF_JEQ, k_architecture, 1, 0),
      refuse(ENOSYS),  // 32-bit calls have other numbers
      statement(load, offsetof(seccomp_data, nr)),
      jump(BPF_JGE, 0x40000000, 0, 1),  // x32's too
      refuse(ENOSYS),
      jump(BPF_JEQ, SYS_clone3, 0, 1),  // its flags cannot be seen; libraries then use clone
      refuse(ENOSYS),
      jump(BPF_JEQ, SYS_clone, 1, 0),
      jump(BPF_JEQ, SYS_unshare, 0, 4),
      statement(load, offsetof(seccomp_data, args)),  // the low half: little endian
      jump(BPF_JSET, k_new_namespaces, 0, 1),
      refuse(EPERM),
      allow};
  for (const int call : k_denied_calls) {
    filter.push_back(jump(BPF_JEQ, static_cast<std::size_t>(call), 0, 1));
    filter.push_back(refuse(EPERM));
  }
  filter.push_back(allow);
  const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

// In the child: everything that must hold before the command's first instruction. Returns what
// failed; `errno` says why.
const char* become_the_job(const Spec& spec) {
  setsid();
  write_file("/proc/self/oom_score_adj", "500");  // it goes before process 1, and before Tarn
  for (const auto& limit : spec.resource_limits) {
    const auto split = limit.find('\0');
    const rlim_t value = number(limit.substr(split + 1));
    const rlimit both{value, value};
    if (setrlimit(static_cast<__rlimit_resource_t>(number(limit.substr(0, split))), &both) != 0) {
      return "a resource limit";
    }
  }
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  if (getuid() != spec.uid || getgid() != spec.gid) {
    // So that it may open /dev/stdout and /dev/stderr again.
    if (fchown(STDOUT_FILENO, spec.uid, spec.gid) != 0 ||
        fchown(STDERR_FILENO, spec.uid, spec.gid) != 0) {
      return "the owner of its output";
    }
    if (setgroups(0, nullptr) != 0 || setresgid(spec.gid, spec.gid, spec.gid) != 0 ||
        setresuid(spec.uid, spec.uid, spec.uid) != 0) {
      return "the user";
    }
  }
  if (chdir(spec.working_directory.c_str()) != 0) return "the working directory";
  // A kernel without filters (EINVAL) runs jobs behind the other barriers.
  if (!deny_administration() && errno != EINVAL) return "the filter of system calls";
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  return nullptr;
}

struct ExecFailure {
  int error = 0;
  char what[64] = {};
};

// The command's process, or its failure to become one, reported.
pid_t start_command(Spec& spec) {
  int failure_pipe[2];
  if (pipe2(failure_pipe, O_CLOEXEC) != 0) fail("pipe");
  const pid_t child = fork();
  if (child < 0) fail("fork");
  if (child == 0) {
    for (const int fd : {k_control_fd, k_spec_fd, k_self_fd}) close(fd);
    ExecFailure failure;
    const char* what = become_the_job(spec);
    if (!what) {
      auto environment = c_strings(spec.environment);
      auto arguments = c_strings(spec.arguments);
      environ = environment.data();
      execvp(arguments[0], arguments.data());
      what = "the command";
    }
    failure.error = errno;
    strncpy(failure.what, what, sizeof failure.what - 1);
    [[maybe_unused]] const auto n = write(failure_pipe[1], &failure, sizeof failure);
    _exit(failure.error == ENOENT ? 127 : 126);
  }
  close(failure_pipe[1]);
  ExecFailure failure;
  const ssize_t got = read(failure_pipe[0], &failure, sizeof failure);
  close(failure_pipe[0]);
  if (got > 0) {
    const bool command = std::string_view(failure.what) == "the command";
    report(Report::failed, (command ? "cannot run '" + spec.arguments.front() + "'"
                                    : std::string("cannot set ") + failure.what +
                                          (std::string_view(failure.what) == "the working directory"
                                               ? " '" + spec.working_directory + "'"
                                               : std::string())) +
                               ": " + strerror(failure.error));
    _exit(failure.error == ENOENT ? 127 : 126);
  }
  report(Report::started);
  return child;
}

void obey(pid_t command) {
  char order[2];
  const ssize_t got = recv(k_control_fd, order, sizeof order, MSG_DONTWAIT);
  if (got == 0) _exit(128 + SIGKILL);  // Tarn is gone; with us go all
  if (got != 2) return;
  const int signal = static_cast<unsigned char>(order[1]);
  kill(static_cast<Order>(order[0]) == Order::signal_all ? -1 : command, signal);
}

// Collects every child that ended; exits as the command did once that was among them.
void reap(pid_t command) {
  int status = 0;
  rusage usage{};
  for (pid_t pid; (pid = wait4(-1, &status, WNOHANG, &usage)) > 0;) {
    if (pid != command) continue;
    getrusage(RUSAGE_CHILDREN, &usage);
    const std::int64_t numbers[4] = {
        status, usage.ru_utime.tv_sec * 1'000'000LL + usage.ru_utime.tv_usec,
        usage.ru_stime.tv_sec * 1'000'000LL + usage.ru_stime.tv_usec, usage.ru_maxrss};
    report(Report::exited, {reinterpret_cast<const char*>(numbers), sizeof numbers});
    _exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
  }
}

[[noreturn]] void run_inside() {
  prctl(PR_SET_DUMPABLE, 0);  // no job may look into process 1
  sigset_t children;
  sigemptyset(&children);
  sigaddset(&children, SIGCHLD);
  sigprocmask(SIG_BLOCK, &children, nullptr);
  const int signals = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signals < 0) fail("signalfd");
  fcntl(k_control_fd, F_SETFD, FD_CLOEXEC);
  Spec spec = read_spec();
  pass_listeners(spec.listeners);
  const pid_t command = start_command(spec);
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO, k_spec_fd, k_self_fd}) close(fd);
  pollfd waits[] = {{k_control_fd, POLLIN, 0}, {signals, POLLIN, 0}};
  for (;;) {
    poll(waits, 2, -1);
    if (waits[0].revents != 0) obey(command);
    signalfd_siginfo ignored;
    while (read(signals, &ignored, sizeof ignored) > 0) {}
    reap(command);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view stage = argc > 1 ? argv[1] : "";
  if (stage == "--outside") run_outside();
  if (stage == "--inside") run_inside();
  // For `tarn doctor` and the choice of Namespaces.
  if (stage == "--probe-user-namespace") {
    return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 &&
                   mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0
               ? 0
               : 1;
  }
  if (stage == "--hello") return puts("hello") < 0 ? 1 : 0;
  fputs("sandbox-init is started by tarn, not by hand.\n", stderr);
  return 2;
}
