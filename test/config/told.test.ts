// Who is told of a configuration in which something is wrong, and what is kept of a good one for that.
import { chmod, mkdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { keepWhoIsTold, whoIsTold } from '../../src/config/daemon/told.ts'
import type { LoadOptions } from '../../src/config/load.ts'
import { shownNotifier } from '../../src/config/daemon/notify.ts'
import { ACCOUNT, Scene, UID } from './scene.ts'

const GOOD = `accounts:
  a: {${ACCOUNT}}
destinations:
  notes: { type: maildir, path: Notes }
  spare: { type: mbox, path: spare.mbox }
  relay: { type: smtp, host: mail.example.org, to: me@example.org, user: me, password: { file: relay-secret } }
  other: { type: smtp, host: mail.example.net, to: me@example.org, user: me, password: another-secret }
oauth:
  google: { provider: google, clientId: 123.apps.googleusercontent.com, clientSecret: client-secret }
state: here/state.db
notify:
  - { run: [./tell] }
  - { url: https://ntfy.example.org/written-topic, headers: { Authorization: { env: NTFY_TOKEN } } }
  - { url: { command: pass show ntfy } }
  - { mail: relay }
`

async function kept(scene: Scene, text = GOOD, options: Partial<LoadOptions> = {}): Promise<string> {
  await mkdir(scene.path('here'), { recursive: true, mode: 0o700 })
  await keepWhoIsTold(await scene.load(text, options), scene.env)
  return scene.path('here/state.db.notify')
}

async function told(scene: Scene, options: Partial<LoadOptions> = {}): Promise<readonly string[] | null> {
  const file = scene.path('config.yaml')
  const found = await whoIsTold({ file, state: null, env: scene.env, cwd: scene.directory, uid: UID, ...options })
  expect(found?.statePath ?? scene.path('here/state.db')).toBe(scene.path('here/state.db'))
  return (
    found?.notify.map((notifier) => Object.keys(shownNotifier(notifier)).filter((key) => key !== 'on')[0] ?? '') ?? null
  )
}

const ALL = ['run', 'url', 'url', 'mail']

describe('what is kept', () => {
  test('has notify and what it needs, references as references, and is readable by nobody else', async () => {
    await using scene = await Scene.create()
    const place = await kept(scene)
    const text = await readFile(place, 'utf8')
    expect((await stat(place)).mode & 0o777).toBe(0o600)
    expect(JSON.parse(text)).toMatchObject({
      file: scene.path('config.yaml'),
      configuration: {
        notify: [{}, { headers: { Authorization: { env: 'NTFY_TOKEN' } } }, { url: { command: 'pass show ntfy' } }, {}],
        destinations: { relay: { password: { file: 'relay-secret' } } },
      },
    })
    expect(text).toContain('written-topic')
    expect(text).not.toMatch(/another-secret|client-secret|pop\.example\.net|alice|spare/)
  })

  test('is written once, and again where it changed or others may read it', async () => {
    await using scene = await Scene.create()
    const place = await kept(scene)
    const { ino } = await stat(place)
    await kept(scene)
    expect((await stat(place)).ino).toBe(ino)
    await chmod(place, 0o644)
    await kept(scene)
    expect((await stat(place)).mode & 0o777).toBe(0o600)
    await kept(scene, GOOD.replace('[./tell]', '[./other]'))
    expect(await readFile(place, 'utf8')).toContain('./other')
  })

  test('is not written through a link', async () => {
    await using scene = await Scene.create()
    const place = await kept(scene)
    await rm(place)
    await writeFile(scene.path('victim'), 'as it was')
    await symlink(scene.path('victim'), place)
    await kept(scene)
    expect(await readFile(scene.path('victim'), 'utf8')).toBe('as it was')
    expect(await told(scene)).toEqual(ALL)
  })

  test('is forgotten when nobody is named any more', async () => {
    await using scene = await Scene.create()
    const place = await kept(scene)
    await kept(scene, GOOD.slice(0, GOOD.indexOf('notify:')))
    await expect(stat(place)).rejects.toMatchObject({ code: 'ENOENT' })
  })
})

/** Broken in such a way that nothing of it can be believed; where the ledger is can still be seen. */
const BROKEN: readonly (readonly [string, (good: string) => string])[] = [
  ['a tab', (good) => good.replace('  a:', '\ta:')],
  ['a quotation mark that nobody closes', (good) => good.replace('"maildir:/mail"', '"maildir:/mail')],
  ['a brace that nobody closes', (good) => good.replace('Notes }', 'Notes')],
  ['a second colon', (good) => good.replace('accounts:', 'accounts: x: y:')],
  ['a key without its colon', (good) => good.replace('destinations:', 'destinations')],
  ['a second document', (good) => `${good}---\nx: 1\n`],
  ['rubbish at its end', (good) => `${good}}}}}\n`],
  ['a notify of another form', (good) => good.replace('[./tell]', '{ a: b }')],
  ['a notify that names a destination that is not there', (good) => good.replace('mail: relay', 'mail: relya')],
  ['notify written in another way', (good) => good.replace('notify:', 'notifi:')],
  [
    'a state as an object, and a tab',
    (good) => good.replace('here/state.db', '{ path: here/state.db }').replace('  a:', '\ta:'),
  ],
  [
    'a state as an object below, and an open quotation mark',
    (good) =>
      good
        .replace('here/state.db', '\n  backup: off\n  path: here/state.db')
        .replace('"maildir:/mail"', '"maildir:/mail'),
  ],
]

describe('of a file that cannot be read', () => {
  test.each(BROKEN)('because of %s, those of the last good one are told', async (_, broken) => {
    await using scene = await Scene.create()
    await kept(scene)
    const bad = broken(GOOD)
    expect(bad).not.toBe(GOOD)
    await scene.write(bad)
    expect(await told(scene)).toEqual(ALL)
  })

  test('because it is not there, is empty, or belongs to everybody, likewise where the ledger is named', async () => {
    await using scene = await Scene.create()
    await kept(scene)
    const state = scene.path('here/state.db')
    await chmod(scene.path('config.yaml'), 0o666)
    expect(await told(scene)).toEqual(ALL)
    await scene.write('\n')
    expect(await told(scene, { state })).toEqual(ALL)
    await rm(scene.path('config.yaml'))
    expect(await told(scene, { state })).toEqual(ALL)
    expect(await told(scene)).toBeNull()
  })

  test('because none of the usual places has one any more, likewise', async () => {
    await using scene = await Scene.create()
    scene.env['XDG_CONFIG_HOME'] = scene.directory
    await mkdir(scene.path('popfetch'), { mode: 0o700 })
    await kept(scene)
    await rename(scene.path('config.yaml'), scene.path('popfetch/config.yaml'))
    await keepWhoIsTold({ ...(await scene.load(GOOD)), file: scene.path('popfetch/config.yaml') }, scene.env)
    await rm(scene.path('popfetch/config.yaml'))
    const state = scene.path('here/state.db')
    expect(await told(scene, { file: null, state })).toEqual(ALL)
  })

  test('nobody of another file’s is told', async () => {
    await using scene = await Scene.create()
    await kept(scene)
    const file = await scene.write('{', { name: 'other.yaml' })
    expect(await told(scene, { file, state: scene.path('here/state.db') })).toBeNull()
  })

  test('nobody is told of whom nothing was kept', async () => {
    await using scene = await Scene.create()
    await rm(await kept(scene))
    await scene.write('{')
    expect(await told(scene)).toBeNull()
  })

  test.each([
    ['others may write to', (place: string) => chmod(place, 0o622)],
    ['is no JSON', (place: string) => writeFile(place, '{"file":')],
    ['is a list', (place: string) => writeFile(place, '[]')],
    ['has another form', (place: string) => writeFile(place, '{"file": 1, "configuration": {}}')],
    ['has a configuration of another form', (place: string) => writeFile(place, '{"file": "x", "configuration": [1]}')],
    ['is too long', (place: string) => writeFile(place, ' '.repeat(1_100_000))],
  ])('a copy that %s names nobody', async (_, spoil) => {
    await using scene = await Scene.create()
    const place = await kept(scene)
    await spoil(place)
    await scene.write('{')
    expect(await told(scene, { state: scene.path('here/state.db') })).toBeNull()
  })
})

describe('of a file in which something is wrong elsewhere', () => {
  test('those whom it names now are told, not those before', async () => {
    await using scene = await Scene.create()
    await kept(scene)
    const now = GOOD.replace('  - { run: [./tell] }\n', '').replace('host:', 'hots:')
    await scene.write(now)
    expect(await told(scene)).toEqual(['url', 'url', 'mail'])
  })

  test('a destination that is wrong hinders nobody who does not need it', async () => {
    await using scene = await Scene.create()
    await scene.write(GOOD.replace('type: mbox', 'type: bmox'))
    expect(await told(scene)).toEqual(ALL)
  })

  test('mail to a group, or to what an account names in place, is told, too', async () => {
    await using scene = await Scene.create()
    const mails = 'notify:\n  - { mail: "first-of: notes, spare" }\n  - { mail: "maildir:/mail" }\n'
    const text = `${GOOD.slice(0, GOOD.indexOf('notify:'))}${mails}`.replace(
      '"maildir:/mail"',
      '[{ first-of: [notes, spare] }, "maildir:/mail"]',
    )
    await kept(scene, text)
    await scene.write(text.replace('host: pop', 'hots: pop'))
    expect(await told(scene)).toEqual(['mail', 'mail'])
    await scene.write(text.replace('  a:', '\ta:'))
    expect(await told(scene)).toEqual(['mail', 'mail'])
  })

  test('nobody is told where it says so', async () => {
    await using scene = await Scene.create()
    await kept(scene)
    await scene.write(`${GOOD.slice(0, GOOD.indexOf('notify:'))}notify: []\nnonsense: 1\n`)
    expect(await told(scene)).toBeNull()
  })
})
