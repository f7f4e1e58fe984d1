// SPDX-License-Identifier: Apache-2.0
#include "gateway/connection.hpp"

#include <algorithm>

#include <sys/socket.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/read.hpp>

#include "base/log.hpp"
#include "base/strings.hpp"
#include "platform/limits.hpp"

namespace tarn::gateway {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace limits = platform::limits;
using asio::use_awaitable;
using error_code = boost::system::error_code;

namespace {

constexpr std::size_t k_drain_max = 1024 * 1024;  // more unread body than this closes instead
constexpr std::chrono::milliseconds k_watch_after{100};

auto no_throw(error_code& error) { return asio::redirect_error(use_awaitable, error); }

std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

bool has_no_body(int status) { return status == 204 || status == 304 || status / 100 == 1; }

struct Head {
  std::string text;
  bool chunked = false;
};

// The status line and header fields, with framing decided here and nowhere else.
Head make_head(const aws::HttpResponse& response, bool head_request, bool close) {
  Head head;
  const auto reason = view(http::obsolete_reason(static_cast<http::status>(response.status)));
  head.text = fmt::format("HTTP/1.1 {} {}\r\n", response.status, reason);
  bool has_length = false;
  for (const auto& [name, value] : response.headers) {
    if (iequals(name, "content-length")) has_length = true;
    if (iequals(name, "connection") || iequals(name, "transfer-encoding")) continue;
    fmt::format_to(std::back_inserter(head.text), "{}: {}\r\n", name, value);
  }
  const auto now = std::chrono::time_point_cast<Microseconds>(std::chrono::system_clock::now());
  fmt::format_to(std::back_inserter(head.text), "date: {}\r\n", http_date(now));
  if (!has_length && !has_no_body(response.status) && !head_request) {
    const auto size = response.stream ? response.stream->size()
                                      : std::optional<std::uint64_t>(response.body.size());
    if (size) {
      fmt::format_to(std::back_inserter(head.text), "content-length: {}\r\n", *size);
    } else {
      head.text += "transfer-encoding: chunked\r\n";
      head.chunked = true;
    }
  }
  if (close) head.text += "connection: close\r\n";
  head.text += "\r\n";
  return head;
}

}  // namespace

namespace {

constexpr std::size_t k_whole_max = 64 * 1024;

// The handler's answer. A small body is read here, on the call pool: streaming it would cost a turn
// between the threads for each piece, and a packet of its own.
Task<aws::HttpResponse> answer_of(platform::HttpHandler handler,
                                  std::shared_ptr<aws::HttpRequest> request) {
  auto answering = handler(request);
  aws::HttpResponse response = co_await answering;
  const auto size = response.stream ? response.stream->size() : std::nullopt;
  if (!size || *size > k_whole_max || request->method == "HEAD") co_return response;
  auto reading = read_all(response.stream, k_whole_max);
  response.body = co_await reading;
  response.stream = nullptr;
  co_return response;
}

}  // namespace

// The body of a large request, read from the socket as the handler asks for it.
class StreamedBody : public ByteSource {
 public:
  StreamedBody(std::weak_ptr<Connection> connection, std::optional<std::uint64_t> size)
      : connection_(std::move(connection)),
        left_(size) {}

  Task<std::string> read(std::size_t max) override {
    auto connection = connection_.lock();
    if (!connection || ended_) co_return std::string();
    OneShot<std::string> piece;
    asio::co_spawn(connection->stream_.get_executor(),
                   connection->read_body_piece(std::min(max, limits::k_stream_piece_bytes)),
                   [piece, connection](const std::exception_ptr& error, std::string bytes) {
                     if (error) {
                       piece.set_error(error);
                     } else {
                       piece.set(std::move(bytes));
                     }
                   });
    std::string bytes = co_await piece;
    if (left_) *left_ -= std::min<std::uint64_t>(*left_, bytes.size());
    ended_ = bytes.empty();
    co_return bytes;
  }
  std::optional<std::uint64_t> size() const override { return left_; }

 private:
  std::weak_ptr<Connection> connection_;
  std::optional<std::uint64_t> left_;
  bool ended_ = false;
};

Connection::Connection(Socket socket, ThreadPool& calls, std::shared_ptr<const Choose> choose)
    : stream_(std::move(socket)),
      watch_timer_(stream_.get_executor()),
      calls_(calls),
      choose_(std::move(choose)) {
  error_code ignored;
  stream_.socket().set_option(asio::ip::tcp::no_delay(true), ignored);
  const auto peer = stream_.socket().remote_endpoint(ignored);
  if (!ignored) remote_ = peer.address().to_string();
}

void Connection::start(std::function<void()> on_end) {
  asio::co_spawn(
      stream_.get_executor(), [self = shared_from_this()] { return self->run(); },
      [self = shared_from_this(), on_end = std::move(on_end)](const std::exception_ptr&) {
        self->stop_.request_stop();
        on_end();
      });
}

void Connection::stop_after_request() {
  asio::post(stream_.get_executor(), [self = shared_from_this()] {
    self->ending_ = true;
    if (!self->handler_running_) self->stream_.close();
  });
}

void Connection::cut() {
  asio::post(stream_.get_executor(), [self = shared_from_this()] {
    self->ending_ = true;
    self->stop_.request_stop();
    self->stream_.close();
  });
}

Connection::Nothing Connection::run() {
  while (!ending_ && co_await serve_one()) {}
  error_code ignored;
  stream_.socket().shutdown(Socket::shutdown_both, ignored);
  stream_.close();
}

// False ends the connection.
asio::awaitable<bool> Connection::serve_one() {
  parser_.emplace();
  parser_->header_limit(limits::k_http_header_bytes_max);
  parser_->body_limit(boost::none);
  error_code error;
  stream_.expires_after(buffer_.size() ? limits::k_header_timeout : limits::k_keep_alive_idle);
  co_await http::async_read_header(stream_, buffer_, *parser_, no_throw(error));
  if (error == http::error::header_limit) {
    co_await write_error(431, "Request header section too large");
  } else if (error &&
             error.category() == http::make_error_code(http::error::bad_method).category() &&
             error != http::error::end_of_stream && error != http::error::partial_message) {
    co_await write_error(400, error.message());
  }
  if (error) co_return false;

  auto request = take_head();
  const auto length = parser_->content_length();
  continue_wanted_ = iequals(view(parser_->get()[http::field::expect]), "100-continue");
  if (!parser_->chunked() && length.value_or(0) <= k_body_buffered_max) {
    std::string body;
    try {
      while (body.size() < length.value_or(0)) {
        std::string piece = co_await read_body_piece(*length - body.size());
        if (piece.empty()) break;
        body = body.empty() ? std::move(piece) : body + piece;
      }
    } catch (const std::exception&) {
      co_return false;
    }
    request->body = source_of(std::move(body));
  } else {
    std::optional<std::uint64_t> size;
    if (length) size = *length;
    request->body = std::make_shared<StreamedBody>(weak_from_this(), size);
  }

  const bool head = request->method == "HEAD";
  const bool keep_alive = parser_->get().keep_alive();
  stream_.expires_never();
  const Reply reply = co_await call_handler((*choose_)(*request), request);
  request.reset();
  if (reply->failed()) {
    co_await write_error(500, "the handler failed");
    co_return false;
  }
  // What the handler left unread stands between us and the next request.
  const bool drained = parser_->is_done() || (!continue_wanted_ && co_await drain_body());
  const bool close = !keep_alive || !drained || ending_;
  const bool written = co_await write_response(reply->take(), head, close);
  co_return written && !close;
}

std::shared_ptr<aws::HttpRequest> Connection::take_head() {
  const auto& head = parser_->get();
  auto request = std::make_shared<aws::HttpRequest>();
  request->method = view(head.method_string());
  request->target = view(head.target());
  std::string_view target = request->target;
  // Absolute form, as proxies send it: http://host/path
  if (target.starts_with("http://") || target.starts_with("https://")) {
    const auto slash = target.find('/', target.find("://") + 3);
    target = slash == std::string_view::npos ? "/" : target.substr(slash);
  }
  const auto question = target.find('?');
  request->path = target.substr(0, question);
  if (question != std::string_view::npos) request->query = target.substr(question + 1);
  for (const auto& field : head) {
    request->headers.emplace_back(view(field.name_string()), view(field.value()));
  }
  request->remote = remote_;
  return request;
}

asio::awaitable<std::string> Connection::read_body_piece(std::size_t max) {
  if (!parser_ || parser_->is_done()) co_return std::string();
  if (continue_wanted_) {
    continue_wanted_ = false;
    static constexpr std::string_view k_continue = "HTTP/1.1 100 Continue\r\n\r\n";
    co_await asio::async_write(stream_, asio::buffer(k_continue), use_awaitable);
  }
  std::string piece(max, '\0');
  auto& body = parser_->get().body();
  body.data = piece.data();
  body.size = max;
  error_code error;
  while (!parser_->is_done() && body.size > 0) {
    stream_.expires_after(limits::k_body_stall_timeout);
    co_await http::async_read_some(stream_, buffer_, *parser_, no_throw(error));
    if (error == http::error::need_buffer) break;
    if (error) throw boost::system::system_error(error);
  }
  stream_.expires_never();
  piece.resize(max - body.size);
  co_return piece;
}

asio::awaitable<Connection::Reply> Connection::call_handler(
    platform::HttpHandler handler, std::shared_ptr<aws::HttpRequest> request) {
  stop_ = std::stop_source();
  handler_running_ = true;
  watch_for_disconnect();
  auto start = [this, handler = std::move(handler), request](auto completion) mutable {
    using Completion = decltype(completion);
    auto shared = std::make_shared<Completion>(std::move(completion));
    auto done = [self = shared_from_this(), shared](Outcome<aws::HttpResponse> outcome) {
      auto reply = std::make_shared<Outcome<aws::HttpResponse>>(std::move(outcome));
      asio::post(self->stream_.get_executor(),
                 [shared, reply = std::move(reply)]() mutable { std::move (*shared)(reply); });
    };
    spawn<aws::HttpResponse>({&calls_, stop_.get_token()},
                             answer_of(std::move(handler), std::move(request)), std::move(done));
  };
  Reply reply = co_await asio::async_initiate<decltype(use_awaitable), void(Reply)>(
      std::move(start), use_awaitable);
  stop_watching();
  co_return reply;
}

void Connection::stop_watching() {
  handler_running_ = false;
  watch_timer_.cancel();
}

// A client that goes away cancels its handler. Only looked for when a handler takes long, so that
// short requests cost nothing.
void Connection::watch_for_disconnect() {
  watch_timer_.expires_after(k_watch_after);
  watch_timer_.async_wait([self = shared_from_this()](error_code error) {
    if (error || !self->handler_running_) return;
    if (self->parser_ && !self->parser_->is_done()) {  // the body is still being read
      self->watch_for_disconnect();
      return;
    }
    self->stream_.socket().async_wait(Socket::wait_read, [self](error_code wait_error) {
      if (wait_error || !self->handler_running_) return;
      char byte = 0;
      const auto got =
          ::recv(self->stream_.socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
      if (got == 0) self->stop_.request_stop();  // data instead: a pipelined request, still alive
    });
  });
}

asio::awaitable<bool> Connection::drain_body() {
  std::size_t drained = 0;
  try {
    while (drained <= k_drain_max) {
      const std::string piece = co_await read_body_piece(k_body_buffered_max);
      if (piece.empty()) co_return true;
      drained += piece.size();
    }
  } catch (const std::exception&) {}
  co_return false;
}

asio::awaitable<bool> Connection::write_response(aws::HttpResponse response, bool head,
                                                 bool close) {
  const Head start = make_head(response, head, close);
  error_code error;
  stream_.expires_after(limits::k_body_stall_timeout);
  const bool body_wanted = !head && !has_no_body(response.status);
  if (body_wanted && !response.stream) {
    const std::array<asio::const_buffer, 2> parts{asio::buffer(start.text),
                                                  asio::buffer(response.body)};
    co_await asio::async_write(stream_, parts, no_throw(error));
    co_return !error;
  }
  co_await asio::async_write(stream_, asio::buffer(start.text), no_throw(error));
  if (error || !body_wanted) co_return !error;
  co_return co_await write_stream(std::move(response.stream), start.chunked);
}

asio::awaitable<bool> Connection::write_stream(ByteSourcePtr source, bool chunked) {
  using Piece = std::shared_ptr<Outcome<std::string>>;
  error_code error;
  while (true) {
    auto start = [this, source](auto completion) mutable {
      using Completion = decltype(completion);
      auto shared = std::make_shared<Completion>(std::move(completion));
      auto done = [self = shared_from_this(), shared](Outcome<std::string> outcome) {
        auto piece = std::make_shared<Outcome<std::string>>(std::move(outcome));
        asio::post(self->stream_.get_executor(),
                   [shared, piece = std::move(piece)]() mutable { std::move (*shared)(piece); });
      };
      spawn<std::string>({&calls_, stop_.get_token()}, source->read(limits::k_stream_piece_bytes),
                         std::move(done));
    };
    const Piece outcome = co_await asio::async_initiate<decltype(use_awaitable), void(Piece)>(
        std::move(start), use_awaitable);
    if (outcome->failed()) co_return false;  // the missing end tells the client
    const std::string piece = outcome->take();
    stream_.expires_after(limits::k_body_stall_timeout);
    if (chunked) {
      const std::string size = fmt::format("{:x}\r\n", piece.size());
      const std::array<asio::const_buffer, 3> parts{asio::buffer(size), asio::buffer(piece),
                                                    asio::buffer("\r\n", 2)};
      co_await asio::async_write(stream_, parts, no_throw(error));
    } else if (!piece.empty()) {
      co_await asio::async_write(stream_, asio::buffer(piece), no_throw(error));
    }
    if (error) co_return false;
    if (piece.empty()) co_return true;
  }
}

Connection::Nothing Connection::write_error(int status, std::string_view message) {
  aws::HttpResponse response;
  response.status = status;
  response.headers.emplace_back("content-type", "text/plain");
  response.body = std::string(message) + "\n";
  co_await write_response(std::move(response), false, true);
}

}  // namespace tarn::gateway
