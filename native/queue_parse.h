#pragma once

#include <cstddef>
#include <cstdint>

namespace ipipoud {

/** What a datagram from an nfnetlink_queue socket holds, message by message. */
class QueueSink {
 public:
  /** A packet that waits for a verdict. Its bytes are none where the message was cut or has no payload. */
  virtual void OnPacket(uint32_t id, const uint8_t* packet, size_t size) = 0;
  /** Bytes that are no message of a queue. */
  virtual void OnMalformed() = 0;
  /** The kernel refused a request of ours (never 0). */
  virtual void OnRefused(int number) = 0;

 protected:
  ~QueueSink() = default;
};

/**
 * Walks one datagram. Pure: bytes in, calls to the sink out. Whatever the bytes are, it neither reads
 * past them nor throws, and a packet's id is reported whenever it can be read, since an id without a
 * verdict keeps its place in the kernel's queue for ever.
 */
void ParseQueueDatagram(const uint8_t* data, size_t size, QueueSink& sink);

/** Whether the datagram is the acknowledgement of request `sequence`; gives its errno (0: done). */
bool IsAcknowledgement(const uint8_t* data, size_t size, uint32_t sequence, int* number);

}  // namespace ipipoud
