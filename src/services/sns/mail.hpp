// SPDX-License-Identifier: Apache-2.0
// Email subscriptions: each message becomes a file in `<data directory>/outbox`, or goes to the
// SMTP server that TARN_SMTP names as host:port (plain SMTP without authentication: a relay on this
// machine). Blocking; called on the background pool.
#pragma once
#include <filesystem>
#include <string>

#include "base/time.hpp"

namespace tarn::sns {

struct Mail {
  std::string from, to, subject, body, id;
  Timestamp date{};
  bool json = false;
};

// Headers and body with CRLF line ends; whatever is not ASCII in headers is encoded.
std::string mail_text(const Mail& mail);
// Throws std::runtime_error saying which step failed.
void write_to_outbox(const std::filesystem::path& outbox, const Mail& mail);
void send_by_smtp(const std::string& server, const Mail& mail);

}  // namespace tarn::sns
