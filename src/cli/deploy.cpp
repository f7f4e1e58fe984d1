// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <cstdio>
#include <fstream>
#include <set>
#include <thread>

#include <fmt/format.h>
#include <pugixml.hpp>

#include "base/json.hpp"
#include "cli/client.hpp"
#include "cli/commands.hpp"

namespace tarn::cli {
namespace {

constexpr const char* k_version = "2010-05-15";
using Input = std::map<std::string, std::string>;

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error(path + ": cannot be read");
  return {std::istreambuf_iterator<char>(in), {}};
}

class Stacks {
 public:
  Stacks(Client& client, std::string stack) : client_(client), stack_(std::move(stack)) {}

  pugi::xml_document call(const std::string& action, Input input) {
    input["StackName"] = stack_;
    const std::string text = client_.query("cloudformation", k_version, action, input);
    pugi::xml_document document;
    if (!document.load_string(text.c_str())) {
      throw std::runtime_error(action + ": the answer is no XML");
    }
    return document;
  }

  // Empty where there is no such stack.
  std::string status() {
    try {
      const auto document = call("DescribeStacks", {});
      return document.select_node("//StackStatus").node().child_value();
    } catch (const CallFailed& failure) {
      if (std::string_view(failure.what()).find("does not exist") != std::string_view::npos) {
        return {};
      }
      throw;
    }
  }

  // Prints the events that came since the last time, the oldest first.
  void show_events(bool only_mark) {
    const auto document = call("DescribeStackEvents", {});
    const auto members = document.select_nodes("//StackEvents/member");
    for (auto i = members.size(); i-- > 0;) {
      const auto event = members[i].node();
      if (!seen_.insert(event.child_value("EventId")).second || only_mark) continue;
      fmt::print("{}  {:<28} {:<32} {} {}\n", event.child_value("Timestamp"),
                 event.child_value("ResourceStatus"), event.child_value("LogicalResourceId"),
                 event.child_value("ResourceType"), event.child_value("ResourceStatusReason"));
    }
    std::fflush(stdout);
  }

  void show_outputs() {
    const auto document = call("DescribeStacks", {});
    for (const auto& output : document.select_nodes("//Outputs/member")) {
      fmt::print("{} = {}\n", output.node().child_value("OutputKey"),
                 output.node().child_value("OutputValue"));
    }
  }

 private:
  Client& client_;
  std::string stack_;
  std::set<std::string> seen_;
};

void add_parameters(const std::string& file, Input& input) {
  if (file.empty()) return;
  const Json json = parse_json(read_file(file));
  int number = 0;
  const auto add = [&](const std::string& key, const std::string& value) {
    const std::string prefix = fmt::format("Parameters.member.{}.", ++number);
    input[prefix + "ParameterKey"] = key;
    input[prefix + "ParameterValue"] = value;
  };
  if (const auto* list = json.if_array()) {
    for (const Json& item : *list) {
      add(string_or(item, "ParameterKey"), string_or(item, "ParameterValue"));
    }
    return;
  }
  const Json* named = find_member(json, "Parameters");
  for (const auto& member : (named ? *named : json).as_object()) {
    add(std::string(member.key()), member.value().is_string()
                                       ? std::string(json_text(member.value().get_string()))
                                       : dump_json(member.value()));
  }
}

// True if there is something to execute.
bool wait_for_change_set(Stacks& stacks, const std::string& change_set) {
  while (true) {
    const auto document = stacks.call("DescribeChangeSet", {{"ChangeSetName", change_set}});
    const std::string status = document.select_node("//Status").node().child_value();
    const std::string reason = document.select_node("//StatusReason").node().child_value();
    if (status == "CREATE_COMPLETE") return true;
    if (status == "FAILED") {
      if (reason.find("didn't contain changes") != std::string::npos ||
          reason.find("No updates are to be performed") != std::string::npos) {
        return false;
      }
      throw std::runtime_error("the change set failed: " + reason);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

bool ended(const std::string& status) {
  return status.empty() || (!status.ends_with("_IN_PROGRESS"));
}

}  // namespace

int deploy(const DataDirectory& data, const DeployOptions& options) {
  Client client(find_connection(data));
  Stacks stacks(client, options.stack);
  const std::string before = stacks.status();
  const bool create = before.empty() || before == "REVIEW_IN_PROGRESS";
  const std::string change_set = fmt::format(
      "tarn-deploy-{}", std::chrono::system_clock::now().time_since_epoch().count() / 1000);
  Input input{{"ChangeSetName", change_set},
              {"ChangeSetType", create ? "CREATE" : "UPDATE"},
              {"TemplateBody", read_file(options.template_file)},
              {"Capabilities.member.1", "CAPABILITY_IAM"},
              {"Capabilities.member.2", "CAPABILITY_NAMED_IAM"},
              {"Capabilities.member.3", "CAPABILITY_AUTO_EXPAND"}};
  add_parameters(options.parameters_file, input);
  stacks.call("CreateChangeSet", input);
  if (!wait_for_change_set(stacks, change_set)) {
    stacks.call("DeleteChangeSet", {{"ChangeSetName", change_set}});
    fmt::print("{} is up to date\n", options.stack);
    return 0;
  }
  stacks.show_events(true);
  stacks.call("ExecuteChangeSet", {{"ChangeSetName", change_set}});
  std::string status;
  do {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    status = stacks.status();
    stacks.show_events(false);
  } while (!ended(status));
  fmt::print("{} {}\n", options.stack, status);
  const bool good = status == "CREATE_COMPLETE" || status == "UPDATE_COMPLETE";
  if (good) stacks.show_outputs();
  return good ? 0 : 1;
}

}  // namespace tarn::cli
