// SPDX-License-Identifier: Apache-2.0
// One client connection: reads requests, hands them over, writes answers, in order. Internal to
// the gateway; all members run on the connection's strand unless they say otherwise.
#pragma once
#include <functional>
#include <memory>

// Asio would take coroutine frames from a cache of the running thread. clang keeps the address of
// thread-local data over a suspension (LLVM issue 47179), so a coroutine that went on on another
// thread used the first one's cache: with two io threads memory was corrupted within a second.
#define BOOST_ASIO_DISABLE_AWAITABLE_FRAME_RECYCLING
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>

#include "base/pool.hpp"
#include "gateway/server.hpp"

namespace tarn::gateway {

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  using Socket = boost::asio::ip::tcp::socket;
  // Chooses the handler by the request's path.
  using Choose = std::function<platform::HttpHandler(const aws::HttpRequest&)>;

  Connection(Socket socket, ThreadPool& calls, std::shared_ptr<const Choose> choose);
  // `on_end` runs once, on the strand, when the connection is over.
  void start(std::function<void()> on_end);
  // From any thread: no further request; idle connections close at once.
  void stop_after_request();
  // From any thread: closes now, cancelling the running handler.
  void cut();

 private:
  friend class StreamedBody;
  using Parser = boost::beast::http::request_parser<boost::beast::http::buffer_body>;
  using Nothing = boost::asio::awaitable<void>;
  using Reply = std::shared_ptr<Outcome<aws::HttpResponse>>;

  Nothing run();
  boost::asio::awaitable<bool> serve_one();
  std::shared_ptr<aws::HttpRequest> take_head();
  boost::asio::awaitable<std::string> read_body_piece(std::size_t max);
  boost::asio::awaitable<Reply> call_handler(platform::HttpHandler handler,
                                             std::shared_ptr<aws::HttpRequest> request);
  // Called from coroutines, which go on on any io thread; asio's thread-local data must not be
  // looked up in their frames (see above).
  [[gnu::noinline]] void watch_for_disconnect();
  [[gnu::noinline]] void stop_watching();
  boost::asio::awaitable<bool> drain_body();
  boost::asio::awaitable<bool> write_response(aws::HttpResponse response, bool head, bool close);
  boost::asio::awaitable<bool> write_stream(ByteSourcePtr source, bool chunked);
  Nothing write_error(int status, std::string_view message);

  boost::beast::tcp_stream stream_;
  boost::asio::steady_timer watch_timer_;
  ThreadPool& calls_;
  std::shared_ptr<const Choose> choose_;
  boost::beast::flat_buffer buffer_;
  std::optional<Parser> parser_;
  std::stop_source stop_;         // of the running handler
  bool continue_wanted_ = false;  // Expect: 100-continue not answered yet
  bool handler_running_ = false;
  bool ending_ = false;
  std::string remote_;
};

}  // namespace tarn::gateway
