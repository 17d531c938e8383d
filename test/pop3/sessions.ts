// What the tests of the session share: options for a fake server, a body that keeps its bytes, the error of a promise.
import { expect } from 'vitest'
import { PopfetchError } from '../../src/errors.ts'
import type { BodySink } from '../../src/pop3/wire/exchange.ts'
import { Session, type SessionOptions } from '../../src/pop3/session.ts'
import { ca } from '../support/certificates.ts'
import { Pop3Server } from '../support/pop3-server.ts'

export const alice = { user: 'alice', password: 'secret' } as const
/** What PLAIN sends for alice. */
export const aliceInPlain = Buffer.from('\0alice\0secret').toString('base64')

export function optionsFor(server: { readonly port: number }, changes: Partial<SessionOptions> = {}): SessionOptions {
  return {
    host: '127.0.0.1',
    port: server.port,
    tls: { ca, pin: null, clientCert: null, clientKey: null, name: null },
    proxy: null,
    via: null,
    // Generous, and never reached but by those tests that set their own.
    timeoutMs: 10_000,
    tlsMode: 'none',
    pipelining: true,
    askCapabilities: true,
    remembered: null,
    trace: null,
    ...changes,
  }
}

export function open(
  server: { readonly port: number },
  changes: Partial<SessionOptions> = {},
  signal: AbortSignal = new AbortController().signal,
): Promise<Session> {
  return Session.open(optionsFor(server, changes), signal)
}

export async function signedIn(
  server: { readonly port: number },
  changes: Partial<SessionOptions> = {},
  signal?: AbortSignal,
): Promise<Session> {
  const session = await open(server, changes, signal)
  await session.signIn('auto', alice)
  return session
}

/** The error that the promise is rejected with. */
export async function failure(promise: Promise<unknown>): Promise<PopfetchError> {
  const outcome = await promise.then(
    () => 'nothing was thrown',
    (error: unknown) => error,
  )
  expect(outcome).toBeInstanceOf(PopfetchError)
  return outcome as PopfetchError
}

export class Kept implements BodySink {
  readonly #chunks: Buffer[] = []

  write(chunk: Buffer): undefined {
    this.#chunks.push(Buffer.from(chunk))
    return undefined
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks)
  }

  get text(): string {
    return this.bytes.toString('latin1')
  }
}

/** What a session says until it is closed, but for CAPA. */
export async function signInCommands(server: Pop3Server): Promise<readonly string[]> {
  await server.journal.when(({ kind }) => kind === 'close')
  return server.journal.commands().filter((line) => line !== 'CAPA')
}

export async function withMessages(
  count: number,
  body = (n: number) => `Subject: ${n}\n\n.dot ${n}\n..\n`,
): Promise<Pop3Server> {
  const server = await Pop3Server.start()
  const mailbox = server.mailbox('alice')
  for (let n = 1; n <= count; n++) mailbox.add(body(n))
  return server
}
