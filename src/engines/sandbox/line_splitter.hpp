// SPDX-License-Identifier: Apache-2.0
// Bytes to lines, with bounded memory: a longer line comes out in pieces of `bytes_max`.
#pragma once
#include <string>
#include <string_view>

namespace tarn::sandbox {

class LineSplitter {
 public:
  explicit LineSplitter(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  // Calls emit(std::string) for each line that is complete.
  template <class Emit>
  void add(std::string_view bytes, Emit emit) {
    while (!bytes.empty()) {
      const auto end = bytes.find('\n');
      const std::size_t room = bytes_max_ - rest_.size();
      if (end != std::string_view::npos && end <= room) {
        rest_.append(bytes.substr(0, end));
        bytes.remove_prefix(end + 1);
      } else if (bytes.size() <= room && end == std::string_view::npos) {
        rest_.append(bytes);
        return;
      } else {
        rest_.append(bytes.substr(0, room));
        bytes.remove_prefix(room);
      }
      emit(std::move(rest_));
      rest_.clear();
    }
  }
  // The last line, where its end is missing.
  template <class Emit>
  void finish(Emit emit) {
    if (!rest_.empty()) emit(std::move(rest_));
    rest_.clear();
  }

 private:
  const std::size_t bytes_max_;
  std::string rest_;
};

}  // namespace tarn::sandbox
