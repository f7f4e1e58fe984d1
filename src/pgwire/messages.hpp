// SPDX-License-Identifier: Apache-2.0
// PostgreSQL's message formats, version 3, with the fields that Redshift adds. Pure: bytes in and
// out, no sockets. https://www.postgresql.org/docs/current/protocol-message-formats.html
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engines/sql/error.hpp"
#include "engines/sql/types.hpp"

namespace tarn::pgwire {

// Thrown for bytes that are no protocol; the connection ends.
class ProtocolError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Reads one message's payload; throws ProtocolError when it is too short.
class MessageReader {
 public:
  explicit MessageReader(std::string_view bytes) : rest_(bytes) {}
  std::uint8_t byte();
  std::int16_t int16();
  std::int32_t int32();
  std::string text();  // up to a zero byte
  std::string bytes(std::size_t count);
  bool done() const { return rest_.empty(); }

 private:
  std::string_view take(std::size_t count);
  std::string_view rest_;
};

// Collects messages to send.
class MessageWriter {
 public:
  void begin(char type);
  void byte(char value) { out_.push_back(value); }
  void int16(std::int16_t value);
  void int32(std::int32_t value);
  void text(std::string_view value);  // with its zero byte
  void bytes(std::string_view value) { out_.append(value); }
  void end();
  // A field of a row: its length comes before it.
  std::size_t begin_field();
  void end_field(std::size_t at);
  std::string& buffer() { return out_; }

  void simple(char type) { begin(type), end(); }
  void authentication(std::int32_t kind, std::string_view extra = {});
  void parameter_status(std::string_view name, std::string_view value);
  void key_data(std::int32_t process_id, std::int32_t key);
  void ready(char status);
  void command_complete(std::string_view tag);
  // `position` in characters from 1; 0: none.
  void error(std::string_view severity, const sql::SqlError& error, std::size_t position);
  void notice(std::string_view severity, std::string_view message);
  void parameter_description(const std::vector<sql::ColumnType>& types);
  // `protocol`: Redshift's; from 1 on each column has four names and flags more.
  void row_description(const std::vector<sql::Column>& columns,
                       const std::vector<std::int16_t>& formats, int protocol);

  std::size_t size() const { return out_.size(); }
  std::string take() { return std::exchange(out_, {}); }

 private:
  std::string out_;
  std::size_t message_ = 0;
};

// The format of column `i` as Bind lists them: none, one for all, or one each.
std::int16_t format_of(const std::vector<std::int16_t>& formats, std::size_t i);

}  // namespace tarn::pgwire
