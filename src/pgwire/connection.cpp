// SPDX-License-Identifier: Apache-2.0
#include "pgwire/connection.hpp"

#include "base/ids.hpp"
#include "base/log.hpp"
#include "base/strings.hpp"
#include "pgwire/password.hpp"

namespace tarn::pgwire {

namespace {

constexpr std::int32_t k_version_3 = 196608, k_ssl_request = 80877103, k_cancel = 80877102,
                       k_gss_request = 80877104;

// PostgreSQL counts characters from 1; the engine counts bytes from 1.
std::size_t characters(std::string_view text, std::size_t byte_position) {
  if (byte_position == 0) return 0;
  std::size_t count = 1;
  for (std::size_t i = 0; i + 1 < byte_position && i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) ++count;
  }
  return count;
}

sql::SqlError as_sql_error(std::exception_ptr failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const sql::SqlError& error) {
    return error;
  } catch (const std::bad_alloc&) {
    return sql::SqlError(sql::sqlstate::k_out_of_memory, "out of memory");
  } catch (const std::exception& error) {
    return sql::SqlError(sql::sqlstate::k_internal, error.what());
  }
}

}  // namespace

Task<void> Connection::serve(std::shared_ptr<Connection> self) {
  std::optional<std::string> fatal;
  try {
    const bool serving = co_await self->start();
    if (serving) co_await self->loop();
  } catch (const ChannelClosed&) {
  } catch (const Cancelled&) {
  } catch (const std::exception& error) {
    fatal = error.what();
  }
  try {
    if (fatal) {
      const sql::SqlError error(sql::sqlstate::k_protocol_violation, *fatal);
      self->out_.error("FATAL", error, 0);
      co_await self->flush();
    }
    if (self->session_) co_await self->session_->close();
  } catch (const std::exception&) {}
  self->portals_.clear();
  self->prepared_.clear();
  self->session_.reset();
  self->channel_->abort();
}

void Connection::abort() {
  if (session_) session_->cancel();
  channel_->abort();
}

Task<void> Connection::flush() {
  std::string bytes = out_.take();
  co_await channel_->write(std::move(bytes));
}

char Connection::status() const {
  switch (session_->transaction_status()) {
    case sql::TransactionStatus::idle: return 'I';
    case sql::TransactionStatus::in_transaction: return 'T';
    default: return 'E';
  }
}

// ---- start-up

Task<bool> Connection::start() {
  warehouse_ = context_.clusters.find(cluster_);
  const std::optional<Parameters> parameters = co_await read_startup();
  if (!parameters) co_return false;
  std::exception_ptr failure;
  bool served = false;
  try {
    served = co_await log_in(*parameters);
  } catch (const ChannelClosed&) {
    throw;
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    out_.error("FATAL", as_sql_error(failure), 0);
    served = false;
  }
  co_await flush();
  co_return served;
}

Task<std::optional<Connection::Parameters>> Connection::read_startup() {
  for (;;) {
    const std::string head = co_await channel_->read(4);
    const std::int32_t length = MessageReader(head).int32();
    if (length < 8 || length > 10000) throw ProtocolError("invalid length of startup packet");
    const std::string body = co_await channel_->read(static_cast<std::size_t>(length) - 4);
    MessageReader reader(body);
    const std::int32_t code = reader.int32();
    if (code == k_ssl_request && !channel_->is_tls()) {
      // Bytes behind the request would be read as if they had been encrypted.
      if (channel_->has_buffered()) throw ProtocolError("unencrypted data behind SSLRequest");
      std::string yes = "S";
      co_await channel_->write(std::move(yes));
      co_await channel_->start_tls();
    } else if (code == k_gss_request) {
      std::string no = "N";
      co_await channel_->write(std::move(no));
    } else if (code == k_cancel) {
      const std::int32_t process = reader.int32();
      const std::int32_t key = reader.int32();
      if (warehouse_) warehouse_->cancel(process, key);
      co_return std::nullopt;
    } else if (code == k_version_3) {
      Parameters parameters;
      for (std::string name = reader.text(); !name.empty(); name = reader.text()) {
        parameters[name] = reader.text();
      }
      co_return parameters;
    } else {
      throw ProtocolError("unsupported frontend protocol " + std::to_string(code >> 16) + "." +
                          std::to_string(code & 0xffff) + ": server supports 3.0 to 3.0");
    }
  }
}

Task<bool> Connection::log_in(Parameters parameters) {
  const std::string user = parameters["user"];
  if (user.empty()) {
    throw sql::SqlError("28000", "no PostgreSQL user name specified in startup packet");
  }
  std::string database = parameters["database"].empty() ? user : parameters["database"];
  if (!warehouse_) throw sql::SqlError("57P03", "the cluster is not available");
  const auto look_up = [this, user, database] {
    return context_.clusters.login(cluster_, user, database);
  };
  const std::optional<sql::Login> login = co_await run_on(context_.calls, look_up);
  const bool good = co_await check_password(login, user);
  if (!good) {
    throw sql::SqlError("28000", "password authentication failed for user \"" + user + "\"");
  }
  sql::SessionOptions options = login->session;
  options.database = database;
  options.application = parameters["application_name"];
  session_ = warehouse_->connect(std::move(options));
  std::string given = parameters["options"];
  if (!given.empty()) co_await apply_options(std::move(given));
  greet(parameters);
  co_return true;
}

// Settings in the start-up packet's `options`: -c name=value or --name=value, blanks escaped by a
// backslash.
Task<void> Connection::apply_options(std::string options) {
  std::vector<std::string> words(1);
  for (std::size_t i = 0; i < options.size(); ++i) {
    if (options[i] == '\\' && i + 1 < options.size())
      words.back() += options[++i];
    else if (options[i] != ' ')
      words.back() += options[i];
    else if (!words.back().empty())
      words.emplace_back();
  }
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::string word = words[i];
    if (word == "-c" && i + 1 < words.size())
      word = words[++i];
    else if (word.starts_with("-c") || word.starts_with("--"))
      word = word.substr(2);
    else if (word.empty())
      continue;
    else
      word.clear();
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos) {
      throw sql::SqlError(sql::sqlstate::k_syntax_error,
                          "invalid command-line argument: " + words[i]);
    }
    std::string statement = "set " + word.substr(0, equals) + " to '" +
                            replace_all(word.substr(equals + 1), "'", "''") + "'";
    co_await session_->run(std::move(statement));
  }
}

Task<bool> Connection::check_password(const std::optional<sql::Login>& login, std::string user) {
  // An unknown user is asked as well: whether a name exists is not told.
  const bool md5 = context_.password == PasswordMethod::md5;
  const std::string salt = context_.random.bytes(4);
  if (md5)
    out_.authentication(5, salt);
  else
    out_.authentication(3);
  co_await flush();
  const std::string head = co_await channel_->read(5);
  if (head[0] != 'p') throw ProtocolError("expected password response");
  const std::int32_t length = MessageReader(std::string_view(head).substr(1)).int32();
  if (length < 4 || length > 10000) throw ProtocolError("invalid length of password message");
  const std::string body = co_await channel_->read(static_cast<std::size_t>(length) - 4);
  const std::string given = MessageReader(body).text();
  bool good = false;
  if (login) {
    for (const auto& password : login->passwords) {
      const std::string expected = md5 ? md5_answer(password, user, salt) : password;
      good = constant_time_equal(given, expected) || good;
    }
  }
  co_return good;
}

void Connection::greet(const Parameters& parameters) {
  out_.authentication(0);
  for (const char* name :
       {"server_version", "server_encoding", "client_encoding", "DateStyle", "TimeZone",
        "integer_datetimes", "is_superuser", "application_name", "session_authorization",
        "standard_conforming_strings", "max_index_keys"}) {
    out_.parameter_status(name, session_->setting(name).value_or(""));
  }
  const auto asked = parameters.find("client_protocol_version");
  if (asked != parameters.end()) {
    const auto version = parse_int(asked->second).value_or(0);
    protocol_ = static_cast<int>(std::clamp<std::int64_t>(version, 0, k_redshift_protocol));
    out_.parameter_status("server_protocol_version", std::to_string(protocol_));
  }
  out_.key_data(session_->process_id(), session_->cancel_key());
  out_.ready('I');
}

// ---- the loop

Task<void> Connection::loop() {
  for (;;) {
    if (out_.size() > 0 && !channel_->has_buffered()) co_await flush();
    const std::string head = co_await channel_->read(5);
    const std::int32_t length = MessageReader(std::string_view(head).substr(1)).int32();
    if (length < 4 || length > k_message_bytes_max) throw ProtocolError("invalid message length");
    std::string payload = co_await channel_->read(static_cast<std::size_t>(length) - 4);
    const char type = head[0];
    if (skipping_ && type != 'S' && type != 'X' && type != 'Q') continue;
    const bool more = co_await handle(type, std::move(payload));
    if (!more) co_return;
  }
}

Task<bool> Connection::handle(char type, std::string payload) {
  std::exception_ptr failure;
  try {
    MessageReader reader(payload);
    switch (type) {
      case 'Q': {
        skipping_ = false;
        std::string text = reader.text();
        co_await simple_query(std::move(text));
        out_.ready(status());
        co_await flush();
        break;
      }
      case 'P': co_await parse(reader); break;
      case 'B': co_await bind(reader); break;
      case 'D': co_await describe(reader); break;
      case 'E': co_await execute(reader); break;
      case 'C': close(reader); break;
      case 'H': co_await flush(); break;
      case 'S':
        skipping_ = false;
        out_.ready(status());
        co_await flush();
        break;
      case 'X': co_return false;
      case 'd':
      case 'c':
      case 'f': break;  // COPY data without a COPY: ignored, as PostgreSQL does
      case 'F':
        throw sql::SqlError(sql::sqlstate::k_feature_not_supported,
                            "function calls by protocol are not supported");
      default: throw ProtocolError("invalid frontend message type " + std::to_string(type));
    }
  } catch (const sql::SqlError&) {
    failure = std::current_exception();
  }
  if (failure) {
    skipping_ = type != 'Q';
    report(as_sql_error(failure), {});
    co_await session_->fail_transaction();
  }
  co_return true;
}

void Connection::report(const sql::SqlError& error, std::string_view text) {
  out_.error("ERROR", error, characters(text, error.position));
}

void Connection::write_notices(const sql::Result& result) {
  for (const auto& notice : result.notices()) {
    const std::size_t colon = notice.find(':');
    out_.notice(notice.substr(0, colon), notice.substr(colon + 1));
  }
}

Task<void> Connection::simple_query(std::string text) {
  portals_.erase("");
  std::exception_ptr failure;
  std::vector<std::string> statements;
  try {
    statements = sql::split_statements(text);
  } catch (const sql::SqlError&) {
    failure = std::current_exception();
  }
  if (failure) {
    report(as_sql_error(failure), text);
    co_await session_->fail_transaction();
  } else if (statements.empty()) {
    out_.simple('I');
  } else {
    co_await run_script(std::move(statements), std::move(text));
  }
}

// Several statements in one message are one transaction, unless they say otherwise themselves.
Task<void> Connection::run_script(std::vector<std::string> statements, std::string text) {
  bool own =
      statements.size() > 1 && session_->transaction_status() == sql::TransactionStatus::idle;
  for (const auto& statement : statements) {
    const std::string word = to_lower(std::string_view(statement).substr(0, 8));
    for (const char* control : {"begin", "start", "commit", "end", "rollback", "abort"}) {
      if (word.starts_with(control)) own = false;
    }
  }
  std::size_t offset = 0;
  std::exception_ptr failure;
  std::string begin = "begin", commit = "commit", rollback = "rollback";
  try {
    if (own) co_await session_->run(std::move(begin));
    for (const auto& statement : statements) {
      offset = text.find(statement, offset);
      std::vector<std::uint32_t> none;
      auto portal = std::make_shared<Portal>();
      portal->statement = co_await session_->prepare(statement, std::move(none));
      std::vector<sql::ParameterValue> values;
      sql::ExecuteOptions options;
      portal->result =
          co_await session_->execute(portal->statement, std::move(values), std::move(options));
      if (!portal->result->columns().empty()) {
        out_.row_description(portal->result->columns(), {}, protocol_);
      }
      co_await send_rows(portal, 0);
      offset += statement.size();
    }
    if (own) co_await session_->run(std::move(commit));
  } catch (const sql::SqlError&) {
    failure = std::current_exception();
  }
  if (!failure) co_return;
  sql::SqlError error = as_sql_error(failure);
  if (error.position > 0 && offset != std::string::npos) error.position += offset;
  report(error, text);
  try {
    if (own) co_await session_->run(std::move(rollback));
  } catch (const sql::SqlError&) {}
}

Task<void> Connection::parse(MessageReader reader) {
  const std::string name = reader.text();
  const std::string text = reader.text();
  Prepared prepared;
  const std::int16_t count = reader.int16();
  for (int i = 0; i < count; ++i) {
    prepared.oids.push_back(static_cast<std::uint32_t>(reader.int32()));
  }
  if (name.empty()) prepared_.erase(name);
  if (prepared_.contains(name)) {
    throw sql::SqlError("42P05", "prepared statement \"" + name + "\" already exists");
  }
  std::exception_ptr failure;
  std::vector<std::uint32_t> oids = prepared.oids;
  try {
    prepared.statement = co_await session_->prepare(text, std::move(oids));
  } catch (const sql::SqlError&) {
    failure = std::current_exception();
  }
  if (failure) {
    report(as_sql_error(failure), text);
    skipping_ = true;
    co_return;
  }
  prepared_[name] = std::move(prepared);
  out_.simple('1');
}

Task<void> Connection::bind(MessageReader reader) {
  const std::string name = reader.text();
  const std::string statement = reader.text();
  const auto found = prepared_.find(statement);
  if (found == prepared_.end()) {
    throw sql::SqlError("26000", "prepared statement \"" + statement + "\" does not exist");
  }
  auto portal = std::make_shared<Portal>();
  portal->statement = found->second.statement;
  std::vector<std::int16_t> formats;
  for (std::int16_t n = reader.int16(); n > 0; --n) formats.push_back(reader.int16());
  const std::int16_t count = reader.int16();
  for (int i = 0; i < count; ++i) {
    sql::ParameterValue value;
    value.binary = format_of(formats, static_cast<std::size_t>(i)) == 1;
    const std::int32_t length = reader.int32();
    if (length >= 0) value.bytes = reader.bytes(static_cast<std::size_t>(length));
    portal->parameters.push_back(std::move(value));
  }
  for (std::int16_t n = reader.int16(); n > 0; --n) portal->formats.push_back(reader.int16());
  const std::size_t wanted = portal->statement->parameters().size();
  if (portal->parameters.size() != wanted) {
    throw sql::SqlError(sql::sqlstate::k_protocol_violation,
                        "bind message supplies " + std::to_string(portal->parameters.size()) +
                            " parameters, but prepared statement \"" + statement + "\" requires " +
                            std::to_string(wanted));
  }
  if (!name.empty() && portals_.contains(name)) {
    throw sql::SqlError("42P03", "cursor \"" + name + "\" already exists");
  }
  portals_[name] = std::move(portal);
  out_.simple('2');
  co_return;
}

Task<void> Connection::describe(MessageReader reader) {
  const char kind = static_cast<char>(reader.byte());
  const std::string name = reader.text();
  const sql::Statement* statement = nullptr;
  std::vector<std::int16_t> formats;
  if (kind == 'S') {
    const auto found = prepared_.find(name);
    if (found == prepared_.end()) {
      throw sql::SqlError("26000", "prepared statement \"" + name + "\" does not exist");
    }
    statement = found->second.statement.get();
    out_.parameter_description(statement->parameters());
  } else {
    const auto found = portals_.find(name);
    if (found == portals_.end()) {
      throw sql::SqlError("34000", "portal \"" + name + "\" does not exist");
    }
    statement = found->second->statement.get();
    formats = found->second->formats;
  }
  if (statement->returns_rows())
    out_.row_description(statement->columns(), formats, protocol_);
  else
    out_.simple('n');
  co_return;
}

Task<void> Connection::execute(MessageReader reader) {
  const std::string name = reader.text();
  const std::int32_t limit = reader.int32();
  const auto found = portals_.find(name);
  if (found == portals_.end()) {
    throw sql::SqlError("34000", "portal \"" + name + "\" does not exist");
  }
  const std::shared_ptr<Portal> portal = found->second;
  if (portal->statement->is_empty()) {
    out_.simple('I');
    co_return;
  }
  std::exception_ptr failure;
  try {
    if (!portal->result) {
      std::vector<sql::ParameterValue> values = portal->parameters;
      sql::ExecuteOptions options;
      portal->result =
          co_await session_->execute(portal->statement, std::move(values), std::move(options));
    }
    co_await send_rows(portal, limit);
  } catch (const sql::SqlError&) {
    failure = std::current_exception();
  }
  if (failure) {
    report(as_sql_error(failure), portal->statement->text());
    skipping_ = true;
  }
}

Task<void> Connection::send_rows(std::shared_ptr<Portal> portal, std::int32_t limit) {
  std::int32_t sent = 0;
  while (!portal->done) {
    if (!portal->batch) {
      portal->batch = co_await portal->result->next();
      portal->row = 0;
      if (!portal->batch) portal->done = true;
      continue;
    }
    if (limit > 0 && sent == limit) {
      out_.simple('s');
      co_return;
    }
    write_row(*portal, *portal->batch, portal->row++);
    ++sent;
    if (portal->row == portal->batch->rows()) portal->batch.reset();
    if (out_.size() >= k_piece_bytes) co_await flush();
  }
  write_notices(*portal->result);
  out_.command_complete(portal->result->command_tag());
}

void Connection::write_row(const Portal& portal, const sql::RowBatch& batch, std::size_t row) {
  const std::size_t columns = portal.result->columns().size();
  const auto numeric =
      protocol_ >= 2 ? sql::NumericFormat::scaled_integer : sql::NumericFormat::postgres;
  out_.begin('D');
  out_.int16(static_cast<std::int16_t>(columns));
  for (std::size_t column = 0; column < columns; ++column) {
    if (batch.is_null(column, row)) {
      out_.int32(-1);
      continue;
    }
    const std::size_t at = out_.begin_field();
    if (format_of(portal.formats, column) == 1) {
      batch.binary(column, row, numeric, out_.buffer());
    } else {
      batch.text(column, row, out_.buffer());
    }
    out_.end_field(at);
  }
  out_.end();
}

void Connection::close(MessageReader reader) {
  const char kind = static_cast<char>(reader.byte());
  const std::string name = reader.text();
  if (kind == 'S')
    prepared_.erase(name);
  else
    portals_.erase(name);
  out_.simple('3');
}

}  // namespace tarn::pgwire
