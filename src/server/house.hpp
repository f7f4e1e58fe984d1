// SPDX-License-Identifier: Apache-2.0
// The running server: owns every part, in the order in which they depend on each other, and takes
// them down in reverse. Nothing else in the program knows all parts.
//
// Threading: built, started and stopped by the main thread.
#pragma once
#include <memory>
#include <string>

#include "platform/identity.hpp"
#include "server/options.hpp"

namespace tarn::server {

class House {
 public:
  // Opens the data directory and starts everything; when it returns, every endpoint answers.
  // Throws with a message that names the remedy: the directory is locked, too new, a port is taken.
  explicit House(const Options& options);
  ~House();

  std::string endpoint() const;
  std::string warehouse_address() const;  // host:port of the default warehouse
  platform::Credentials root_key() const;
  void stop();

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace tarn::server
