// A message as it goes from the POP3 session to destinations: plain readonly data, complete before anybody sees it.

/** Where a message came from, and its identity there (DESIGN 4.1). */
export interface Origin {
  readonly account: string
  readonly host: string
  readonly user: string
  /** The UIDL's bytes as latin1 text, one character a byte; never decoded, never part of a path (P092, P094). In the ledger's
   *  key it may have a stand-in (redact/stand-in.ts). */
  readonly uidl: string
  /** 0 for the first message with this UIDL in the mailbox, 1 for the second … (P095). */
  readonly copy: number
  readonly protocol: 'POP3' | 'POP3S'
}

/** How the bytes of a body stand in a file: as received, or already as one destination wants them. */
export interface FileForm {
  readonly lineEndings: 'crlf' | 'lf'
  /** Bytes that stand before the message: the fields popfetch puts on top. */
  readonly prefixBytes: number
}

export type Body =
  | { readonly kind: 'memory'; readonly bytes: Buffer }
  | { readonly kind: 'file'; readonly path: string; readonly form: FileForm }

export interface Message {
  readonly origin: Origin
  /** As received: CRLF line ends, dots undone, without the terminator. */
  readonly sizeBytes: number
  /** SHA-256 of those bytes. */
  readonly digest: Buffer
  /** Digest of the fields that stay the same between TOP and RETR (P128); 16 bytes. */
  readonly fingerprint: Buffer
  /** As written in the header, latin1, without folding; null without one. */
  readonly messageId: string | null
  /** The header, at most its first 64 KiB, as received. */
  readonly header: Buffer
  readonly body: Body
  readonly receivedMs: number
}

/** What a person recognises a message by: decoded, at most 200 characters each, not safe to print as they are. Null: the
 *  header has none. */
export interface Heading {
  readonly from: string | null
  readonly subject: string | null
  /** By its Date field. */
  readonly dateMs: number | null
}

/** What is remembered of a received message, to know it again. */
export interface ReceivedFacts {
  readonly receivedBytes: number
  readonly digest: Buffer
  readonly fingerprint: Buffer
  readonly messageId: string | null
  /** Absent: what is recorded of it stays. */
  readonly heading?: Heading
}
