// SPDX-License-Identifier: Apache-2.0
#include "pgwire/messages.hpp"

namespace tarn::pgwire {

std::string_view MessageReader::take(std::size_t count) {
  if (count > rest_.size()) throw ProtocolError("invalid message format");
  const auto taken = rest_.substr(0, count);
  rest_.remove_prefix(count);
  return taken;
}
std::uint8_t MessageReader::byte() { return static_cast<std::uint8_t>(take(1)[0]); }
std::int16_t MessageReader::int16() {
  const auto b = take(2);
  return static_cast<std::int16_t>((static_cast<std::uint8_t>(b[0]) << 8) |
                                   static_cast<std::uint8_t>(b[1]));
}
std::int32_t MessageReader::int32() {
  std::uint32_t value = 0;
  for (const char c : take(4)) value = (value << 8) | static_cast<std::uint8_t>(c);
  return static_cast<std::int32_t>(value);
}
std::string MessageReader::text() {
  const std::size_t end = rest_.find('\0');
  if (end == std::string_view::npos) throw ProtocolError("invalid string in message");
  std::string value(take(end));
  take(1);
  return value;
}
std::string MessageReader::bytes(std::size_t count) { return std::string(take(count)); }

void MessageWriter::begin(char type) {
  out_.push_back(type);
  message_ = out_.size();
  out_.append(4, '\0');
}
void MessageWriter::int16(std::int16_t value) {
  out_.push_back(static_cast<char>(value >> 8));
  out_.push_back(static_cast<char>(value));
}
void MessageWriter::int32(std::int32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out_.push_back(static_cast<char>(value >> shift));
}
void MessageWriter::text(std::string_view value) {
  out_.append(value.substr(0, value.find('\0')));
  out_.push_back('\0');
}
void MessageWriter::end() { end_field(message_ + 4), message_ = 0; }

std::size_t MessageWriter::begin_field() {
  out_.append(4, '\0');
  return out_.size();
}
void MessageWriter::end_field(std::size_t at) {
  // A message's length counts itself, a field's does not.
  const std::size_t length = out_.size() - at + (at == message_ + 4 ? 4 : 0);
  for (int i = 0; i < 4; ++i) {
    out_[at - 4 + static_cast<std::size_t>(i)] = static_cast<char>(length >> (24 - 8 * i));
  }
}

void MessageWriter::authentication(std::int32_t kind, std::string_view extra) {
  begin('R');
  int32(kind);
  bytes(extra);
  end();
}
void MessageWriter::parameter_status(std::string_view name, std::string_view value) {
  begin('S');
  text(name);
  text(value);
  end();
}
void MessageWriter::key_data(std::int32_t process_id, std::int32_t key) {
  begin('K');
  int32(process_id);
  int32(key);
  end();
}
void MessageWriter::ready(char status) {
  begin('Z');
  byte(status);
  end();
}
void MessageWriter::command_complete(std::string_view tag) {
  begin('C');
  text(tag);
  end();
}
void MessageWriter::error(std::string_view severity, const sql::SqlError& error,
                          std::size_t position) {
  begin('E');
  byte('S'), text(severity);
  byte('C'), text(error.state);
  byte('M'), text(error.message());
  if (!error.detail.empty()) byte('D'), text(error.detail);
  if (!error.hint.empty()) byte('H'), text(error.hint);
  if (position > 0) byte('P'), text(std::to_string(position));
  byte('\0');
  end();
}
void MessageWriter::notice(std::string_view severity, std::string_view message) {
  begin('N');
  byte('S'), text(severity);
  byte('C'), text("00000");
  byte('M'), text(message);
  byte('\0');
  end();
}
void MessageWriter::parameter_description(const std::vector<sql::ColumnType>& types) {
  begin('t');
  int16(static_cast<std::int16_t>(types.size()));
  for (const auto& type : types) int32(static_cast<std::int32_t>(type.oid));
  end();
}
void MessageWriter::row_description(const std::vector<sql::Column>& columns,
                                    const std::vector<std::int16_t>& formats, int protocol) {
  begin('T');
  int16(static_cast<std::int16_t>(columns.size()));
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const auto& column = columns[i];
    text(column.name);
    int32(0);  // no table known
    int16(0);
    int32(static_cast<std::int32_t>(column.type.oid));
    int16(column.type.size());
    int32(column.type.typmod);
    int16(format_of(formats, i));
    if (protocol >= 1) {
      constexpr std::int16_t k_nullable = 1, k_searchable = 4096;
      text(""), text(""), text(column.name), text("");  // schema, table, column, catalog
      int16(static_cast<std::int16_t>((column.nullable ? k_nullable : 0) | k_searchable));
    }
  }
  end();
}

std::int16_t format_of(const std::vector<std::int16_t>& formats, std::size_t i) {
  if (formats.empty()) return 0;
  if (formats.size() == 1) return formats[0];
  return i < formats.size() ? formats[i] : static_cast<std::int16_t>(0);
}

}  // namespace tarn::pgwire
