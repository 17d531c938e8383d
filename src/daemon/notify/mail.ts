// A notice as a short message of our own, delivered to a destination of the configuration as any other mail: people read mail. It is
// in no account's record: a notice that is cut off may come twice.
import { hostname } from 'node:os'
import path from 'node:path'
import { kindOf } from '../../config/destinations/destinations.ts'
import { signInsOf } from '../../config/oauth/sign-ins.ts'
import { stateFolder } from '../../config/paths.ts'
import type { Configuration } from '../../config/schema.ts'
import { FIRST_OF } from '../../config/values/written.ts'
import { openDestination } from '../../deliver/index.ts'
import { Reserve } from '../../deliver/disk/reserve.ts'
import { display } from '../../display.ts'
import { asPopfetchError } from '../../errors.ts'
import { identity, sha256, splitHeader } from '../../header.ts'
import type { Message, Origin } from '../../message.ts'
import { newIntent } from '../../poll/attempt.ts'
import type { Words } from './words.ts'

export interface MailContext {
  readonly configuration: Pick<Configuration, 'destinations' | 'oauth' | 'statePath' | 'postgres' | 'file'>
  readonly env: NodeJS.ProcessEnv
  readonly nowMs: number
  readonly signal: AbortSignal
  /** Is the destination of this name left alone, since it takes no mail, or a person wants it? It gets no notice either. */
  readonly isLeftAlone: (name: string) => boolean
}

/** Null: every recipient has it; of several destinations as one, those of the first that takes it. Else why not. Never rejects. */
export async function mailFailure(
  name: string,
  id: string,
  words: Words,
  context: MailContext,
): Promise<string | null> {
  const config = context.configuration.destinations.get(name)
  const members = config?.type === FIRST_OF ? config.of : [name]
  let failure: string | null = `no destination is called ${name}`
  for (const member of members) {
    if (context.isLeftAlone(member)) {
      failure = `${display(member, 100)} is paused`
      continue
    }
    failure = await deliver(member, id, words, context).then(
      () => null,
      (error: unknown) => asPopfetchError(error, 'destination').message,
    )
    if (failure === null) return null
  }
  return failure
}

async function deliver(name: string, id: string, words: Words, context: MailContext): Promise<void> {
  const { configuration, env, nowMs, signal } = context
  const config = configuration.destinations.get(name)
  if (config === undefined || config.type === FIRST_OF) throw new Error(`no destination is called ${name}`)
  const signIns = signInsOf({ ...configuration, accounts: [] }, env)
  const settings = await kindOf(config).settings(config, { account: 'popfetch', mailbox: null, env, signIns })
  await using destination = await openDestination(settings, {
    hostName: hostname(),
    nowMs: () => nowMs,
    reserve: new Reserve(),
    spoolDirectory: path.join(stateFolder(configuration), 'spool'),
    env,
  })
  await destination.ready(signal)
  const message = messageOf(id, words, nowMs)
  for (const recipient of destination.recipients)
    await destination.deliver({ intent: newIntent(), origin: message.origin, recipient }, message, signal)
}

export function messageOf(id: string, { title, text }: Words, nowMs: number): Message {
  const host = hostname().replace(/[^A-Za-z0-9.-]/g, '-') || 'localhost'
  const fields = [
    `From: popfetch <popfetch@${host}>`,
    'To: undisclosed-recipients:;',
    `Subject: ${title}`,
    `Date: ${new Date(nowMs).toUTCString().replace('GMT', '+0000')}`,
    `Message-ID: <popfetch.${id}@${host}>`,
    // No vacation answers to it (RFC 3834).
    'Auto-Submitted: auto-generated',
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=utf-8',
    'Content-Transfer-Encoding: base64',
  ]
  // Lines of any length and any characters: they are nobody's business on the way.
  const body = Buffer.from(`${text}\n`).toString('base64').replace(/.{76}/g, '$&\r\n')
  const bytes = Buffer.from(`${fields.join('\r\n')}\r\n\r\n${body}\r\n`, 'latin1')
  const header = splitHeader(bytes)
  const origin: Origin = { account: 'popfetch', host, user: 'popfetch', uidl: id, copy: 0, protocol: 'POP3S' }
  return {
    origin,
    sizeBytes: bytes.length,
    digest: sha256(bytes),
    ...identity(header),
    header,
    body: { kind: 'memory', bytes },
    receivedMs: nowMs,
  }
}
