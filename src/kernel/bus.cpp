// SPDX-License-Identifier: Apache-2.0
#include "kernel/bus.hpp"

#include <stdexcept>

#include <fmt/format.h>

#include "kernel/lane.hpp"
#include "kernel/store_impl.hpp"
#include "kernel/timers.hpp"

namespace tarn::kernel {

struct Bus::Impl {
  Store& store;
  Executor& background;
  std::vector<std::shared_ptr<Lane>> lanes;
  std::vector<std::pair<std::string, std::string>> names;  // topic, subscriber
  std::shared_ptr<Timers> timers;
  bool started = false;
  bool stopped = false;
};

Bus::Bus(Store& store, Executor& background)
    : impl_(std::make_unique<Impl>(Impl{store, background, {}, {}, {}})) {
  impl_->timers = std::make_shared<Timers>(store, background);
}

Bus::~Bus() { stop(); }

void Bus::subscribe(Subscription subscription) {
  if (impl_->started) throw std::logic_error("the bus has started: subscribe before");
  for (const auto& [topic, subscriber] : impl_->names) {
    if (topic != subscription.topic || subscriber != subscription.subscriber) continue;
    throw std::logic_error(fmt::format("{} is subscribed to {} already", subscriber, topic));
  }
  const std::string topic = subscription.topic;
  const std::string subscriber = subscription.subscriber;
  auto lane = std::make_shared<Lane>(impl_->store, impl_->background, std::move(subscription));
  impl_->store.impl().outbox.subscribe(topic, subscriber, [weak = std::weak_ptr(lane)] {
    if (const auto self = weak.lock()) self->wake();
  });
  impl_->names.emplace_back(topic, subscriber);
  impl_->lanes.push_back(std::move(lane));
}

void Bus::start() {
  impl_->started = true;
  for (const auto& lane : impl_->lanes) lane->start();
  impl_->timers->start();
}

void Bus::stop() {
  if (impl_->stopped) return;
  impl_->stopped = true;
  impl_->timers->stop();
  for (const auto& lane : impl_->lanes) lane->stop();
  for (const auto& [topic, subscriber] : impl_->names) {
    impl_->store.impl().outbox.subscribe(topic, subscriber, {});
  }
}

void Bus::drain() {
  // A delivery may emit, and a timer may be due: quiet is when one round finds everything idle.
  for (bool quiet = false; !quiet;) {
    quiet = impl_->timers->idle();
    for (const auto& lane : impl_->lanes) {
      while (!lane->idle()) {
        quiet = false;
        lane->wake();  // events of other topics move the horizon and wake nobody here
        lane->wait_change(Milliseconds(5));
      }
    }
    if (!quiet) std::this_thread::yield();
  }
}

}  // namespace tarn::kernel
