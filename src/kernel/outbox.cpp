// SPDX-License-Identifier: Apache-2.0
#include "kernel/outbox.hpp"

#include <algorithm>

namespace tarn::kernel {

void Outbox::open(std::uint64_t first, std::function<void(std::uint64_t)> reserve) {
  next_ = limit_ = first;
  reserve_ = std::move(reserve);
}

void Outbox::subscribe(const std::string& topic, const std::string& subscriber,
                       std::function<void()> wake) {
  std::unique_lock lock(registry_mutex_);
  auto& entry = topics_[topic];
  if (!entry) entry = std::make_unique<Topic>();
  for (auto& queue : entry->queues) {
    if (queue->subscriber != subscriber) continue;
    queue->wake = std::move(wake);
    return;
  }
  entry->queues.push_back(std::make_shared<Queue>(Queue{topic, subscriber, std::move(wake)}));
}

bool Outbox::has_subscriber(const std::string& topic) const {
  std::shared_lock lock(registry_mutex_);
  return topics_.contains(topic);
}

void Outbox::reserve_for(std::size_t count) {
  if (next_ + count <= limit_) return;
  const std::uint64_t limit = next_ + count + k_block;
  reserve_(limit);
  limit_ = limit;
}

std::uint64_t Outbox::draw_number() {
  std::lock_guard order(order_mutex_);
  reserve_for(1);
  return next_++;
}

std::uint64_t Outbox::next_number() const {
  std::lock_guard order(order_mutex_);
  return next_;
}

Outbox::Ticket Outbox::draw(
    const std::vector<Event>& events,
    const std::function<void(const Event&, const Queue&, std::uint64_t)>& write) {
  Ticket ticket;
  std::shared_lock registry(registry_mutex_);
  std::vector<std::pair<const Event*, Topic*>> wanted;
  for (const Event& event : events) {
    const auto topic = topics_.find(event.topic);
    if (topic != topics_.end()) wanted.emplace_back(&event, topic->second.get());
  }
  if (wanted.empty()) return ticket;
  {
    std::lock_guard order(order_mutex_);
    reserve_for(wanted.size());
    ticket.outbox_ = this;
    ticket.first_ = next_;
    next_ += wanted.size();
    for (const auto& [event, topic] : wanted) {
      if (topic->writing.insert(ticket.first_).second) ticket.topics_.push_back(topic);
    }
  }
  std::uint64_t sequence = ticket.first_;
  for (const auto& [event, topic] : wanted) {
    for (const auto& queue : topic->queues) write(*event, *queue, sequence);
    ++sequence;
  }
  return ticket;
}

std::uint64_t Outbox::horizon(const std::string& name) const {
  std::shared_lock registry(registry_mutex_);
  const auto topic = topics_.find(name);
  std::lock_guard order(order_mutex_);
  if (topic == topics_.end() || topic->second->writing.empty()) return next_;
  return *topic->second->writing.begin();
}

Outbox::Ticket& Outbox::Ticket::operator=(Ticket&& other) noexcept {
  release();
  outbox_ = std::exchange(other.outbox_, nullptr);
  first_ = other.first_;
  topics_ = std::move(other.topics_);
  return *this;
}

void Outbox::Ticket::release() {
  if (!outbox_) return;
  std::shared_lock registry(outbox_->registry_mutex_);
  {
    std::lock_guard order(outbox_->order_mutex_);
    for (Topic* topic : topics_) topic->writing.erase(first_);
  }
  for (Topic* topic : topics_) {
    for (const auto& queue : topic->queues) {
      if (queue->wake) queue->wake();
    }
  }
  outbox_ = nullptr;
}

}  // namespace tarn::kernel
