// {account}, {recipient}, {local} and {domain} in the names of folders and labels: what is there in the end, and what it costs.
import { expect, onTestFinished, test } from 'vitest'
import { GmailServer } from '../../support/gmail-server.ts'
import { ImapServer } from '../../support/imap-server.ts'
import { SmtpSink } from '../../support/smtp-server.ts'
import { Scene } from '../scene.ts'

const RULE = 'recipient: { header: X-Original-To, domains: [example.org], otherwise: post@example.org }'
const GMAIL_CAPABILITIES = 'UIDPLUS NAMESPACE AUTH=PLAIN SASL-IR X-GM-EXT-1'

function letter(to: string): string {
  return `X-Original-To: ${to}\r\nFrom: eve@example.com\r\nMessage-ID: <${to}>\r\nSubject: for ${to}\r\n\r\nx\r\n`
}

async function scene(addresses: readonly string[]): Promise<Scene> {
  const opened = await Scene.create()
  onTestFinished(() => opened[Symbol.asyncDispose]())
  opened.account = [RULE, 'first: all']
  for (const [at, to] of addresses.entries()) opened.server.mailbox('alice').add(letter(to), { uidl: `uid-${at}` })
  return opened
}

const ANNA = 'Anna+Shop@example.org'
const ODD = 'a/b@example.org'

/** What a name becomes, for mail to ANNA and to ODD. */
const NAMES: readonly (readonly [string, string, RegExp])[] = [
  ['Old/{account}', 'Old/old-isp', /^Old\/old-isp$/],
  ['{local}', 'anna', /^a_b=[0-9a-f]{16}$/],
  ['Mail/{domain}/{local}', 'Mail/example.org/anna', /^Mail\/example\.org\/a_b=[0-9a-f]{16}$/],
  ['{recipient}', 'anna+shop@example.org', /^a_b_example_org=[0-9a-f]{16}$/],
]

test.each(NAMES)('an IMAP folder called %s', async (name, anna, odd) => {
  const imap = await ImapServer.start()
  onTestFinished(() => imap[Symbol.asyncDispose]())
  const opened = await scene([ANNA, ODD])
  opened.destinations = [
    `inbox: { type: imap, host: 127.0.0.1, port: ${imap.port}, user: me, password: secret, folder: "${name}" }`,
  ]
  expect(await opened.poll()).toMatchObject({ outcome: 'ok', delivered: 2 })
  const placeOf = (to: string): string =>
    [...imap.folders].find(([, { messages }]) => messages.some(({ bytes }) => bytes.includes(`for ${to}`)))?.[0] ?? ''
  expect(placeOf(ANNA).toLowerCase()).toBe(anna.toLowerCase())
  expect(placeOf(ODD)).toMatch(odd)
})

test.each(NAMES)('a label over IMAP called %s', async (name, anna, odd) => {
  const imap = await ImapServer.start({ capabilities: GMAIL_CAPABILITIES })
  onTestFinished(() => imap[Symbol.asyncDispose]())
  const opened = await scene([ANNA, ODD])
  opened.destinations = [
    `inbox: { type: imap, host: 127.0.0.1, port: ${imap.port}, user: me, password: secret, labels: ["${name}", Kept] }`,
  ]
  expect(await opened.poll()).toMatchObject({ outcome: 'ok', delivered: 2 })
  const labelsOf = (to: string): readonly string[] =>
    (imap.inbox.messages.find(({ bytes }) => bytes.includes(`for ${to}`))?.labels ?? '')
      .split(' ')
      .map((label) => label.replaceAll('"', ''))
  expect(labelsOf(ANNA).map((label) => label.toLowerCase())).toEqual([anna.toLowerCase(), 'kept'])
  expect(labelsOf(ODD)[0]).toMatch(odd)
})

test.each(NAMES)('a label of Gmail called %s', async (name, anna, odd) => {
  const gmail = await GmailServer.start()
  onTestFinished(() => gmail[Symbol.asyncDispose]())
  const opened = await scene([ANNA, ODD])
  opened.destinations = [
    `inbox: { type: gmail, user: ${gmail.user}, token: good, endpoint: "${gmail.endpoint}", labels: [INBOX, "${name}"] }`,
  ]
  expect(await opened.poll()).toMatchObject({ outcome: 'ok', delivered: 2 })
  const labelOf = (to: string): string => {
    const { labelIds = [] } = gmail.messages.find(({ bytes }) => bytes.includes(`for ${to}`)) ?? {}
    return [...gmail.labels].find(([called, id]) => called !== 'INBOX' && labelIds.includes(id))?.[0] ?? ''
  }
  expect(labelOf(ANNA).toLowerCase()).toBe(anna.toLowerCase())
  expect(labelOf(ODD)).toMatch(odd)
})

test('a thousand addresses behind one server get their mail each, over no more connections than are configured', async () => {
  const sink = await SmtpSink.start()
  onTestFinished(() => sink[Symbol.asyncDispose]())
  const addresses = Array.from({ length: 1_000 }, (_, at) => `user${at}@example.org`)
  const opened = await scene(addresses)
  opened.destinations = [
    `inbox: { type: smtp, host: 127.0.0.1, port: ${sink.port}, to: "{recipient}", concurrency: 3 }`,
  ]
  let peak = 0
  sink.faults.mail = () => {
    peak = Math.max(peak, sink.open)
    return null
  }
  expect(await opened.poll()).toMatchObject({ outcome: 'ok', delivered: 1_000 })
  expect(sink.messages.flatMap(({ to }) => to).toSorted()).toEqual(addresses.toSorted())
  expect(peak).toBeLessThanOrEqual(3)
}, 120_000)

test('whoever writes to trash@ or inbox@ has a label and a folder as all others have, and none of the system', async () => {
  const gmail = await GmailServer.start()
  const imap = await ImapServer.start({ capabilities: GMAIL_CAPABILITIES })
  onTestFinished(async () => {
    await gmail[Symbol.asyncDispose]()
    await imap[Symbol.asyncDispose]()
  })
  for (const name of ['TRASH', 'SPAM', 'SENT']) gmail.labels.set(name, name)
  const names = ['trash', 'INBOX', 'Spam+x', 'sent', 'drafts']
  const opened = await scene(names.map((name) => `${name}@example.org`))
  opened.destinations = [
    `google: { type: gmail, user: ${gmail.user}, token: good, endpoint: "${gmail.endpoint}", labels: ["{local}"] }`,
    `folder: { type: imap, host: 127.0.0.1, port: ${imap.port}, user: me, password: secret, folder: "{local}", labels: ["{local}"] }`,
  ]
  opened.deliver = '[google, folder]'
  expect(await opened.poll()).toMatchObject({ outcome: 'ok', delivered: 5 })
  const labels = gmail.messages.map(
    ({ labelIds: [id = ''] }) => [...gmail.labels].find(([, known]) => known === id)?.[0] ?? '',
  )
  expect(labels.toSorted()).toEqual(
    ['drafts', 'inbox', 'sent', 'spam', 'trash'].map((name) => expect.stringMatching(`^${name}=[0-9a-f]{16}$`)),
  )
  expect(imap.inbox.messages).toEqual([])
  const places = [...imap.folders].filter(([, { messages }]) => messages.length === 1)
  // A folder of that name is one among others; the inbox is not.
  expect(places.map(([name]) => name).toSorted()).toEqual(
    ['drafts', /^inbox=/, 'sent', 'spam', 'trash'].map((name) =>
      typeof name === 'string' ? name : expect.stringMatching(name),
    ),
  )
  for (const [, { messages }] of places)
    expect(messages[0]?.labels).toMatch(/^"?(?:drafts|inbox|sent|spam|trash)=[0-9a-f]{16}"?$/)
})
