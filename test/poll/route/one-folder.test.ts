// A folder or a label that nobody can make, at a server that takes all other mail of the same user: it holds up its own mail alone
// (P4). Whoever writes to a domain chooses such names.
import { describe, expect, onTestFinished, test } from 'vitest'
import { openLedger } from '../../../src/ledger/sqlite/open.ts'
import { GmailServer, refusal } from '../../support/gmail-server.ts'
import { ImapServer } from '../../support/imap-server.ts'
import { Scene } from '../scene.ts'

const RULE = 'recipient: { header: X-Original-To, domains: [example.org], otherwise: post@example.org }'

function letter(name: string, at: number): string {
  return `X-Original-To: ${name}@example.org\r\nFrom: eve@example.com\r\nMessage-ID: <${at}@x>\r\nSubject: for ${name}\r\n\r\nx\r\n`
}

/** A server of which some names are refused. */
interface Place {
  /** `{local}` is in the name of the folder or label. */
  readonly destination: (name: string) => string
  /** Nothing goes to the folder of this name any more; null: all goes again. */
  readonly refuse: (name: string | null) => void
  /** For whom mail is there. */
  readonly arrived: () => readonly string[]
}

async function imapPlace(how: 'CREATE' | 'APPEND'): Promise<Place> {
  const imap = await ImapServer.start()
  onTestFinished(() => imap[Symbol.asyncDispose]())
  return {
    destination: (name) =>
      `{ type: imap, host: 127.0.0.1, port: ${imap.port}, user: me, password: secret, folder: "People/${name}" }`,
    refuse: (name) => {
      imap.answer = ({ command, rest }) =>
        name !== null && command === how && rest.replaceAll('"', '').startsWith(`People/${name}`)
          ? 'NO [NOPERM] not there'
          : null
    },
    arrived: () =>
      [...imap.folders]
        .flatMap(([folder, { messages }]) => messages.map(() => folder.replace('People/', '')))
        .toSorted(),
  }
}

async function gmailPlace(): Promise<Place> {
  const gmail = await GmailServer.start()
  onTestFinished(() => gmail[Symbol.asyncDispose]())
  return {
    destination: (name) =>
      `{ type: gmail, user: ${gmail.user}, token: good, endpoint: "${gmail.endpoint}", labels: [INBOX, "${name}"] }`,
    refuse: (name) => {
      gmail.faults.make = ({ bytes }) =>
        name !== null && bytes.includes(`"${name}"`) ? refusal(400, 'invalidArgument', 'Invalid label name') : null
    },
    arrived: () =>
      gmail.messages
        .map(({ labelIds }) => [...gmail.labels].find(([, id]) => id === labelIds[1])?.[0] ?? '')
        .toSorted(),
  }
}

const PLACES: readonly (readonly [string, () => Promise<Place>])[] = [
  ['an IMAP folder that cannot be made', () => imapPlace('CREATE')],
  ['an IMAP folder that takes nothing', () => imapPlace('APPEND')],
  ['a label of Gmail that cannot be made', gmailPlace],
]

async function scene(): Promise<Scene> {
  const opened = await Scene.create()
  onTestFinished(() => opened[Symbol.asyncDispose]())
  return opened
}

describe.each(PLACES)('%s', (_, start) => {
  test.each([
    ['first', ['odd', 'anna', 'bob', 'odd', 'cleo']],
    ['last', ['anna', 'bob', 'cleo', 'odd', 'odd']],
    ['in the middle', ['anna', 'odd', 'odd', 'bob', 'cleo']],
  ])('holds up the mail of one address alone, which comes when it can (%s)', async (_order, names) => {
    const place = await start()
    const opened = await scene()
    opened.account = [RULE, 'first: all']
    opened.destinations = [`inbox: ${place.destination('{local}')}`]
    for (const [at, name] of names.entries())
      opened.server.mailbox('alice').add(letter(name, at), { uidl: `uid-${at}` })
    place.refuse('odd')
    expect(await opened.poll()).toMatchObject({ outcome: 'partial', delivered: 3, deferred: 2, refused: 0 })
    expect(place.arrived()).toEqual(['anna', 'bob', 'cleo'])
    // What comes later is not held up either.
    opened.server.mailbox('alice').add(letter('dora', 9), { uidl: 'uid-9' })
    expect(await opened.poll()).toMatchObject({ outcome: 'partial', delivered: 1, deferred: 2 })
    place.refuse(null)
    expect(await opened.poll()).toMatchObject({ outcome: 'ok', delivered: 2, deferred: 0 })
    expect(place.arrived()).toEqual(['anna', 'bob', 'cleo', 'dora', 'odd', 'odd'])
    await using ledger = await openLedger(opened.path('state/state.db'), { readOnly: true })
    expect((await ledger.destinations()).filter(({ rest }) => rest !== null)).toEqual([])
  })

  test('holds up no other destination of the same user, and is told of by its own name', async () => {
    const place = await start()
    const opened = await scene()
    opened.account = ['first: all']
    opened.destinations = [`archive: ${place.destination('odd')}`, `inbox: ${place.destination('anna')}`]
    opened.deliver = '[archive, inbox]'
    for (let at = 0; at < 4; at++) opened.server.mailbox('alice').add(letter('x', at), { uidl: `uid-${at}` })
    place.refuse('odd')
    const report = await opened.poll()
    expect(report.troubles.map(({ destination }) => destination)).toEqual(['archive'])
    expect(report.error?.message).toMatch(/^(?:imap|gmail) /)
    expect(place.arrived()).toEqual(['anna', 'anna', 'anna', 'anna'])
    await using ledger = await openLedger(opened.path('state/state.db'), { readOnly: true })
    const resting = (await ledger.destinations()).filter(({ rest }) => rest !== null)
    expect(resting.map(({ names }) => names)).toEqual([['archive']])
  })
})
