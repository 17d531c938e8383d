// What Gmail, or whoever is in its place, may answer: any bytes as JSON, any status, any header.
import { concludeGmail } from '../../src/deliver/answers/gmail.ts'
import type { Reply } from '../../src/deliver/gmail/exchange.ts'
import { labelOf, labelsOf, refusalOf, storedOf } from '../../src/deliver/gmail/reply.ts'
import { displayBytes } from '../../src/display.ts'
import { asBytes, safe, type Target } from './target.ts'

const SEEDS = [
  '{"id":"18f","threadId":"18e","labelIds":["INBOX"]}',
  '{"labels":[{"id":"Label_1","name":"Work/old","type":"user"},{"id":"INBOX","name":"INBOX"}]}',
  '{"error":{"code":429,"message":"User-rate limit exceeded.  Retry after 2026-11-29T08:00:00.000Z","errors":[{"domain":"usageLimits","reason":"rateLimitExceeded"}],"status":"RESOURCE_EXHAUSTED"}}',
  '{"error":{"code":403,"message":"Gmail API has not been used in project 1 before https://console.developers.google.com/apis/api/gmail","details":[{"links":[{"url":"https://console.developers.google.com/"}],"reason":"SERVICE_DISABLED"}]}}',
  '{"error":{"code":400,"message":"Invalid attachment.","errors":[{"reason":"invalidArgument"}]}}',
  '{"error":"invalid_request"}',
  '[]',
  '',
].map(asBytes)

function jsonOf(input: Buffer): unknown {
  try {
    return JSON.parse(input.toString('utf8'))
  } catch {
    return undefined
  }
}

export const gmailTarget: Target = {
  name: 'answers of Gmail',
  seeds: SEEDS,
  run(input, random) {
    const status = random.of([200, 200, 308, 400, 401, 403, 404, 409, 413, 429, 500, 503])
    const headers = { 'retry-after': input.toString('latin1', 0, 40), range: input.toString('latin1', 0, 30) }
    const reply: Reply = { status, headers, json: jsonOf(input), begins: displayBytes(input, 80) }
    const stored = storedOf(reply)
    if (stored !== null) for (const id of [stored.id, stored.threadId]) safe(id)
    labelOf(reply.json)
    labelsOf(reply)
    const { reasons, words, link, pauseMs } = refusalOf(reply, 0)
    for (const text of [words, link, ...reasons]) safe(text)
    if (!Number.isFinite(pauseMs) || pauseMs < 0) throw new Error(`a pause of ${pauseMs}`)
    for (const step of ['labels', 'message'] as const) {
      const said = concludeGmail({ step, kind: 'answer', status, reasons, words, pauseMs, handed: true })
      // Nothing but an id is a delivery.
      if (stored === null && !['temporary', 'refused', 'unknown', 'held'].includes(said.verdict))
        throw new Error(said.verdict)
      safe(said.same)
    }
  },
}
