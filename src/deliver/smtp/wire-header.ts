// The two changes to a header on its way over SMTP, each of a line that would stop the message on its way. A `Delivered-To` of the
// very recipient, which Postfix, qmail and Courier take for a loop and bounce (D115), becomes `X-Delivered-To`. A first line
// `From …`, which is no field and behind our own fields ends the header for the next server (D131), becomes `X-From-Line`. Pure.
// One rule: no other byte is changed.

/** A header that goes on behind this many bytes is not looked at any further. */
const HEADER_BYTES = 1024 * 1024

/** A message knows no more of its header. */
const KNOWN_BYTES = 64 * 1024

/** Of latin1 text that begins with the header; the same text when nothing is to be changed. */
export type HeaderChange = (text: string) => string

/** A bare CR or LF counts as a line end: it will be one on the wire. A field goes on in the lines that begin with white space. */
const LINE = '(?:\\r\\n|\\r(?!\\n)|\\n)'
const FIELD = new RegExp(`(^|${LINE})(delivered-to[ \\t]*:)((?:(?!${LINE}(?![ \\t]))[\\s\\S])*)`, 'gi')
const END = new RegExp(`^${LINE}|${LINE}${LINE}`)
const FROM_LINE = /^>?From /

const DELIVERED_TO = /delivered-to/i

/** A quick look: can there be anything to change? `header`: of a message, or only its beginning. */
export function mayNeedChange(header: Buffer): boolean {
  return header.length >= KNOWN_BYTES || /^>?From |delivered-to/i.test(header.toString('latin1'))
}

/** `recipient`: whose `Delivered-To` is renamed; null: nobody's. */
export function changeFor(recipient: string | null): HeaderChange {
  return (text) => {
    const end = END.exec(text)
    // The line end of the last field is part of the header.
    const at = end === null ? text.length : end.index
    const header = text.slice(0, at).replace(FROM_LINE, 'X-From-Line: ')
    if (recipient === null) return header + text.slice(at)
    const renamed = header.replace(FIELD, (field, before: string, name: string, value: string) =>
      isOf(value, recipient) ? `${before}X-${name}${value}` : field,
    )
    return renamed + text.slice(at)
  }
}

/** Has it a `Delivered-To` of `recipient`? */
export function wasDeliveredTo(header: Buffer, recipient: string): boolean {
  const text = header.toString('latin1')
  if (!DELIVERED_TO.test(text)) return false
  const at = END.exec(text)?.index ?? text.length
  return [...text.slice(0, at).matchAll(FIELD)].some(([, , , value = '']) => isOf(value, recipient))
}

/** Folding, case, angle brackets and a comment behind it make no difference. */
function isOf(value: string, recipient: string): boolean {
  const address = value
    .replace(/\s+/g, ' ')
    .replace(/\([^()]*\)/g, '')
    .trim()
    .replace(/^<(.*)>$/, '$1')
    .trim()
  const wanted = recipient.toLowerCase()
  return address.toLowerCase() === wanted || Buffer.from(address, 'latin1').toString().toLowerCase() === wanted
}

/** A whole message, changed. */
export function changed(bytes: Buffer, change: HeaderChange): Buffer {
  const text = bytes.subarray(0, HEADER_BYTES).toString('latin1')
  const after = change(text)
  return after === text ? bytes : Buffer.concat([Buffer.from(after, 'latin1'), bytes.subarray(text.length)])
}

/** A message that comes in chunks, changed. */
export async function* changedChunks(
  source: AsyncIterable<Buffer>,
  change: HeaderChange,
): AsyncGenerator<Buffer, void, void> {
  let held: Buffer[] | null = []
  let text = ''
  for await (const chunk of source) {
    if (held === null) {
      yield chunk
      continue
    }
    held.push(chunk)
    text += chunk.toString('latin1')
    // A line end at the very end may be the first half of one.
    if (text.length < HEADER_BYTES && !END.test(text.slice(0, -1))) continue
    yield Buffer.from(change(text), 'latin1')
    held = null
    text = ''
  }
  if (held !== null) yield Buffer.from(change(text), 'latin1')
}
