// SPDX-License-Identifier: Apache-2.0
#include "engines/sandbox/tree.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <vector>

#include "base/log.hpp"
#include "base/strings.hpp"

namespace tarn::sandbox {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void throw_errno(std::string_view name, std::string_view what) {
  throw std::system_error(errno, std::generic_category(), fmt::format("{} '{}'", what, name));
}

// Components of a name from outside, without "." and empty ones.
std::vector<std::string> components_of(std::string_view name) {
  if (name.starts_with('/')) {
    throw std::invalid_argument(fmt::format("'{}' is an absolute path", name));
  }
  std::vector<std::string> components;
  for (auto& part : split(name, '/')) {
    if (part == "..") throw std::invalid_argument(fmt::format("'{}' climbs out with '..'", name));
    if (!part.empty() && part != ".") components.push_back(std::move(part));
  }
  return components;
}

int open_beneath(int directory, const std::string& path) {
  open_how how{};
  how.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  return static_cast<int>(
      ::syscall(SYS_openat2, directory, path.empty() ? "." : path.c_str(), &how, sizeof how));
}

}  // namespace

bool remove_tree(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (!error) return true;
  // Directories without write permission hold their entries fast, except for root.
  std::error_code ignored;
  const auto options = fs::directory_options::skip_permission_denied;
  fs::permissions(path, fs::perms::owner_all, fs::perm_options::add, ignored);
  for (fs::recursive_directory_iterator it(path, options, ignored), end; it != end;
       it.increment(ignored)) {
    if (it->is_directory(ignored) && !it->is_symlink(ignored)) {
      fs::permissions(it->path(), fs::perms::owner_all, fs::perm_options::add, ignored);
    }
  }
  fs::remove_all(path, error);
  if (error) log::warning("sandbox", "{} could not be removed: {}", path.string(), error.message());
  return !error;
}

TreeWriter::TreeWriter(const fs::path& root)
    : root_(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  if (!root_) throw_errno(root.string(), "cannot open");
}

int TreeWriter::open_directory(const std::string& path, std::string_view name) {
  const int fd = open_beneath(root_.get(), path);
  if (fd >= 0 || errno == ENOENT) return fd;
  if (errno == ELOOP) {
    throw std::invalid_argument(
        fmt::format("'{}' goes through the symbolic link '{}'", name, path));
  }
  if (errno == ENOTDIR) {
    // openat2 answers so for a link in the last place as well.
    struct stat info {};
    const bool link = ::fstatat(root_.get(), path.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 &&
                      S_ISLNK(info.st_mode);
    throw std::invalid_argument(
        fmt::format("'{}' goes through the {} '{}'", name, link ? "symbolic link" : "file", path));
  }
  throw_errno(path, "cannot open");
}

int TreeWriter::parent_of(std::string_view name, std::string& last) {
  auto components = components_of(name);
  if (components.empty()) throw std::invalid_argument(fmt::format("'{}' names nothing", name));
  last = std::move(components.back());
  components.pop_back();
  const std::string path = join(components, "/");
  if (parent_ && path == parent_path_) return parent_.get();

  Fd directory(open_directory(path, name));
  if (!directory) {
    std::string so_far;
    directory = Fd(open_beneath(root_.get(), ""));
    for (const auto& component : components) {
      so_far += so_far.empty() ? component : "/" + component;
      if (::mkdirat(directory.get(), component.c_str(), 0755) != 0 && errno != EEXIST) {
        throw_errno(so_far, "cannot make the directory");
      }
      directory = Fd(open_directory(so_far, name));
    }
  }
  parent_ = std::move(directory);
  parent_path_ = path;
  return parent_.get();
}

void TreeWriter::make_directory(std::string_view name) {
  if (components_of(name).empty()) return;  // "./": the root itself
  std::string last;
  const int parent = parent_of(name, last);
  if (::mkdirat(parent, last.c_str(), 0755) == 0) return;
  struct stat info {};
  if (errno != EEXIST || ::fstatat(parent, last.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    throw_errno(name, "cannot make the directory");
  }
  if (!S_ISDIR(info.st_mode)) {
    throw std::invalid_argument(fmt::format("'{}' is a directory and something else", name));
  }
}

// What was there before goes, unless it is a directory.
void TreeWriter::make_room(int parent, const std::string& last, std::string_view name) {
  if (::unlinkat(parent, last.c_str(), 0) == 0 || errno == ENOENT) return;
  if (errno == EISDIR || errno == EPERM) {
    throw std::invalid_argument(fmt::format("'{}' is a directory and something else", name));
  }
  throw_errno(name, "cannot replace");
}

Fd TreeWriter::make_file(std::string_view name, mode_t mode) {
  std::string last;
  const int parent = parent_of(name, last);
  make_room(parent, last, name);
  Fd file(
      ::openat(parent, last.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) throw_errno(name, "cannot make the file");
  if (::fchmod(file.get(), mode & 07777) != 0) throw_errno(name, "cannot set the mode of");
  return file;
}

void TreeWriter::make_symlink(std::string_view name, const std::string& target) {
  std::string last;
  const int parent = parent_of(name, last);
  make_room(parent, last, name);
  if (::symlinkat(target.c_str(), parent, last.c_str()) != 0) throw_errno(name, "cannot link");
}

void TreeWriter::make_hard_link(std::string_view name, std::string_view existing) {
  std::string source_last;
  Fd source_parent(::dup(parent_of(existing, source_last)));
  std::string last;
  const int parent = parent_of(name, last);
  struct stat info {};
  if (::fstatat(source_parent.get(), source_last.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    throw std::invalid_argument(
        fmt::format("'{}' is a hard link to '{}', which is not in the archive", name, existing));
  }
  if (!S_ISREG(info.st_mode)) {
    throw std::invalid_argument(
        fmt::format("'{}' is a hard link to '{}', which is no file", name, existing));
  }
  make_room(parent, last, name);
  if (::linkat(source_parent.get(), source_last.c_str(), parent, last.c_str(), 0) != 0) {
    throw_errno(name, "cannot link");
  }
}

void TreeWriter::write_file(std::string_view name, std::string_view content, mode_t mode) {
  const Fd file = make_file(name, mode);
  while (!content.empty()) {
    const ssize_t written = ::write(file.get(), content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw_errno(name, "cannot write");
    content.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace tarn::sandbox
