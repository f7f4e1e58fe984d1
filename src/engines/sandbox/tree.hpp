// SPDX-License-Identifier: Apache-2.0
// Directory trees that a job or an archive made: anything may be in them, so nothing here follows
// a symbolic link. Blocking; thread-safe as far as the trees are different ones.
#pragma once
#include <filesystem>
#include <string>
#include <string_view>

#include "engines/sandbox/fd.hpp"

namespace tarn::sandbox {

// Removes `path` whatever the modes inside; false (and a log line) when something stays.
bool remove_tree(const std::filesystem::path& path);

// Makes files below one directory from names that others chose. A name that is absolute, climbs
// with "..", or passes through a symbolic link or a file throws std::invalid_argument saying so.
class TreeWriter {
 public:
  explicit TreeWriter(const std::filesystem::path& root);

  void make_directory(std::string_view name);
  // Empty, replacing a file or link of that name. To be written to through the descriptor.
  Fd make_file(std::string_view name, mode_t mode);
  void make_symlink(std::string_view name, const std::string& target);
  void make_hard_link(std::string_view name, std::string_view existing);
  void write_file(std::string_view name, std::string_view content, mode_t mode);

 private:
  // The directory that holds `name` (made where missing); `last` becomes its last component.
  int parent_of(std::string_view name, std::string& last);
  int open_directory(const std::string& path, std::string_view name);
  void make_room(int parent, const std::string& last, std::string_view name);

  Fd root_;
  // Archives list the files of a directory together: the last one stays open.
  std::string parent_path_;
  Fd parent_;
};

}  // namespace tarn::sandbox
