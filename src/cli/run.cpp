// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <map>
#include <thread>

#include <fmt/format.h>

#include "base/time.hpp"
#include "cli/client.hpp"
#include "cli/commands.hpp"

namespace tarn::cli {
namespace {

std::string read_input(const std::string& given) {
  if (!given.starts_with("@")) return given;
  std::ifstream in(given.substr(1));
  if (!in) throw std::runtime_error(given.substr(1) + ": cannot be read");
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string find_state_machine(const JsonService& service, const std::string& name) {
  if (name.starts_with("arn:")) return name;
  JsonObject request;
  while (true) {
    const Json page = service.call("ListStateMachines", request);
    for (const Json& machine : page.at("stateMachines").as_array()) {
      if (string_or(machine, "name") == name) return string_or(machine, "stateMachineArn");
    }
    const auto token = find_string(page, "nextToken");
    if (!token) throw std::runtime_error(fmt::format("there is no state machine {}", name));
    request["nextToken"] = *token;
  }
}

// Shows what history events say of states, each with the time since the start.
class StateView {
 public:
  void show(const Json& event) {
    const double time = event.at("timestamp").to_number<double>();
    if (start_ == 0) start_ = time;
    const std::string type = string_or(event, "type");
    if (const Json* entered = find_member(event, "stateEnteredEventDetails")) {
      line(time, "→", string_or(*entered, "name"));
    } else if (const Json* exited = find_member(event, "stateExitedEventDetails")) {
      line(time, "✓", string_or(*exited, "name"));
    } else if (type.ends_with("Failed") || type.ends_with("TimedOut") ||
               type.ends_with("Aborted")) {
      show_failure(time, type, event);
    }
  }

 private:
  void show_failure(double time, const std::string& type, const Json& event) {
    for (const auto& member : event.as_object()) {
      const auto error = find_string(member.value(), "error");
      if (!error) continue;
      const std::string cause = string_or(member.value(), "cause");
      line(time, "✗", fmt::format("{}: {} {}", type, *error, cause));
      return;
    }
    line(time, "✗", type);
  }
  void line(double time, std::string_view mark, const std::string& text) {
    fmt::print("{:8.2f} s  {} {}\n", time - start_, mark, text);
    std::fflush(stdout);
  }
  double start_ = 0;
};

}  // namespace

int run(const DataDirectory& data, const RunOptions& options) {
  Client client(find_connection(data));
  const JsonService service = states(client);
  const std::string machine = find_state_machine(service, options.state_machine);
  const Json started =
      service.call("StartExecution",
                   JsonObject{{"stateMachineArn", machine}, {"input", read_input(options.input)}});
  const std::string execution = string_or(started, "executionArn");
  fmt::print("{}\n", execution);
  StateView view;
  std::int64_t seen = 0;
  while (true) {
    // The status first: what the history has after that belongs to it.
    const Json description =
        service.call("DescribeExecution", JsonObject{{"executionArn", execution}});
    JsonObject request{{"executionArn", execution}, {"maxResults", 1000}};
    while (true) {
      const Json page = service.call("GetExecutionHistory", request);
      for (const Json& event : page.at("events").as_array()) {
        const auto id = event.at("id").to_number<std::int64_t>();
        if (id <= seen) continue;
        seen = id;
        view.show(event);
      }
      const auto token = find_string(page, "nextToken");
      if (!token) break;
      request["nextToken"] = *token;
    }
    const std::string status = string_or(description, "status");
    if (status != "RUNNING") {
      fmt::print("{}\n", status);
      if (const auto output = find_string(description, "output")) fmt::print("{}\n", *output);
      if (const auto error = find_string(description, "error")) {
        fmt::print(stderr, "{}: {}\n", *error, string_or(description, "cause"));
      }
      return status == "SUCCEEDED" ? 0 : 1;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
}

}  // namespace tarn::cli
