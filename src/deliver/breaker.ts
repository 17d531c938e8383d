// Tells a refused message from a server that refuses everything: relaying denied, a mailbox gone, a sender's domain blocked
// (D032). Pure.

/** So many different messages in a row, refused with the same codes before their content: the cause is not the messages. */
const IN_A_ROW = 3

export interface Refused {
  /** Names the message; the same one tried again proves nothing. */
  readonly message: string
  readonly sender: string
  readonly recipient: string
  readonly reply: string
}

export class RefusalBreaker {
  #same = ''
  #messages = new Set<string>()
  #senders = new Set<string>()

  /** The server took a recipient. */
  accepted(): void {
    this.#forget('')
  }

  /** True when this refusal is not about the message. */
  refused({ message, sender, recipient, reply }: Refused): boolean {
    const same = `${recipient} ${codesOf(reply)}`
    if (same !== this.#same) this.#forget(same)
    this.#messages.add(message)
    this.#senders.add(sender)
    if (this.#messages.size < IN_A_ROW) return false
    // If one sender was refused three times, the next message will be refused too. If there were several senders, the
    // messages may still be at fault, and the next poll must get past these three (P4).
    if (this.#senders.size > 1) this.#forget('')
    return true
  }

  #forget(same: string): void {
    this.#same = same
    this.#messages = new Set()
    this.#senders = new Set()
  }
}

/** The code and the enhanced code (RFC 3463), without the words, which may name the message. */
function codesOf(reply: string): string {
  return /^\d{3}(?:[ -]\d\.\d{1,3}\.\d{1,3})?/.exec(reply)?.[0].replace('-', ' ') ?? ''
}
