// SPDX-License-Identifier: Apache-2.0
// Replays the recorded calls of ../shared/conformance/stepfunctions through the service, and
// compares every answer and history with AWS's. Only cases that need Step Functions alone. What may
// fail is in tests/conformance/stepfunctions_replay_expected_failures.txt, with reasons.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <re2/re2.h>

#include <future>
#include <set>
#include <thread>

#include "aws/error.hpp"
#include "base/strings.hpp"
#include "services/stepfunctions/testing/recorded.hpp"
#include "services/stepfunctions/testing/server.hpp"

namespace tarn::stepfunctions {
namespace {

constexpr const char* k_role = "arn:aws:iam::000000000000:role/sfn-conformance";

// What cannot be replayed here.
class Skipped : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Replay {
 public:
  Replay(testing::Server& server, const Json& test) : server_(server), test_(test) {}

  // Empty: as recorded.
  std::string run() {
    for (const auto& each : test_.at("steps").as_array()) step(each);
    testing::Comparer comparer(test_);
    comparer.ignored = {"ResponseMetadata"};
    for (const auto& match : test_.at("match").as_object()) {
      const std::string key(std::string_view(match.key()));
      const Json* expected = find_member(test_.at("expected"), key);
      if (!expected) continue;
      const Json actual = normal(actual_of(match.value()));
      const auto difference = compare(comparer, *expected, actual);
      if (!difference.empty()) return key + difference;
    }
    return "";
  }

 private:
  std::string compare(const testing::Comparer& comparer, const Json& expected, const Json& actual) {
    const Json* left = find_member(expected, "events");
    const Json* right = find_member(actual, "events");
    if (left && right && left->is_array() && right->is_array()) {
      return testing::history_difference(test_, comparer, left->get_array(), right->get_array());
    }
    return comparer.difference(expected, actual);
  }

  void step(const Json& step) {
    const auto id = string_or(step, "id");
    const auto op = string_or(step, "op");
    const Json* given = find_member(step, "params");
    Json params = given ? filled(*given) : Json(JsonObject());
    if (params.is_null()) params = JsonObject();
    if (op == "wait") {
      results_[id] = wait(params);
      return;
    }
    if (op == "sleep") {
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
      return;
    }
    if (!op.starts_with("stepfunctions.")) throw Skipped(op);
    const auto operation = op.substr(14);
    try {
      results_[id] = answer(operation, params);
      if (find_member(step, "expect_error")) {
        throw std::runtime_error(id + " " + operation + " should have failed");
      }
    } catch (const aws::ApiError& error) {
      if (!find_member(step, "expect_error")) {
        throw std::runtime_error(fmt::format("{} {}: {}", id, operation, error.what()));
      }
      results_[id] = JsonObject{
          {"$error", fmt::format("An error occurred ({}) when calling the {} operation: {}",
                                 error.code, operation, error.message)},
          {"$error_type", error.code},
          {"$error_response",
           JsonObject{{"Error", JsonObject{{"Code", error.code}, {"Message", error.message}}},
                      {"message", error.message}}}};
    }
  }

  Json answer(const std::string& operation, Json params) {
    if (operation == "GetExecutionHistory") params.as_object()["maxResults"] = 1000;
    return server_.ask(operation, std::move(params));
  }

  Json wait(const Json& params) {
    const auto until = string_or(params, "until");
    const JsonObject which{{"executionArn", string_or(params, "executionArn")}};
    for (int i = 0; i < 1000; ++i) {
      if (until.starts_with("await_")) {
        std::this_thread::sleep_for(std::chrono::milliseconds(30));
        return nullptr;
      }
      const auto status = string_or(server_.ask("DescribeExecution", which), "status");
      const bool custom = until != "success" && until != "terminated" && until != "aborted";
      if (custom)
        std::this_thread::sleep_for(std::chrono::milliseconds(until == "started" ? 5 : 300));
      if (custom || status != "RUNNING") {
        JsonObject history = which;
        return answer("GetExecutionHistory", Json(std::move(history))).at("events");
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    throw std::runtime_error("does not end");
  }

  // ${r1.stateMachineArn}, ${r5.Messages[0].Body#json.TaskToken}, ${uid1}, ${role_arn}
  Json look_up(const std::string& reference) {
    if (reference == "role_arn") return Json(k_role);
    if (reference.starts_with("uid")) {
      auto& made = ids_[reference];
      if (made.empty()) made = server_.random.hex(8);
      return Json(made);
    }
    const auto end = reference.find_first_of(".[#");
    const auto found = results_.find(reference.substr(0, end));
    if (found == results_.end()) throw Skipped("refers to " + reference);
    Json value = found->second;
    std::string rest = end == std::string::npos ? "" : reference.substr(end);
    while (!rest.empty()) {
      if (rest.starts_with("#json")) {
        value = parse_json(json_text(value.as_string()));
        rest = rest.substr(5);
      } else if (rest[0] == '[') {
        const auto close = rest.find(']');
        const auto& items = value.as_array();
        auto index = std::stol(rest.substr(1, close - 1));
        if (index < 0) index += static_cast<long>(items.size());
        value = Json(items.at(static_cast<std::size_t>(index)));
        rest = rest.substr(close + 1);
      } else {
        const auto stop = rest.find_first_of(".[#", 1);
        const Json* member = find_member(value, rest.substr(1, stop - 1));
        if (!member) throw std::runtime_error(reference + " is not there");
        value = Json(*member);
        rest = stop == std::string::npos ? "" : rest.substr(stop);
      }
    }
    return value;
  }

  Json filled(const Json& value) {
    if (value.is_string()) return filled_text(std::string(json_text(value.get_string())));
    if (value.is_array()) {
      JsonArray out;
      for (const auto& item : value.get_array()) out.push_back(filled(item));
      return out;
    }
    if (!value.is_object()) return value;
    JsonObject out;
    for (const auto& member : value.get_object()) out[member.key()] = filled(member.value());
    return out;
  }
  Json filled_text(const std::string& text) {
    static const RE2 k_whole(R"(\$\{([^{}]+)\})");
    static const RE2 k_part(R"(\$\{((?:r\d+|uid\d+|role_arn)[^{}]*)\})");
    std::string name;
    if (RE2::FullMatch(text, k_whole, &name)) return look_up(name);
    std::string out;
    re2::StringPiece rest(text);
    re2::StringPiece before = rest;
    while (RE2::FindAndConsume(&rest, k_part, &name)) {
      const auto length = static_cast<std::size_t>(rest.data() - before.data()) - name.size() - 3;
      out.append(before.data(), length);
      const Json value = look_up(name);
      out += value.is_string() ? std::string(json_text(value.get_string())) : dump_json(value);
      before = rest;
    }
    return Json(out.append(before.data(), before.size()));
  }

  Json actual_of(const Json& match) {
    if (match.is_array()) {
      JsonArray out;
      for (const auto& item : match.get_array()) out.push_back(actual_of(item));
      return out;
    }
    if (!match.is_object()) return match;
    const auto& object = match.get_object();
    if (object.size() == 1) {
      const std::string key(std::string_view(object.begin()->key()));
      const Json& inside = object.begin()->value();
      if (key == "$ref") {
        const std::string name(json_text(inside.as_string()));
        const auto dot = name.find(".$error_response");
        if (dot == std::string::npos) return look_up(name);
        Json out = results_.at(name.substr(0, dot)).at("$error_response");
        return out;
      }
      if (key == "$literal" || key == "$template") return filled(inside);
      if (key == "$error" || key == "$error_type") {
        return Json(results_.at(std::string(json_text(inside.as_string()))).at(key));
      }
    }
    JsonObject out;
    for (const auto& member : object) out[member.key()] = actual_of(member.value());
    return out;
  }

  // Our region, account, role and the case's own names, written as the recording has them.
  Json normal(const Json& value) {
    if (value.is_array()) {
      JsonArray out;
      for (const auto& item : value.get_array()) out.push_back(normal(item));
      return out;
    }
    if (value.is_object()) {
      JsonObject out;
      for (const auto& member : value.get_object()) {
        out[normal_text(std::string(std::string_view(member.key())))] = normal(member.value());
      }
      return out;
    }
    if (!value.is_string()) return value;
    return Json(normal_text(std::string(json_text(value.get_string()))));
  }
  std::string normal_text(std::string text) {
    for (const auto& each : test_.at("transformers").as_array()) {
      if (string_or(each, "type") != "RegexTransformer") continue;
      const auto expression = string_or(each, "regex");
      if (expression.find("tok") != std::string::npos) continue;
      try {
        const Json regex = filled_text(expression);
        RE2 compiled(std::string(json_text(regex.as_string())), RE2::Quiet);
        if (compiled.ok()) {
          std::string replacement = replace_all(string_or(each, "replacement"), "\\", "\\\\");
          RE2::GlobalReplace(&text, compiled, replacement);
        }
      } catch (const std::exception&) {  // names something that this replay has not got
      }
    }
    text = replace_all(text, "arn:aws:", "arn:<partition>:");
    text = replace_all(text, "us-east-1", "<region>");
    text = replace_all(text, ":000000000000:", ":111111111111:");
    return replace_all(text, "arn:<partition>:iam::111111111111:role/sfn-conformance",
                       "snf_role_arn");
  }

  testing::Server& server_;
  const Json& test_;
  std::map<std::string, Json> results_;
  std::map<std::string, std::string> ids_;
};

// Those whose other machines and activities would be seen.
bool alone(const std::string& name) { return name.find("list") != std::string::npos; }

TEST(StepFunctionsReplay, AnswersEqualThoseRecordedFromAws) {
  if (!std::filesystem::exists(testing::cases_directory())) {
    GTEST_SKIP() << testing::cases_directory() << " is absent: recorded calls cannot be replayed";
  }
  const auto allowed = testing::expected_failures("stepfunctions_replay_expected_failures.txt");
  std::map<std::string, std::future<std::string>> running;
  std::map<std::string, std::string> outcomes;
  std::set<std::string> skipped;
  kernel::testing::TemporaryDirectory directory;
  auto server = std::make_unique<testing::Server>(directory.path());
  const char* only = std::getenv("TARN_REPLAY_ONLY");
  const auto start = [&](testing::Server& on, Json test) {
    return [&on, test = std::move(test)]() -> std::string {
      try {
        return Replay(on, test).run();
      } catch (const Skipped& why) {
        return std::string("skipped: ") + why.what();
      } catch (const std::exception& error) {
        return error.what();
      }
    };
  };
  std::vector<Json> single;
  for (const auto& entry : std::filesystem::directory_iterator(testing::cases_directory())) {
    Json test = parse_json(testing::read_file(entry.path()));
    if (!test.at("pure_sfn").as_bool() || !test.at("complete").as_bool()) continue;
    const auto name = string_or(test, "name");
    if (name.find("too_far_in_future") != std::string::npos) continue;  // never ends
    if (only && name.find(only) == std::string::npos) continue;
    if (alone(name)) {
      single.push_back(std::move(test));
      continue;
    }
    if (running.size() >= 16) {  // bounded
      for (auto& [key, each] : running) outcomes[key] = each.get();
      running.clear();
    }
    running[name] = std::async(std::launch::async, start(*server, std::move(test)));
  }
  for (auto& [name, each] : running) outcomes[name] = each.get();
  server.reset();
  for (const auto& test : single) {
    kernel::testing::TemporaryDirectory own;
    testing::Server fresh(own.path());
    outcomes[string_or(test, "name")] = start(fresh, test)();
  }
  int passed = 0;
  int failed = 0;
  int left_out = 0;
  for (const auto& [name, outcome] : outcomes) {
    if (outcome.starts_with("skipped: ")) {
      ++left_out;
    } else if (outcome.empty()) {
      ++passed;
      EXPECT_FALSE(allowed.contains(name)) << name << " passes now: take it off the list";
    } else {
      ++failed;
      if (!allowed.contains(name)) ADD_FAILURE() << name << "\n  " << outcome;
    }
  }
  fmt::print("{} recorded cases replayed as AWS, {} expected to fail, {} left out\n", passed,
             failed, left_out);
}

}  // namespace
}  // namespace tarn::stepfunctions
