// SPDX-License-Identifier: Apache-2.0
// What a sandboxed job can reach: Tarn under its own address, the warehouses under theirs, and one
// socket of the service that runs the job (Lambda's Runtime API, ECS's credentials). The sockets
// listen inside the job's network and are served from here, so that addresses are the same
// everywhere.
//
// Threading: any thread; one object for each job.
#pragma once
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "platform/service.hpp"

namespace tarn::platform {

class JobListeners {
 public:
  explicit JobListeners(Environment& environment) : environment_(environment) {}
  ~JobListeners() { close(); }
  JobListeners(const JobListeners&) = delete;
  JobListeners& operator=(const JobListeners&) = delete;

  // The ports on 127.0.0.1 that must listen inside, in the order in which `serve` takes them.
  std::vector<std::uint16_t> ports(std::uint16_t own);
  // Takes over the sockets. With the host's network there is only the first.
  void serve(std::vector<int> sockets, HttpHandler own);
  void close();

 private:
  Environment& environment_;
  std::mutex mutex_;
  std::vector<std::string> clusters_;  // of the sockets behind the first two
  std::vector<HttpServer::ListenerId> served_;
  std::vector<int> warehouse_sockets_;  // copies, to end the listening with
};

// The port of a base URL: 4566 of "http://127.0.0.1:4566".
std::uint16_t port_of_endpoint(const std::string& endpoint);

}  // namespace tarn::platform
