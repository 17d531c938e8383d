// What the tests of the mechanisms share: a question to an exchange, and its answer as text.
import type { Answer, SaslExchange } from '../../../src/pop3/sign-in/mechanism.ts'

export const EMPTY = Buffer.alloc(0)
export const peer = { host: 'pop.example.net', port: 995 }

/** For mechanisms that answer at once. */
export function ask(exchange: SaslExchange, challenge: Buffer): Answer {
  const answer = exchange.answer(challenge)
  if (answer instanceof Promise) throw new Error('this mechanism takes its time')
  return answer
}

export function textOf(answer: Answer): string {
  return Buffer.isBuffer(answer) ? answer.toString() : answer.cancel
}
