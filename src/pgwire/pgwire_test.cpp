// SPDX-License-Identifier: Apache-2.0
// A loopback client that speaks the protocol by hand, against a real server and warehouse.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>

#include "base/ids.hpp"
#include "pgwire/messages.hpp"
#include "pgwire/password.hpp"
#include "pgwire/server.hpp"

namespace tarn::pgwire {
namespace {

class Client {
 public:
  explicit Client(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) std::abort();
    const timeval limit{20, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  }
  ~Client() { ::close(fd_); }

  struct Message {
    char type = 0;
    std::string body;
  };
  void send(const std::string& bytes) {
    ASSERT_EQ(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  std::string receive(std::size_t count) {
    std::string bytes(count, '\0');
    std::size_t done = 0;
    while (done < count) {
      const ssize_t n = ::recv(fd_, bytes.data() + done, count - done, 0);
      if (n <= 0) return bytes.substr(0, done);
      done += static_cast<std::size_t>(n);
    }
    return bytes;
  }
  Message next() {
    const std::string head = receive(5);
    if (head.size() < 5) return {};
    const auto length = MessageReader(std::string_view(head).substr(1)).int32();
    return {head[0], receive(static_cast<std::size_t>(length) - 4)};
  }
  // All messages up to ReadyForQuery, as "T D D C Z"; D rows of text go to `rows`.
  std::string until_ready() {
    rows.clear();
    error.clear();
    std::string types;
    for (;;) {
      const Message message = next();
      if (message.type == 0) return types + "(closed)";
      if (message.type == 'D') {
        MessageReader reader(message.body);
        std::string row;
        for (int n = reader.int16(); n > 0; --n) {
          const auto length = reader.int32();
          row += (row.empty() ? "" : "|") +
                 (length < 0 ? "NULL" : reader.bytes(static_cast<std::size_t>(length)));
        }
        rows.push_back(row);
      }
      if (message.type == 'E') {
        MessageReader reader(message.body);
        for (char field = static_cast<char>(reader.byte()); field != 0;
             field = static_cast<char>(reader.byte())) {
          error += field + reader.text() + ";";
        }
      }
      if (message.type == 'C') tag = message.body.substr(0, message.body.size() - 1);
      if (message.type == 'T') description = message.body;
      if (message.type == 'K') {
        MessageReader reader(message.body);
        process_id = reader.int32();
        key = reader.int32();
      }
      if (message.type == 'S') parameters.push_back(message.body);
      types += message.type;
      if (message.type == 'Z') {
        status = message.body[0];
        return types;
      }
    }
  }
  void startup(const std::string& user, const std::string& database, const std::string& more = {}) {
    std::string body;
    for (const std::string& part : {std::string("user"), user, std::string("database"), database}) {
      body += part + '\0';
    }
    body += more + '\0';
    MessageWriter writer;
    writer.int32(static_cast<std::int32_t>(body.size() + 8));
    writer.int32(196608);
    send(writer.take() + body);
  }
  std::string log_in(const std::string& user, const std::string& password,
                     const std::string& database = "dev", const std::string& more = {}) {
    startup(user, database, more);
    const Message ask = next();
    EXPECT_EQ(ask.type, 'R');
    MessageReader reader(ask.body);
    EXPECT_EQ(reader.int32(), 5);
    message('p', md5_answer(password, user, reader.bytes(4)) + '\0');
    return until_ready();
  }
  void message(char type, const std::string& body) {
    MessageWriter writer;
    writer.begin(type);
    writer.bytes(body);
    writer.end();
    send(writer.take());
  }
  std::string query(const std::string& sql) {
    message('Q', sql + '\0');
    return until_ready();
  }

  std::vector<std::string> rows, parameters;
  std::string error, tag, description;
  std::int32_t process_id = 0, key = 0;
  char status = 0;

 private:
  int fd_;
};

std::string zero(const std::string& text) { return text + '\0'; }
std::string int16(int value) {
  MessageWriter writer;
  writer.int16(static_cast<std::int16_t>(value));
  return writer.take();
}
std::string int32(int value) {
  MessageWriter writer;
  writer.int32(value);
  return writer.take();
}

class PgWireTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "tarn_pgwire_XXXXXX").string();
    directory = ::mkdtemp(name.data());
    sql::WarehouseOptions options;
    options.directory = directory / "dev";
    clusters.open("c", options);
    clusters.set_logins([](const std::string&, const std::string& user, const std::string&) {
      if (user != "awsuser") return std::optional<sql::Login>();
      sql::Login login;
      login.passwords = {"old", "secret"};
      login.session.user = user;
      return std::optional(login);
    });
    server = std::make_unique<PgServer>(clusters, calls, random, PgServerOptions{directory});
    server->listen("c", "127.0.0.1", 0);
    port = server->ports().at(0).second;
  }
  void TearDown() override {
    server.reset();
    clusters.stop();
    std::filesystem::remove_all(directory);
  }

  std::filesystem::path directory;
  ThreadPool query{"query", 3};
  ThreadPool calls{"call", 4};
  ManualClock clock;
  SystemRandom random;
  sql::Clusters clusters{query, clock, nullptr};
  std::unique_ptr<PgServer> server;
  std::uint16_t port = 0;
};

TEST_F(PgWireTest, a_password_opens_a_session) {
  Client client(port);
  const std::string types = client.log_in("awsuser", "secret");
  EXPECT_TRUE(types.starts_with("RS")) << types;
  EXPECT_TRUE(types.ends_with("KZ")) << types;
  EXPECT_EQ(client.query("select 1 as x, 'a' as y, null as z"), "TDCZ");
  EXPECT_EQ(client.rows, std::vector<std::string>{"1|a|NULL"});
  EXPECT_EQ(client.tag, "SELECT 1");
}

TEST_F(PgWireTest, a_wrong_password_and_an_unknown_database_are_refused) {
  Client wrong(port);
  EXPECT_EQ(wrong.log_in("awsuser", "nope"), "E(closed)");
  EXPECT_NE(wrong.error.find("Mpassword authentication failed for user \"awsuser\""),
            std::string::npos);
  Client unknown(port);
  EXPECT_EQ(unknown.log_in("nobody", "secret"), "E(closed)");
  Client database(port);
  EXPECT_EQ(database.log_in("awsuser", "secret", "nosuch"), "E(closed)");
  EXPECT_NE(database.error.find("C3D000;Mdatabase \"nosuch\" does not exist"), std::string::npos);
}

TEST_F(PgWireTest, a_script_is_one_transaction_and_errors_have_a_place) {
  Client client(port);
  client.log_in("awsuser", "secret");
  EXPECT_EQ(client.query("create table t(a int); insert into t values (1); select bad from t"),
            "CCEZ");
  EXPECT_NE(client.error.find("SERROR;C42703;Mcolumn \"bad\" does not exist;P57;"),
            std::string::npos)
      << client.error;
  EXPECT_EQ(client.status, 'I');
  EXPECT_EQ(client.query("select * from t"), "EZ");
  EXPECT_EQ(client.query("create table t(a int); insert into t values (1), (2);"), "CCZ");
  EXPECT_EQ(client.query("select count(*) from t"), "TDCZ");
  EXPECT_EQ(client.rows.at(0), "2");
  EXPECT_EQ(client.query("  ;  "), "IZ");
  EXPECT_EQ(client.query("begin"), "CZ");
  EXPECT_EQ(client.status, 'T');
  EXPECT_EQ(client.query("select nosuch"), "EZ");
  EXPECT_EQ(client.status, 'E');
  EXPECT_EQ(client.query("rollback"), "CZ");
  EXPECT_EQ(client.status, 'I');
}

TEST_F(PgWireTest, the_extended_protocol_binds_and_describes) {
  Client client(port);
  client.log_in("awsuser", "secret");
  client.message('P',
                 zero("s1") + zero("select $1 + 1, $2::varchar") + int16(2) + int32(23) + int32(0));
  client.message('D', "S" + zero("s1"));
  client.message('B', zero("p") + zero("s1") + int16(2) + int16(1) + int16(0) + int16(2) +
                          int32(4) + int32(41) + int32(2) + "hi" + int16(1) + int16(0));
  client.message('E', zero("p") + int32(0));
  client.message('S', "");
  EXPECT_EQ(client.until_ready(), "1tT2DCZ");
  EXPECT_EQ(client.rows.at(0), "42|hi");
  // Binary results: int4 and a numeric.
  client.message('P', zero("") + zero("select 7::int, 1.50::numeric(5,2)") + int16(0));
  client.message('B', zero("") + zero("") + int16(0) + int16(0) + int16(1) + int16(1));
  client.message('E', zero("") + int32(0));
  client.message('S', "");
  EXPECT_EQ(client.until_ready(), "12DCZ");
  EXPECT_EQ(client.rows.at(0),
            int32(7) + "|" + int16(2) + int16(0) + int16(0) + int16(2) + int16(1) + int16(5000));
}

TEST_F(PgWireTest, an_error_skips_to_sync) {
  Client client(port);
  client.log_in("awsuser", "secret");
  client.message('P', zero("") + zero("select nosuch") + int16(0));
  client.message('B', zero("") + zero("") + int16(0) + int16(0) + int16(0));
  client.message('E', zero("") + int32(0));
  client.message('S', "");
  EXPECT_EQ(client.until_ready(), "EZ");
  EXPECT_EQ(client.query("select 1"), "TDCZ");
}

TEST_F(PgWireTest, an_error_of_the_protocol_ends_the_transaction_too) {
  Client client(port);
  client.log_in("awsuser", "secret");
  client.query("begin");
  client.query("create table gone(a int)");
  client.message('E', zero("nosuch") + int32(0));
  client.message('S', "");
  EXPECT_EQ(client.until_ready(), "EZ");
  EXPECT_EQ(client.query("select 1"), "EZ");
  EXPECT_EQ(client.query("commit"), "CZ");
  EXPECT_EQ(client.tag, "ROLLBACK");
  EXPECT_EQ(client.query("select * from gone"), "EZ");
}

TEST_F(PgWireTest, a_portal_suspends_and_goes_on) {
  Client client(port);
  client.log_in("awsuser", "secret");
  client.query("begin");
  client.message('P', zero("") + zero("select * from generate_series(1, 25) g") + int16(0));
  client.message('B', zero("c1") + zero("") + int16(0) + int16(0) + int16(0));
  client.message('E', zero("c1") + int32(10));
  client.message('S', "");
  EXPECT_EQ(client.until_ready(), "12DDDDDDDDDDsZ");
  EXPECT_EQ(client.query("select 'between'"), "TDCZ");
  client.message('E', zero("c1") + int32(0));
  client.message('S', "");
  EXPECT_EQ(client.until_ready(), "DDDDDDDDDDDDDDDCZ");
  EXPECT_EQ(client.rows.back(), "25");
  EXPECT_EQ(client.tag, "SELECT 25");
}

TEST_F(PgWireTest, redshifts_protocol_adds_names_and_scaled_numerics) {
  Client client(port);
  client.log_in("awsuser", "secret", "dev", zero("client_protocol_version") + zero("3"));
  EXPECT_NE(std::find(client.parameters.begin(), client.parameters.end(),
                      zero("server_protocol_version") + zero("2")),
            client.parameters.end());
  client.message('P', zero("") + zero("select 12.34::numeric(5,2) as n") + int16(0));
  client.message('B', zero("") + zero("") + int16(0) + int16(0) + int16(1) + int16(1));
  client.message('D', "P" + zero(""));
  client.message('E', zero("") + int32(0));
  client.message('S', "");
  EXPECT_EQ(client.until_ready(), "12TDCZ");
  EXPECT_EQ(client.rows.at(0), int32(0) + int32(1234));
  // name, 18 bytes of numbers, four names, flags
  EXPECT_EQ(client.description.size(), 2 + 2 + 18 + (1 + 1 + 2 + 1) + 2u);
}

TEST_F(PgWireTest, start_up_options_are_settings) {
  Client client(port);
  client.log_in("awsuser", "secret", "dev",
                zero("options") + zero("-c search_path=a,\\ public --statement_timeout=5000"));
  client.query("show search_path");
  EXPECT_EQ(client.rows.at(0), "a, public");
  Client wrong(port);
  EXPECT_EQ(wrong.log_in("awsuser", "secret", "dev", zero("options") + zero("-c nosuch=1")),
            "E(closed)");
}

TEST_F(PgWireTest, cancel_needs_the_key_and_stops_the_query) {
  Client client(port);
  client.log_in("awsuser", "secret");
  client.message('Q', zero("select count(*) from generate_series(1, 100000000) a, "
                           "generate_series(1, 1000) b "
                           "where a.generate_series % 7 = b.generate_series % 5"));
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  Client canceller(port);
  canceller.send(int32(16) + int32(80877102) + int32(client.process_id) + int32(client.key));
  EXPECT_EQ(client.until_ready(), "EZ");
  EXPECT_NE(client.error.find("C57014"), std::string::npos);
}

TEST_F(PgWireTest, garbage_and_huge_messages_end_the_connection) {
  Client garbage(port);
  garbage.send("GET / HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(garbage.until_ready().ends_with("(closed)"));
  Client huge(port);
  huge.log_in("awsuser", "secret");
  huge.send("Q" + int32(0x7fffffff));
  EXPECT_TRUE(huge.until_ready().ends_with("(closed)"));
}

TEST_F(PgWireTest, large_results_stream) {
  Client client(port);
  client.log_in("awsuser", "secret");
  client.message('Q', zero("select g, repeat('x', 100) from generate_series(1, 200000) t(g)"));
  EXPECT_EQ(client.until_ready().size(), 200003u);
  EXPECT_EQ(client.tag, "SELECT 200000");
}

TEST_F(PgWireTest, stopping_ends_running_queries) {
  Client client(port);
  client.log_in("awsuser", "secret");
  client.message('Q', zero("select count(*) from generate_series(1, 100000000) a, "
                           "generate_series(1, 1000) b "
                           "where a.generate_series % 7 = b.generate_series % 5"));
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  const auto before = std::chrono::steady_clock::now();
  server->stop();
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(3));
}

TEST_F(PgWireTest, who_never_logs_in_is_sent_away) {
  PgServerOptions options{directory};
  options.login_timeout = std::chrono::milliseconds(100);
  PgServer impatient(clusters, calls, random, options);
  impatient.listen("c", "127.0.0.1", 0);
  Client silent(impatient.ports().at(0).second);
  EXPECT_EQ(silent.next().type, 0);
  Client prompt(impatient.ports().at(0).second);
  prompt.log_in("awsuser", "secret");
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_EQ(prompt.query("select 1"), "TDCZ");
}

TEST_F(PgWireTest, a_closed_cluster_ends_its_connections) {
  Client client(port);
  client.log_in("awsuser", "secret");
  server->close("c");
  EXPECT_EQ(client.next().type, 0);
  for (int i = 0; i < 100 && server->connections() > 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(server->connections(), 0u);
}

}  // namespace
}  // namespace tarn::pgwire
