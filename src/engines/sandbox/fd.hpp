// SPDX-License-Identifier: Apache-2.0
// A file descriptor with one owner. Sockets that live inside a sandbox's network reach their
// server as these. Movable, not thread-safe; `release` hands the descriptor to somebody else.
#pragma once
#include <unistd.h>

#include <utility>

namespace tarn::sandbox {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

 private:
  int fd_ = -1;
};

}  // namespace tarn::sandbox
