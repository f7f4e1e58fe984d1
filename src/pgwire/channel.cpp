// SPDX-License-Identifier: Apache-2.0
#include "pgwire/channel.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>

namespace tarn::pgwire {

void IoExecutor::post(std::function<void()> work) { asio::post(io_, std::move(work)); }

Channel::Channel(asio::ip::tcp::socket socket, asio::ssl::context& tls)
    : stream_(std::move(socket), tls) {}

Task<void> Channel::fill(std::size_t count) {
  auto self = shared_from_this();
  while (buffer_.size() < count) {
    OneShot<std::size_t> arrived;
    piece_.resize(64 * 1024);
    const auto handler = [arrived, self](boost::system::error_code error, std::size_t n) {
      if (error)
        arrived.set_error(std::make_exception_ptr(ChannelClosed()));
      else
        arrived.set(n);
    };
    if (secure_)
      stream_.async_read_some(asio::buffer(piece_), handler);
    else
      stream_.next_layer().async_read_some(asio::buffer(piece_), handler);
    const std::size_t n = co_await arrived;
    buffer_.append(piece_, 0, n);
  }
  piece_.clear();
  piece_.shrink_to_fit();  // an idle connection keeps little
}

Task<std::string> Channel::read(std::size_t count) {
  if (buffer_.size() < count) co_await fill(count);
  std::string bytes = buffer_.substr(0, count);
  buffer_.erase(0, count);
  co_return bytes;
}

Task<void> Channel::write(std::string bytes) {
  if (bytes.empty()) co_return;
  auto self = shared_from_this();
  auto kept = std::make_shared<std::string>(std::move(bytes));
  OneShot<void> written;
  const auto handler = [written, kept, self](boost::system::error_code error, std::size_t) {
    if (error)
      written.set_error(std::make_exception_ptr(ChannelClosed()));
    else
      written.set();
  };
  if (secure_)
    asio::async_write(stream_, asio::buffer(*kept), handler);
  else
    asio::async_write(stream_.next_layer(), asio::buffer(*kept), handler);
  co_await written;
}

Task<void> Channel::start_tls() {
  auto self = shared_from_this();
  OneShot<void> done;
  stream_.async_handshake(asio::ssl::stream_base::server,
                          [done, self](boost::system::error_code error) {
                            if (error)
                              done.set_error(std::make_exception_ptr(ChannelClosed()));
                            else
                              done.set();
                          });
  co_await done;
  secure_ = true;
}

void Channel::abort() {
  auto self = shared_from_this();
  asio::post(stream_.get_executor(), [self] {
    boost::system::error_code ignored;
    self->stream_.next_layer().shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
    self->stream_.next_layer().close(ignored);
  });
}

}  // namespace tarn::pgwire
