// SPDX-License-Identifier: Apache-2.0
// A small AWS client: signs, sends on libcurl, reads JSON or XML answers. It knows the protocols of
// the few services that the commands use. Not thread-safe.
#pragma once
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "cli/connection.hpp"

namespace tarn::cli {

// An AWS error, or no answer at all (code "NoAnswer").
class CallFailed : public std::runtime_error {
 public:
  CallFailed(std::string code, const std::string& message)
      : std::runtime_error(message),
        code(std::move(code)) {}
  std::string code;
};

class Client {
 public:
  explicit Client(Connection connection) : connection_(std::move(connection)) {}
  const Connection& connection() const { return connection_; }

  // JSON protocol: `target` is "AWSStepFunctions.StartExecution".
  Json json(const std::string& signing_name, const std::string& target, const Json& input);
  // Query protocol; the answer is the XML text.
  std::string query(const std::string& signing_name, const std::string& version,
                    const std::string& action, const std::map<std::string, std::string>& input);

 private:
  struct Answer {
    int status = 0;
    std::string body;
  };
  Answer send(const std::string& method, const std::string& path, const std::string& signing_name,
              std::vector<std::pair<std::string, std::string>> headers, const std::string& body);
  Connection connection_;
};

// A JSON API by its target prefix.
struct JsonService {
  Client& client;
  std::string signing_name, prefix;
  Json call(const std::string& operation, const Json& input) const {
    return client.json(signing_name, prefix + "." + operation, input);
  }
};
inline JsonService states(Client& client) { return {client, "states", "AWSStepFunctions"}; }
inline JsonService logs_service(Client& client) { return {client, "logs", "Logs_20140328"}; }
inline JsonService redshift_data(Client& client) {
  return {client, "redshift-data", "RedshiftData"};
}

}  // namespace tarn::cli
