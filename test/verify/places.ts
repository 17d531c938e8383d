// What becomes of a message at a destination that can show it, done to a Maildir, an mbox and an IMAP folder as people, mail programs
// and accidents do it.
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'
import { ImapServer } from '../support/imap-server.ts'
import type { Scene } from '../poll/scene.ts'

/** `twice`: the same file or message once more. `second`: another attempt's. `moved`: into another folder. `other`: other bytes, as
 *  many. */
export const FATES = ['there', 'flagged', 'gone', 'twice', 'second', 'other', 'moved'] as const
export type Fate = (typeof FATES)[number]

export interface PlaceKind extends AsyncDisposable {
  /** Prepares the scene for it. */
  set(scene: Scene): void
  /** Does this to the message with this subject. */
  befall(scene: Scene, subject: string, fate: Fate): void
  /** Everything that is there, for a comparison before and after. */
  state(scene: Scene): unknown
  /** Are moved messages found again? */
  readonly findsMoved: boolean
}

function maildir(): PlaceKind {
  const files = (folder: string): string[] =>
    ['new', 'cur'].flatMap((name) => {
      const directory = path.join(folder, name)
      return existsSync(directory) ? readdirSync(directory).map((file) => path.join(directory, file)) : []
    })
  const fileOf = (scene: Scene, subject: string): string => {
    const found = files(scene.path('inbox')).find((file) => hasSubject(readFileSync(file, 'latin1'), subject))
    if (found === undefined) throw new Error(`no file has ${subject}`)
    return found
  }
  return {
    findsMoved: true,
    set(scene) {
      scene.destinations = ['inbox: { type: maildir, path: inbox }']
    },
    befall(scene, subject, fate) {
      if (fate === 'there') return
      const file = fileOf(scene, subject)
      const name = path.basename(file)
      const at = (...names: string[]): string => scene.path(path.join('inbox', ...names))
      if (fate === 'flagged') renameSync(file, at('cur', `${name}:2,FS`))
      if (fate === 'gone') unlinkSync(file)
      if (fate === 'twice') copyFileSync(file, at('cur', `${name}:2,S`))
      if (fate === 'second') renameSync(file, at('new', name.replace(/I[0-9a-f]{15}/, `I${'f'.repeat(15)}`)))
      if (fate === 'other') writeFileSync(file, readFileSync(file, 'latin1').replace('body', 'BODY'), 'latin1')
      if (fate === 'moved') {
        for (const folder of ['new', 'cur', 'tmp']) mkdirSync(at('.Archive', folder), { recursive: true })
        renameSync(file, at('.Archive', 'cur', `${name}:2,S`))
      }
    },
    state: (scene) =>
      files(scene.path('inbox'))
        .map((file) => `${path.relative(scene.directory, file)}\n${readFileSync(file, 'latin1')}`)
        .toSorted(),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
}

function mbox(): PlaceKind {
  const read = (scene: Scene): string => readFileSync(scene.path('inbox.mbox'), 'latin1')
  return {
    findsMoved: false,
    set(scene) {
      scene.destinations = ['inbox: { type: mbox, path: inbox.mbox }']
    },
    befall(scene, subject, fate) {
      if (fate === 'there') return
      const blocks = read(scene).split(/^(?=From )/m)
      const changed = blocks.flatMap((block) => {
        if (!hasSubject(block, subject)) return [block]
        if (fate === 'gone') return []
        if (fate === 'moved') {
          writeFileSync(scene.path('archive.mbox'), block, { flag: 'a', encoding: 'latin1' })
          return []
        }
        if (fate === 'twice') return [block, block]
        if (fate === 'second') return [block.replace(/(X-Popfetch-Delivery: )[0-9a-f]{15}/, `$1${'f'.repeat(15)}`)]
        if (fate === 'other') return [block.replace('body', 'BODY')]
        return [block.replace(/^(Subject: .*\n)/m, '$1Status: RO\n')]
      })
      writeFileSync(scene.path('inbox.mbox'), changed.join(''), 'latin1')
    },
    state: (scene) => [read(scene), existsSync(scene.path('inbox.mbox.lock'))],
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
}

async function imap(): Promise<PlaceKind> {
  const server = await ImapServer.start()
  return {
    findsMoved: true,
    set(scene) {
      scene.destinations = [
        `inbox: { type: imap, host: 127.0.0.1, port: ${server.port}, tls: none, user: me, password: secret }`,
      ]
    },
    befall(_, subject, fate) {
      const { inbox } = server
      const at = inbox.messages.findIndex(({ bytes }) => hasSubject(bytes.toString('latin1'), subject))
      const message = inbox.messages[at]
      if (message === undefined) throw new Error(`no message has ${subject}`)
      const changed = (change: (text: string) => string) => ({
        ...message,
        bytes: Buffer.from(change(message.bytes.toString('latin1')), 'latin1'),
      })
      if (fate === 'flagged') inbox.messages[at] = { ...message, flags: ['\\Seen', '\\Flagged'] }
      if (fate === 'gone' || fate === 'moved') inbox.messages.splice(at, 1)
      if (fate === 'twice') inbox.messages.push({ ...message, uid: inbox.uidNext++ })
      if (fate === 'second')
        inbox.messages[at] = changed((text) =>
          text.replace(/(X-Popfetch-Delivery: [0-9a-f]{24} )[0-9a-f]{15}/, `$1${'f'.repeat(15)}`),
        )
      if (fate === 'other') inbox.messages[at] = changed((text) => text.replace('body', 'BODY'))
      if (fate === 'moved') {
        const archive = server.folder('Archive')
        archive.messages.push({ ...message, uid: archive.uidNext++ })
      }
    },
    state: () => [
      server.said.filter((line) =>
        /^\S+ (?:UID )?(?:SELECT|STORE|APPEND|CREATE|SUBSCRIBE|COPY|MOVE|EXPUNGE|FETCH .*BODY\[)/i.test(line),
      ),
      [...server.folders].map(([name, { messages, subscribed }]) => [
        name,
        subscribed,
        messages.map(({ uid, flags, bytes }) => [uid, flags, bytes.toString('latin1')]),
      ]),
    ],
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

export const PLACES: Readonly<Record<'maildir' | 'mbox' | 'imap', () => PlaceKind | Promise<PlaceKind>>> = {
  maildir,
  mbox,
  imap,
}

function hasSubject(text: string, subject: string): boolean {
  return text.replaceAll('\r', '').includes(`\nSubject: ${subject}\n`)
}
