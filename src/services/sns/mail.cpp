// SPDX-License-Identifier: Apache-2.0
#include "services/sns/mail.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <stdexcept>

#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/strings.hpp"

namespace tarn::sns {
namespace {

constexpr int k_timeout_s = 15;

std::string encoded_header(const std::string& text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e) {
      return "=?UTF-8?B?" + to_base64(text) + "?=";
    }
  }
  return text;
}

// An address goes into headers and commands: nothing that ends a line may be in it.
std::string checked_address(const std::string& text) {
  if (text.find_first_of("\r\n<> ") != std::string::npos) {
    throw std::runtime_error("bad email address " + text);
  }
  return text;
}

class Connection {
 public:
  explicit Connection(const std::string& server) {
    const auto colon = server.rfind(':');
    const std::string host = server.substr(0, colon);
    const std::string port = colon == std::string::npos ? "25" : server.substr(colon + 1);
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (::getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0 || !found) {
      throw std::runtime_error("cannot resolve the SMTP server " + server);
    }
    socket_ = ::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const timeval patience{k_timeout_s, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    const bool connected = ::connect(socket_, found->ai_addr, found->ai_addrlen) == 0;
    const int error = errno;
    ::freeaddrinfo(found);
    if (connected) return;
    ::close(socket_);
    throw std::runtime_error(
        fmt::format("cannot connect to the SMTP server {}: {}", server, std::strerror(error)));
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { ::close(socket_); }

  void send(std::string_view text) {
    while (!text.empty()) {
      const auto sent = ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0) throw std::runtime_error("the SMTP server went away");
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  // Reads one reply, which may have several lines; its first digit must be `wanted`.
  void expect(char wanted, std::string_view step) {
    std::string line;
    while (true) {
      char c = 0;
      if (::recv(socket_, &c, 1, 0) != 1) throw std::runtime_error("the SMTP server went away");
      if (c != '\n') {
        line.push_back(c);
        if (line.size() > 4096) throw std::runtime_error("the SMTP server talks too much");
        continue;
      }
      if (line.size() < 4 || line[3] != '-') break;
      line.clear();
    }
    if (line.empty() || line.front() != wanted) {
      throw std::runtime_error(fmt::format("the SMTP server refused {}: {}", step, trim(line)));
    }
  }

 private:
  int socket_ = -1;
};

}  // namespace

std::string mail_text(const Mail& mail) {
  std::string body = replace_all(replace_all(mail.body, "\r\n", "\n"), "\n", "\r\n");
  return fmt::format(
      "From: {}\r\nTo: {}\r\nSubject: {}\r\nDate: {}\r\nMessage-ID: <{}@tarn>\r\n"
      "MIME-Version: 1.0\r\nContent-Type: {}; charset=UTF-8\r\n"
      "Content-Transfer-Encoding: 8bit\r\n\r\n{}\r\n",
      checked_address(mail.from), checked_address(mail.to), encoded_header(mail.subject),
      replace_all(http_date(mail.date), "GMT", "+0000"), mail.id,
      mail.json ? "application/json" : "text/plain", body);
}

void write_to_outbox(const std::filesystem::path& outbox, const Mail& mail) {
  std::filesystem::create_directories(outbox);
  const auto name = iso8601_basic(mail.date) + "-" + mail.id;
  const auto temporary = outbox / ("." + name);
  {
    std::ofstream out(temporary, std::ios::binary | std::ios::trunc);
    out << mail_text(mail);
    if (!out.flush()) throw std::runtime_error("cannot write " + temporary.string());
  }
  // The name says when and which: a repeated delivery writes the same file again.
  std::filesystem::rename(temporary, outbox / (name + ".eml"));
}

void send_by_smtp(const std::string& server, const Mail& mail) {
  const std::string text = mail_text(mail);
  Connection connection(server);
  connection.expect('2', "the connection");
  connection.send("EHLO tarn\r\n");
  connection.expect('2', "EHLO");
  connection.send(fmt::format("MAIL FROM:<{}>\r\n", mail.from));
  connection.expect('2', "MAIL FROM");
  connection.send(fmt::format("RCPT TO:<{}>\r\n", mail.to));
  connection.expect('2', "RCPT TO");
  connection.send("DATA\r\n");
  connection.expect('3', "DATA");
  // A line that begins with a dot gets another one.
  std::string stuffed = replace_all(text, "\r\n.", "\r\n..");
  connection.send(stuffed + ".\r\n");
  connection.expect('2', "the message");
  connection.send("QUIT\r\n");
}

}  // namespace tarn::sns
