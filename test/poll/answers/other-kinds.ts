// What a destination that is no SMTP server does, and what follows from it. The table of answers as people read it, by hand (the
// other kinds: IMAP, Gmail, disk, command). And the destinations that do so.
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { type GmailAnswer, GmailServer, refusal } from '../../support/gmail-server.ts'
import { ImapServer } from '../../support/imap-server.ts'
import type { Scene } from '../scene.ts'

/** `place`: of the destination. `uncertain`: the same, and it may have arrived. Of the message: `own` is deferred, `refused`, `form`
 *  refused and never counted, `lost`. `found`: the answer was lost, and the destination shows what it has. */
export type Meaning = 'place' | 'uncertain' | 'own' | 'refused' | 'form' | 'lost' | 'found'

/** Half a minute later: `paused`, nothing is asked. `looked`: it is looked at again, and nothing is fetched. `tried`: once. */
export type Afterwards = 'paused' | 'looked' | 'tried'

export interface Other extends AsyncDisposable {
  /** What is behind its name in the configuration. */
  readonly keys: string
  /** Does `what` from now on; null: it is well. */
  fail(what: string | null): void
  /** The letters that it has, sorted. */
  taken(): readonly number[]
}

export interface OtherRow {
  readonly kind: keyof typeof KINDS
  readonly what: string
  readonly means: Meaning
  readonly exit: number
  readonly afterwards: Afterwards
}

const numberOf = (text: string): number => Number(/^Subject: letter (\d+)\r?$/m.exec(text)?.[1])
const sorted = (texts: readonly string[]): readonly number[] => texts.map(numberOf).toSorted((a, b) => a - b)

const SIGN_IN: ReadonlySet<string> = new Set(['LOGIN', 'AUTHENTICATE'])
const FOLDER: ReadonlySet<string> = new Set(['SELECT', 'EXAMINE', 'STATUS', 'CREATE'])

/** `step: answer` */
async function imap(): Promise<Other> {
  const server = await ImapServer.start({ tls: 'none', users: { bob: 'right-horse' } })
  return {
    keys: `type: imap, host: 127.0.0.1, port: ${server.port}, tls: none, user: bob, password: right-horse, concurrency: 1`,
    fail: (what) => {
      const [step = '', answer = ''] = what?.split(/: (.*)/) ?? []
      const steps = step === 'sign-in' ? SIGN_IN : step === 'folder' ? FOLDER : new Set([step])
      server.answer = ({ command }) => (steps.has(command) ? answer : null)
    },
    taken: () =>
      sorted([...server.folders.values()].flatMap(({ messages }) => messages.map(({ bytes }) => String(bytes)))),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

/** Longer than is waited out inside a poll. */
const later = (status: number, reason: string): GmailAnswer => {
  const answer = refusal(status, reason)
  return typeof answer === 'object' && answer !== null ? { ...answer, headers: { 'retry-after': '3600' } } : answer
}
const GMAIL: Readonly<Record<string, GmailAnswer>> = {
  '401': refusal(401, 'authError'),
  '403 scope': refusal(403, 'insufficientPermissions'),
  '403 daily limit': later(403, 'dailyLimitExceeded'),
  '429': later(429, 'rateLimitExceeded'),
  '503': later(503, 'backendError'),
  '413': refusal(413, 'uploadTooLarge'),
  '400': refusal(400, 'invalidArgument'),
  '400 precondition': refusal(400, 'failedPrecondition'),
  '403 policy': refusal(403, 'domainPolicy'),
  '403 other': refusal(403, 'forbidden'),
  '404': refusal(404, 'notFound'),
  'a page': { status: 200, body: '<html>sign in</html>' },
  'cut behind the message': 'drop',
  'stored, and cut': 'lost',
}

async function gmail(): Promise<Other> {
  const server = await GmailServer.start()
  return {
    keys: `type: gmail, user: anna@gmail.com, token: good, endpoint: "${server.endpoint}", concurrency: 1`,
    fail: (what) => void (server.faults.import = what === null ? null : (GMAIL[what] ?? null)),
    taken: () => sorted(server.messages.map(({ bytes }) => String(bytes))),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

function command(scene: Scene): Promise<Other> {
  const [script, folder] = [scene.path('agent'), scene.path('came')]
  const write = (end: string): void => {
    writeFileSync(script, `#!/bin/sh\ncat > ${folder}-$$.part\n${end}\nmv ${folder}-$$.part ${folder}-$$.mail\n`)
    chmodSync(script, 0o700)
  }
  write('')
  const came = (): string[] => readdirSync(scene.directory).filter((name) => name.endsWith('.mail'))
  return Promise.resolve({
    keys: `type: command, run: [${script}]`,
    fail: (what) => {
      rmSync(script, { force: true })
      if (what !== 'no program') write(what === null ? '' : what === 'a signal' ? 'kill -9 $$' : what)
    },
    taken: () => sorted(came().map((name) => readFileSync(scene.path(name), 'latin1'))),
    async [Symbol.asyncDispose]() {},
  })
}

function maildir(scene: Scene): Promise<Other> {
  const place = scene.path('there')
  return Promise.resolve({
    keys: 'type: maildir, path: there',
    fail: (what) => {
      rmSync(place, { recursive: true, force: true })
      if (what === 'a file') writeFileSync(place, '')
      if (what === 'a dead link') symlinkSync(scene.path('nowhere/at/all'), place)
    },
    taken: () => scene.subjects('there'),
    async [Symbol.asyncDispose]() {},
  })
}

function mbox(scene: Scene): Promise<Other> {
  const place = scene.path('box')
  return Promise.resolve({
    keys: 'type: mbox, path: box',
    fail: (what) => {
      rmSync(place, { recursive: true, force: true })
      if (what === 'a link') symlinkSync(scene.path('elsewhere'), place)
      if (what === 'a folder') mkdirSync(place)
    },
    taken: () =>
      existsSync(place) ? sorted(`\n${readFileSync(place, 'latin1')}`.split(/\nFrom [^\n]*\n/).slice(1)) : [],
    async [Symbol.asyncDispose]() {},
  })
}

export const KINDS = { imap, gmail, command, maildir, mbox } as const

type Facts = Partial<Omit<OtherRow, 'kind' | 'what' | 'means'>>

function row(kind: keyof typeof KINDS, what: string, means: Meaning, facts: Facts = {}): OtherRow {
  return { kind, what, means, exit: 75, afterwards: 'paused', ...facts }
}

const SIGN: Facts = { exit: 77, afterwards: 'tried' }
const ACT: Facts = { exit: 73 }
const LOOKED: Facts = { exit: 73, afterwards: 'looked' }

export const OTHER_ROWS: readonly OtherRow[] = [
  row('imap', 'sign-in: NO [AUTHENTICATIONFAILED] no', 'place', SIGN),
  row('imap', 'sign-in: NO [EXPIRED] no', 'place', SIGN),
  row('imap', 'sign-in: NO no', 'place', SIGN),
  row('imap', 'sign-in: NO [UNAVAILABLE] later', 'place'),
  row('imap', 'sign-in: NO [LIMIT] later', 'place'),
  row('imap', 'sign-in: * BYE not now', 'place'),
  row('imap', 'folder: NO [NOPERM] no', 'place', LOOKED),
  row('imap', 'folder: NO [UNAVAILABLE] later', 'place'),
  row('imap', 'APPEND: NO [OVERQUOTA] full', 'place'),
  row('imap', 'APPEND: NO quota exceeded', 'place'),
  row('imap', 'APPEND: NO [UNAVAILABLE] later', 'place'),
  row('imap', 'APPEND: NO [INUSE] later', 'place'),
  row('imap', 'APPEND: NO [NOPERM] no', 'place', ACT),
  row('imap', 'APPEND: NO [TOOBIG] no', 'form'),
  row('imap', 'APPEND: NO invalid header', 'form'),
  row('imap', 'APPEND: NO not so', 'own'),
  row('imap', 'APPEND: BAD not so', 'own'),
  row('imap', 'APPEND: lost', 'found'),

  row('gmail', '401', 'place', SIGN),
  row('gmail', '403 scope', 'place', SIGN),
  row('gmail', '403 daily limit', 'place'),
  row('gmail', '429', 'place'),
  row('gmail', '503', 'uncertain'),
  row('gmail', '413', 'form'),
  row('gmail', '400', 'refused'),
  row('gmail', '400 precondition', 'place', ACT),
  row('gmail', '403 policy', 'place', ACT),
  row('gmail', '403 other', 'place', ACT),
  row('gmail', '404', 'place', ACT),
  row('gmail', 'a page', 'lost', { exit: 76 }),
  row('gmail', 'cut behind the message', 'lost'),
  row('gmail', 'stored, and cut', 'lost'),

  row('maildir', 'a file', 'place', LOOKED),
  row('maildir', 'a dead link', 'place', LOOKED),
  row('mbox', 'a link', 'place', LOOKED),
  row('mbox', 'a folder', 'place', LOOKED),

  ...[65, 67, 68, 69, 76, 77].map((code) => row('command', `exit ${code}`, 'refused')),
  ...[64, 66, 71, 72, 73, 74, 78, 126, 127].map((code) => row('command', `exit ${code}`, 'place', ACT)),
  ...[1, 70, 75].map((code) => row('command', `exit ${code}`, 'own')),
  ...[130, 137].map((code) => row('command', `exit ${code}`, 'lost')),
  row('command', 'a signal', 'lost'),
  row('command', 'no program', 'place', LOOKED),
]
