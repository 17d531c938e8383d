// kill -9 of polls into an IMAP folder, at commands that are chosen by a seed. The kill comes before the server has the
// messages, in their middle, before the answer arrives, or after it. Connections are cut besides, and some commands have many
// messages. The folder shows what it has, so each message is there exactly once.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, inject, test } from 'vitest'
import { ImapServer, type ImapReply } from '../support/imap-server.ts'
import { Pop3Server } from '../support/pop3-server.ts'
import { environmentOf } from './child.ts'
import { tokenOf } from './oracle.ts'
import { dice, IMAP_KILLS, IMAP_MESSAGES, SEED } from './sizes.ts'

const ACCOUNT = 'old-isp'
/** One command in this many loses its connection, before or behind its messages. */
const CUT_EVERY = 17
const LARGE_EVERY = 97

type Moment = 'before' | 'middle' | 'stored' | 'answered'
const MOMENTS: readonly Moment[] = ['before', 'middle', 'stored', 'answered']

/** With MULTIAPPEND many go with one command. */
const SERVERS = {
  'one by one': 'LITERAL+ UIDPLUS NAMESPACE AUTH=PLAIN SASL-IR',
  'many together': 'LITERAL+ MULTIAPPEND UIDPLUS NAMESPACE AUTH=PLAIN SASL-IR',
  'by leave, without UIDs': 'NAMESPACE AUTH=PLAIN',
} as const

test.each(Object.entries(SERVERS))(
  `${IMAP_MESSAGES} messages reach an IMAP folder over ${IMAP_KILLS} kills, each exactly once (%s)`,
  async (name, capabilities) => {
    const directory = mkdtempSync(path.join(tmpdir(), 'popfetch-crash-imap-'))
    await using pop3 = await Pop3Server.start()
    await using imap = await ImapServer.start({ capabilities })
    const mailbox = pop3.mailbox('alice')
    for (let token = 1; token <= IMAP_MESSAGES; token++) mailbox.add(letter(token))
    writeFileSync(path.join(directory, 'config.yaml'), configuration(pop3, imap), { mode: 0o600 })
    const random = dice(SEED + Object.keys(SERVERS).indexOf(name))
    let kills = 0
    let commands = 0

    /** One poll; killed at the `nth` APPEND of it, if one is named. */
    const run = async (nth: number | null, moment: Moment): Promise<string> => {
      const args = [inject('popfetch'), '--config', path.join(directory, 'config.yaml'), '--json', ACCOUNT]
      const child = spawn(process.execPath, args, {
        cwd: directory,
        env: environmentOf(directory),
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      const closed = once(child, 'close')
      let seen = 0
      let begun = 0
      imap.answer = ({ command }): ImapReply => {
        if (command !== 'APPEND') return null
        commands++
        if (++seen === nth && moment !== 'middle') {
          if (moment === 'answered') {
            setImmediate(() => child.kill('SIGKILL'))
            return null
          }
          child.kill('SIGKILL')
          return moment === 'stored' ? 'lost' : 'drop'
        }
        if (commands % CUT_EVERY === 0) return commands % (2 * CUT_EVERY) === 0 ? 'lost' : 'drop'
        return null
      }
      imap.onLiteral = () => {
        if (moment === 'middle' && ++begun === nth) child.kill('SIGKILL')
      }
      const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
      const [, signal] = (await closed) as [number | null, string | null]
      if (signal === 'SIGKILL') kills++
      return `${stdout}${stderr}`
    }

    for (let round = 0; round < IMAP_KILLS && mailbox.messages.length > 0; round++) {
      const nth = 1 + Math.floor(random() * 4)
      await run(nth, MOMENTS[Math.floor(random() * MOMENTS.length)] ?? 'before')
      // Enough for all the kills: some commands have many messages.
      const left = IMAP_MESSAGES - new Set(imap.inbox.messages.map(({ bytes }) => tokenOf(bytes))).size
      if (left < 10) for (let more = 0; more < 10; more++) mailbox.add(letter(IMAP_MESSAGES + round * 10 + more + 1))
    }
    const sent = new Set(mailbox.messages.map(({ bytes }) => tokenOf(bytes)))
    let last = ''
    for (let polls = 0; polls < 12 && mailbox.messages.length > 0; polls++) last = await run(null, 'before')

    const copies = new Map<number, number>()
    for (const { bytes } of imap.inbox.messages) {
      const token = tokenOf(bytes) ?? -1
      copies.set(token, (copies.get(token) ?? 0) + 1)
      expect(bytes.toString('latin1').endsWith(letter(token))).toBe(true)
    }
    expect(mailbox.messages, last).toEqual([])
    const twice = [...copies].filter(([, count]) => count > 1)
    expect(twice, last).toEqual([])
    for (const token of sent) expect(copies.has(token ?? 0)).toBe(true)
    expect(copies.size).toBeGreaterThanOrEqual(IMAP_MESSAGES)
    for (let token = 1; token <= IMAP_MESSAGES; token++) expect(copies.get(token), `letter ${token}`).toBe(1)
    console.log(
      `${name}: killed ${kills} of ${IMAP_KILLS} polls, ${commands} commands, ${copies.size} messages once each`,
    )
    expect(kills).toBeGreaterThan(IMAP_KILLS / 2)
    rmSync(directory, { recursive: true, force: true })
  },
)

function configuration({ host, port }: Pop3Server, imap: ImapServer): string {
  return `accounts:
  ${ACCOUNT}: { host: ${host}, port: ${port}, tls: none, user: alice, password: secret, deliver: there, delete: after-delivery, first: all }
destinations:
  there: { type: imap, host: 127.0.0.1, port: ${imap.port}, user: me, password: secret, folder: INBOX }
state: state.db
`
}

function letter(token: number): string {
  const body = token % LARGE_EVERY === 0 ? `${'x'.repeat(98)}\r\n`.repeat(15_000) : '.a dot\r\n..\r\nthe end\r\n'
  return `From: Ada <ada@example.org>\r\nTo: alice@here.example\r\nSubject: letter ${token}\r\nMessage-ID: <${token}@crash.example>\r\n\r\n${body}`
}
