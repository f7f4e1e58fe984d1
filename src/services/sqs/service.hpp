// SPDX-License-Identifier: Apache-2.0
// SQS: the operation table and its handlers. What a queue is stands in queue.hpp, where messages
// are in kernel/message_queue.hpp.
//
// Threading: handlers run on the call pool, several at a time. Records are in the store; the open
// message queues are shared between handlers and thread-safe.
#pragma once
#include <map>
#include <memory>
#include <mutex>

#include "aws/sqs/operations.hpp"
#include "kernel/message_queue.hpp"
#include "platform/service.hpp"
#include "services/sqs/queue.hpp"
#include "services/sqs/records.hpp"

namespace tarn::sqs {

using Messages = std::shared_ptr<kernel::MessageQueue>;

class Sqs : public platform::ServiceOf<Sqs> {
 public:
  explicit Sqs(platform::Environment& environment);
  std::string_view name() const override { return "sqs"; }
  void operations(platform::OpTable& t);
  void resources(platform::ResourceTypes& types) override;

 private:
  using Call = platform::Call;
  using CallPtr = platform::CallPtr;
  using Txn = kernel::Txn;

  CreateQueueOutput create_queue(Call&, const CreateQueueInput&);
  DeleteQueueOutput delete_queue(Call&, const DeleteQueueInput&);
  ListQueuesOutput list_queues(Call&, const ListQueuesInput&);
  GetQueueUrlOutput get_queue_url(Call&, const GetQueueUrlInput&);
  GetQueueAttributesOutput get_attributes(Call&, const GetQueueAttributesInput&);
  SetQueueAttributesOutput set_attributes(Call&, const SetQueueAttributesInput&);
  PurgeQueueOutput purge_queue(Call&, const PurgeQueueInput&);
  ListDeadLetterSourceQueuesOutput list_sources(Call&, const ListDeadLetterSourceQueuesInput&);
  TagQueueOutput tag_queue(Call&, const TagQueueInput&);
  UntagQueueOutput untag_queue(Call&, const UntagQueueInput&);
  ListQueueTagsOutput list_tags(Call&, const ListQueueTagsInput&);
  AddPermissionOutput add_permission(Call&, const AddPermissionInput&);
  RemovePermissionOutput remove_permission(Call&, const RemovePermissionInput&);

  SendMessageOutput send_message(Call&, const SendMessageInput&);
  SendMessageBatchOutput send_batch(Call&, const SendMessageBatchInput&);
  Task<ReceiveMessageOutput> receive_message(CallPtr, ReceiveMessageInput);
  DeleteMessageOutput delete_message(Call&, const DeleteMessageInput&);
  DeleteMessageBatchOutput delete_batch(Call&, const DeleteMessageBatchInput&);
  ChangeMessageVisibilityOutput change_visibility(Call&, const ChangeMessageVisibilityInput&);
  ChangeMessageVisibilityBatchOutput change_visibility_batch(
      Call&, const ChangeMessageVisibilityBatchInput&);

  struct Located {
    kernel::Scope scope;
    std::string name;
  };
  // What a URL means to a caller; throws QueueDoesNotExist.
  static Located locate(const Call& call, const std::string& url);
  QueueRecord require(Txn& txn, const Located& at, Txn::Lock lock);
  // Without a lock: for what no write depends on.
  QueueRecord look_up(const Located& at);
  Messages messages_of(const kernel::Scope& scope, const QueueRecord& queue);
  void check_dead_letter_queue(Txn& txn, const Located& source, const AttributeMap& attributes);
  std::string url_of(const Call& call, const Located& at) const;

  // One message of a request, before and after it was sent.
  struct Draft {
    std::string id;  // of the batch entry
    std::string body;
    std::optional<std::int32_t> delay_seconds;
    std::optional<std::string> dedup_id, group;
    std::map<std::string, StoredAttribute> attributes;
    std::string trace_header;
  };
  struct Sent {
    std::string message_id, body_md5;
    std::optional<std::string> attributes_md5, system_md5, sequence;
  };
  template <class Entry>
  static Draft draft_of(const Entry& entry);
  // Checks and sends in the transaction; throws what is wrong with this message.
  Sent send(Txn& txn, const Call& call, const Located& at, const QueueRecord& queue,
            kernel::MessageQueue& messages, Draft draft);
  Sent enqueue(Txn& txn, const Call& call, const QueueRecord& queue, kernel::MessageQueue& messages,
               Draft draft);
  static void forget_old_dedup(Txn& txn, const std::string& uid, Timestamp now);
  std::vector<kernel::QueuedMessage> take(const Located& at, const QueueRecord& queue,
                                          kernel::MessageQueue& messages, std::size_t max,
                                          Seconds visibility);
  bool move_to_dead_letters(const Located& at, const QueueRecord& queue,
                            kernel::MessageQueue& messages, const kernel::QueuedMessage& taken,
                            const RedrivePolicy& policy);
  void erase_message(const QueueRecord& queue, kernel::MessageQueue& messages,
                     const std::string& receipt);
  void set_visibility(const QueueRecord& queue, kernel::MessageQueue& messages,
                      const std::string& receipt, std::int32_t seconds);
  Task<void> purge_gone(kernel::Delivery delivery);

  platform::Environment& environment_;
  kernel::Store& store_;
  std::mutex mutex_;
  std::map<std::string, Messages> open_;  // by uid
};

}  // namespace tarn::sqs
