// SPDX-License-Identifier: Apache-2.0
// What `tarn up` was asked for, and what a running server tells local commands.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>

namespace tarn::server {

struct Options {
  std::filesystem::path data_directory;
  std::string host = "127.0.0.1";
  std::uint16_t port = 4566;
  std::uint16_t pg_port = 5439;
  std::string region = "us-east-1";
  bool allow_egress = false;
  bool verbose = false;
};

}  // namespace tarn::server
