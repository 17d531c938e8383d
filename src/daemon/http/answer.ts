// How an answer is sent: whole where it is short; piece by piece where it is long, so that neither the event loop nor memory has more of
// it than a few kilobytes at once. One rule: a client that does not read costs what it was sent, for a minute at most.
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { setImmediate as turn } from 'node:timers/promises'

/** So much is sent at once. */
const PIECE_CHARACTERS = 32 * 1024
/** Making pieces for longer than that, the others have their turn. */
const PIECE_MS = 8
/** For a long answer. Ten thousand accounts have three megabytes. */
const LIMIT_MS = 60_000

export function whole(response: ServerResponse, type: string, body: Buffer, status = 200): void {
  response.statusCode = status
  response.setHeader('Content-Type', type)
  response.setHeader('Content-Length', body.length)
  response.end(body)
}

/** Resolves when all is handed over, or the client has gone. */
export async function inPieces(response: ServerResponse, type: string, pieces: Iterable<string>): Promise<void> {
  response.setHeader('Content-Type', type)
  const limit = setTimeout(() => response.destroy(), LIMIT_MS).unref()
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  try {
    let text = ''
    let sinceMs = performance.now()
    for (const piece of pieces) {
      text += piece
      const isLate = performance.now() - sinceMs > PIECE_MS
      if (text.length < PIECE_CHARACTERS && !isLate) continue
      // What is written is held until the client reads it.
      if (response.destroyed) return
      if (!response.write(text)) await once(response, 'drain', { signal: gone.signal })
      text = ''
      // A client on this machine may read so fast that nothing is ever waited for.
      if (isLate) {
        await turn()
        sinceMs = performance.now()
      }
    }
    response.end(text)
  } catch (error) {
    if (!gone.signal.aborted) throw error
  } finally {
    clearTimeout(limit)
  }
}
