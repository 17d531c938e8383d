// kill -9 of polls into Gmail, at imports that are chosen by a seed. The kill comes before Gmail has the message, in its
// middle, before the answer arrives, or after it. Connections are cut besides. Gmail shows popfetch nothing of what it has, so
// each answer that was lost may cost one more copy. Real Gmail merges those by their Message-ID.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, inject, test } from 'vitest'
import { openLedger } from '../../src/ledger/sqlite/open.ts'
import { type GmailAnswer, GmailServer } from '../support/gmail-server.ts'
import { Pop3Server } from '../support/pop3-server.ts'
import { environmentOf } from './child.ts'
import { tokenOf } from './oracle.ts'
import { dice, GMAIL_KILLS, GMAIL_MESSAGES, SEED } from './sizes.ts'

const ACCOUNT = 'old-isp'
/** One import in this many loses its connection, before or behind the message. */
const CUT_EVERY = 50
/** Larger ones go up in a session of their own. */
const LARGE_EVERY = 97
const KEYS_AT_ONCE = 5000
/** What a destination of this kind sends at once, if nothing else is configured. */
const AT_ONCE = 4

type Moment = 'before' | 'middle' | 'stored' | 'answered'
const MOMENTS: readonly Moment[] = ['before', 'middle', 'stored', 'answered']

/** A migration goes on where the one before was killed. */
const COMMANDS = { poll: [ACCOUNT], migration: ['migrate', ACCOUNT, 'google', '--delete'] } as const

const title = `${GMAIL_MESSAGES} messages reach Gmail over ${GMAIL_KILLS} kills: each once, but for answers that were lost (%s)`
test.each(['poll', 'migration'] as const)(title, async (command) => {
  const directory = mkdtempSync(path.join(tmpdir(), 'popfetch-crash-gmail-'))
  await using pop3 = await Pop3Server.start()
  await using gmail = await GmailServer.start()
  const mailbox = pop3.mailbox('alice')
  const sent = new Map<number, string>()
  for (let token = 1; token <= GMAIL_MESSAGES; token++) {
    const { uidl } = mailbox.add(letter(token))
    sent.set(token, uidl)
  }
  const statePath = path.join(directory, 'state.db')
  writeFileSync(path.join(directory, 'config.yaml'), configuration(pop3, gmail), { mode: 0o600 })
  const random = dice(SEED)
  /** Stored, and the ledger does not know it: its answer was lost. */
  const lost = new Map<number, number>()
  let accounted = 0
  let kills = 0
  let imports = 0

  const recorded = async (): Promise<ReadonlySet<string>> => {
    if (!existsSync(statePath)) return new Set()
    await using ledger = await openLedger(statePath, { readOnly: true })
    const uidls = [...sent.values()]
    const done = new Set<string>()
    for (let at = 0; at < uidls.length; at += KEYS_AT_ONCE) {
      const some = uidls.slice(at, at + KEYS_AT_ONCE)
      const known = await ledger.known(
        ACCOUNT,
        some.map((uidl) => ({ uidl, copy: 0 })),
      )
      for (const [place, message] of known.entries()) if (message?.state === 'delivered') done.add(some[place] ?? '')
    }
    return done
  }

  /** How many are handed over and not settled: no more than go up at once (S042). And how often each was so. */
  const uncertain = new Map<string, number>()
  const handedOver = async (): Promise<number> => {
    if (!existsSync(statePath)) return 0
    await using ledger = await openLedger(statePath, { readOnly: true })
    let count = 0
    for await (const slice of ledger.records.list(ACCOUNT, 'all'))
      for (const { key, deliveries } of slice)
        for (const { state, handedOver: isHandedOver, unknowns } of deliveries) {
          const isOpen = state === 'started' && isHandedOver
          if (isOpen) count++
          uncertain.set(key.uidl, Math.max(uncertain.get(key.uidl) ?? 0, unknowns + (isOpen ? 1 : 0)))
        }
    return count
  }

  /** One poll; killed at the `nth` import of it, if one is named. */
  const run = async (nth: number | null, moment: Moment): Promise<string> => {
    const args = [inject('popfetch'), ...COMMANDS[command], '--config', path.join(directory, 'config.yaml'), '--json']
    const child = spawn(process.execPath, args, {
      cwd: directory,
      env: environmentOf(directory),
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const closed = once(child, 'close')
    let seen = 0
    let begun = 0
    /** Whose connection was cut behind them. A migration may have offered them again since. */
    const cut: number[] = []
    const answer = ({ bytes }: { readonly bytes: Buffer }): GmailAnswer => {
      imports++
      if (++seen === nth && moment !== 'middle') {
        if (moment === 'answered') {
          setImmediate(() => child.kill('SIGKILL'))
          return null
        }
        child.kill('SIGKILL')
        return moment === 'stored' ? 'lost' : 'drop'
      }
      if (imports % CUT_EVERY !== 0) return null
      if (imports % (2 * CUT_EVERY) !== 0) return 'drop'
      cut.push(tokenOf(bytes) ?? -1)
      return 'lost'
    }
    const middle = (): void => {
      if (++begun === nth) child.kill('SIGKILL')
    }
    gmail.faults.import = answer
    gmail.faults.put = answer
    // In the middle: while popfetch sends it.
    gmail.onBody = moment === 'middle' ? middle : null
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
    const [, signal] = (await closed) as [number | null, string | null]
    if (signal === 'SIGKILL') kills++
    // What went out just before the kill may still be on its way.
    await gmail.idle()
    const known = await recorded()
    expect(await handedOver()).toBeLessThanOrEqual(AT_ONCE)
    const isKnown = (token: number): boolean => known.has(sent.get(token) ?? '')
    const stored = gmail.messages.slice(accounted).map(({ bytes }) => tokenOf(bytes) ?? -1)
    for (const token of [...stored.filter((each) => !isKnown(each)), ...cut.filter(isKnown)])
      lost.set(token, (lost.get(token) ?? 0) + 1)
    accounted = gmail.messages.length
    return `${stdout}${stderr}`
  }

  for (let round = 0; round < GMAIL_KILLS; round++) {
    const nth = 1 + Math.floor(random() * ((2 * GMAIL_MESSAGES) / GMAIL_KILLS))
    await run(nth, MOMENTS[Math.floor(random() * MOMENTS.length)] ?? 'before')
  }
  let last = ''
  for (let polls = 0; polls < 8 && mailbox.messages.length > 0; polls++) last = await run(null, 'before')

  const copies = new Map<number, number>()
  for (const { bytes } of gmail.messages) {
    const token = tokenOf(bytes) ?? -1
    copies.set(token, (copies.get(token) ?? 0) + 1)
    expect(bytes.toString('latin1').endsWith(letter(token))).toBe(true)
  }
  const left = new Set(mailbox.messages.map(({ uidl }) => uidl))
  const wrong = [...sent].flatMap(([token, uidl]) => {
    const [has, allowed] = [copies.get(token) ?? 0, 1 + (lost.get(token) ?? 0)]
    // What was handed over three times, and never settled, is held, whether it came or not.
    const isHeld = left.has(uidl) && (uncertain.get(uidl) ?? 0) >= 3
    if (has === 0 && !isHeld) return [`${uidl} never came`]
    if (has > allowed) return [`${uidl} came ${has} times, ${allowed} allowed`]
    return left.has(uidl) && !isHeld ? [`${uidl} is still on the server`] : []
  })
  expect(wrong, last).toEqual([])
  const extra = [...copies.values()].reduce((sum, each) => sum + each - 1, 0)
  const answers = [...lost.values()].reduce((sum, each) => sum + each, 0)
  console.log(`${command}: killed ${kills} of ${GMAIL_KILLS} polls; ${answers} answers lost, ${extra} extra copies`)
  expect(kills).toBeGreaterThan(GMAIL_KILLS / 2)
  expect(extra).toBeLessThanOrEqual(answers)
  rmSync(directory, { recursive: true, force: true })
})

function configuration({ host, port }: Pop3Server, { endpoint, user }: GmailServer): string {
  return `accounts:
  ${ACCOUNT}: { host: ${host}, port: ${port}, tls: none, user: alice, password: secret, deliver: google, delete: after-delivery, first: all }
destinations:
  google: { type: gmail, user: ${user}, token: good, endpoint: "${endpoint}" }
state: state.db
`
}

function letter(token: number): string {
  const body = token % LARGE_EVERY === 0 ? `${'x'.repeat(98)}\r\n`.repeat(55_000) : '.a dot\r\n..\r\nthe end\r\n'
  return `From: Ada <ada@example.org>\r\nTo: alice@here.example\r\nSubject: letter ${token}\r\nMessage-ID: <${token}@crash.example>\r\n\r\n${body}`
}
