// What every kind of destination promises (kind.ts), asked of each of them with an example. A new kind adds one line here.
import { KeptSignIns } from '../../../src/oauth/sign-ins.ts'
import { describe, expect, test } from 'vitest'
import {
  destinationConflicts,
  type DestinationKeys,
  kindOf,
  kindWritten,
  parseDestinationUrl,
} from '../../../src/config/destinations/destinations.ts'
import { destination } from '../../../src/config/destinations/schemas/destination.ts'
import { jsonSchema } from '../../../src/config/reference/json-schema.ts'
import { Reserve } from '../../../src/deliver/disk/reserve.ts'
import { openDestination } from '../../../src/deliver/index.ts'

/** Two of each kind that deliver to different places, with `{account}` wherever it may stand, and a secret where one may. */
const EXAMPLES: Readonly<Record<string, readonly [one: object, other: object]>> = {
  maildir: [{ path: '/mail/{account}' }, { path: '/mail/b' }],
  mbox: [{ path: '/mail/{account}' }, { path: '/mail/b' }],
  command: [{ run: ['agent', 'hunter2'], env: { TOKEN: 'hunter2' } }, { run: ['/bin/other'] }],
  smtp: [
    {
      host: 'h',
      user: 'u',
      password: 'hunter2',
      to: ['{account}@c.example', 'x@c.example'],
      from: '{account}@c.example',
    },
    { host: 'h', to: 'b@c.example' },
  ],
  imap: [
    { host: 'h', user: 'u', password: 'hunter2', folder: 'Old/{account}', labels: ['{account}'], flags: ['\\Seen'] },
    { host: '127.0.0.1', user: 'u', token: 'hunter2', folder: 'a?b%' },
  ],
  gmail: [
    { user: 'anna@gmail.com', token: 'hunter2', labels: ['INBOX', 'Old/{account}'] },
    { user: 'bob@gmail.com', token: 'hunter2' },
  ],
  lmtp: [
    { host: '127.0.0.1', user: 'u', token: 'hunter2', to: ['{account}', 'x'], from: '{account}@c.example' },
    { socket: '/run/lmtp', to: 'b' },
  ],
}

const schema = destination((path) => path)
const CONTEXT = { hostName: 'here', nowMs: () => 0, reserve: new Reserve(), spoolDirectory: '/nonexistent', env: {} }

function keysOf(type: string, keys: object): DestinationKeys {
  return schema.parse({ type, ...keys })
}

test('every kind of the table has its examples here', () => {
  const { $defs } = JSON.parse(JSON.stringify(jsonSchema()))
  const oneOf: { properties: { type: { const: string } } }[] = $defs.destination.oneOf
  expect(oneOf.map((kind) => kind.properties.type.const).toSorted()).toEqual(Object.keys(EXAMPLES).toSorted())
  expect(kindWritten({ type: 'constructor' })).toBeNull()
})

/** No example has the token of a sign-in. */
const NO_SIGN_INS = new KeptSignIns({ folder: '/nowhere', clients: new Map(), env: {}, nowMs: Date.now })

describe.each(Object.entries(EXAMPLES))('%s', (type, [written, otherWritten]) => {
  const keys = keysOf(type, written)
  const kind = kindOf(keys)

  test('is known by what is written, which has no conflicts', () => {
    expect(kindWritten({ type })).toBe(kind)
    expect(destinationConflicts({ type, ...written })).toEqual([])
  })

  test('has a name that tells two places apart and shows no secret', () => {
    const name = kind.canonicalUrl(keys)
    expect(name).not.toBe(kind.canonicalUrl(keysOf(type, otherWritten)))
    expect(name).not.toContain('hunter2')
  })

  test('is the same place when its name is read as a URL, if it has any', () => {
    const name = kind.canonicalUrl(keysOf(type, otherWritten))
    const parsed = parseDestinationUrl(name)
    expect(parsed.kind).toBe(kind.url === null ? 'wrong' : 'written')
    if (parsed.kind === 'written') expect(kind.canonicalUrl(schema.parse(parsed.written))).toBe(name)
  })

  test('is shown by the keys of the file, all that are set, without a secret', () => {
    const shown = kind.show(keys)
    expect(Object.keys(shown)).toEqual(expect.arrayContaining(['type', ...Object.keys(written)]))
    const set = Object.fromEntries(Object.entries(shown).filter(([, value]) => value !== null))
    expect(schema.safeParse(set).success).toBe(true)
    expect(JSON.stringify(shown)).not.toContain('hunter2')
  })

  test('says every text in which the name of the account may stand, and takes each with a plain name', () => {
    const texts = kind.accountTexts(keys)
    const places = JSON.stringify(keys).match(/\{account\}/g) ?? []
    expect(texts.join().match(/\{account\}/g) ?? []).toEqual(places)
    expect(texts.every((text) => kind.accepts(text.replaceAll('{account}', 'old-isp')))).toBe(true)
  })

  test('is opened for an account, whose name is filled in', async () => {
    const config = { ...keys, name: 'd' }
    const settings = await kind.settings(config, {
      account: 'old-isp',
      mailbox: 'anna@example.org',
      env: {},
      signIns: NO_SIGN_INS,
    })
    // The name of a folder is filled in once its server has said what stands between levels.
    const written = 'filling' in settings ? { ...settings, folder: '' } : settings
    expect(JSON.stringify(written)).not.toContain('{account}')
    await using opened = await openDestination(settings, CONTEXT)
    expect(opened.description).toMatch(new RegExp(`^${type} `))
    expect(opened.description).not.toContain('{account}')
    expect(opened.recipients).toHaveLength(kind.recipients(keys)?.length ?? 1)
  })
})
