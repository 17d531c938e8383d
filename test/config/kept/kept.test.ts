// The configuration that is kept for the next start: what it opens to, and each thing that must not let an old one pass.
import { chmod, copyFile, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Call, keepConfiguration, keptConfiguration } from '../../../src/config/kept/kept.ts'
import { withoutSecrets, withSecrets } from '../../../src/config/kept/without-secrets.ts'
import { Witness } from '../../../src/config/kept/witness.ts'
import { loadConfiguration } from '../../../src/config/load.ts'
import type { Configuration } from '../../../src/config/schema.ts'
import { SecretText } from '../../../src/config/values/secret.ts'
import { Scene, UID } from '../scene.ts'

const PROGRAM = 'program-1'
const SECRET = 'correct horse battery'
const YAML = `
defaults: { user: alice, password: "${SECRET}", deliver: inbox }
accounts:
  one: { host: pop.example.net }
  two:
    host: pop.example.org
    proxy: http://alice:pr0xy-word@proxy.example.net:3128
    route: [{ when: { subject: "*x*" }, deliver: pipe }]
destinations:
  inbox: { type: maildir, path: ~/Mail }
  pipe: { type: command, run: [/usr/bin/mail, --token, hidden-word] }
`

interface Place {
  readonly scene: Scene
  readonly folder: string
  readonly call: Call
}

async function placeOf(scene: Scene, text = YAML): Promise<Place> {
  const folder = scene.path('cache')
  await mkdir(folder, { mode: 0o700 })
  const file = await scene.write(text)
  return { scene, folder, call: { file, state: null, env: scene.env, cwd: scene.directory, uid: UID } }
}

async function load({ call, folder }: Pick<Place, 'call' | 'folder'>): Promise<Configuration> {
  const witness = new Witness(call.env)
  const configuration = await loadConfiguration({ ...call, witness })
  keepConfiguration(configuration, witness, call, folder, PROGRAM)
  return configuration
}

const kept = ({ call, folder }: Pick<Place, 'call' | 'folder'>, program = PROGRAM): Promise<Configuration | null> =>
  keptConfiguration(call, folder, program)

async function only({ folder }: Place): Promise<string> {
  const [name = '', ...others] = await readdir(folder)
  expect(others).toEqual([])
  return path.join(folder, name)
}

/** With the text of each secret, as plain values. */
function revealed(value: unknown): unknown {
  if (value instanceof SecretText) return { secret: value.reveal() }
  if (value instanceof Map) return [...value].map((entry) => revealed(entry))
  if (Array.isArray(value)) return value.map(revealed)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, revealed(inner)]))
}

describe('a configuration that is kept', () => {
  test('opens to what was loaded, for its user alone', async () => {
    await using scene = await Scene.create()
    const place = await placeOf(scene)
    const loaded = await load(place)
    expect((await stat(await only(place))).mode & 0o777).toBe(0o600)
    const again = await kept(place)
    expect(revealed(again)).toEqual(revealed(loaded))
    expect(again?.accounts[0]?.password).toBeInstanceOf(SecretText)
    expect(again?.destinations).toBeInstanceOf(Map)
  })

  test.each(readdirSync(path.join(import.meta.dirname, '../../../examples')).filter((name) => name.endsWith('.yaml')))(
    'opens to what was loaded: examples/%s',
    async (name) => {
      await using scene = await Scene.create()
      const place = await placeOf(scene)
      await copyFile(path.join(import.meta.dirname, '../../../examples', name), place.call.file ?? '')
      await chmod(place.call.file ?? '', 0o600)
      const loaded = await load(place)
      expect(revealed(await kept(place))).toEqual(revealed(loaded))
    },
  )

  test('opens to who is told, with the secrets of that', async () => {
    await using scene = await Scene.create()
    const smtp = `{ type: smtp, host: mx.example.net, user: a@example.net, password: told-word, to: b@example.net }`
    const place = await placeOf(scene, `${YAML}  mail: ${smtp}\nnotify: [{ mail: mail }]\n`)
    const loaded = await load(place)
    expect(loaded.telling?.reveal()).toContain('told-word')
    expect((await kept(place))?.telling?.reveal()).toBe(loaded.telling?.reveal())
  })

  test('holds no word of what was written', async () => {
    await using scene = await Scene.create()
    const place = await placeOf(scene)
    await load(place)
    const bytes = (await readFile(await only(place))).toString('latin1')
    for (const word of [SECRET, 'pr0xy-word', 'hidden-word', 'pop.example.net', 'alice'])
      expect(bytes).not.toContain(word)
  })

  test.each([
    ['a secret that is written otherwise than it is', YAML.replace(SECRET, String.raw`correct\u0020horse`)],
    ['a secret over two lines', YAML.replace(`"${SECRET}"`, '"correct\n  horse"')],
  ])('is none with %s', async (_, text) => {
    await using scene = await Scene.create()
    const place = await placeOf(scene, text)
    await load(place)
    expect(await readdir(place.folder)).toEqual([])
  })

  test('is none without a home, or where the text is in the environment', async () => {
    await using scene = await Scene.create()
    const place = await placeOf(scene)
    const { HOME: _, ...homeless } = scene.env
    await load({ ...place, call: { ...place.call, env: homeless, state: '/x/state.db' } })
    await load({ ...place, call: { ...place.call, file: null, env: { ...scene.env, POPFETCH_CONFIG_YAML: YAML } } })
    expect(await readdir(place.folder)).toEqual([])
  })
})

describe('an old one does not open', () => {
  const changed = (place: Place, call: Partial<Call>): Place => ({ ...place, call: { ...place.call, ...call } })
  const withEnv = (place: Place, env: Record<string, string>): Place =>
    changed(place, { env: { ...place.call.env, ...env } })
  const file = (place: Place): string => place.call.file ?? ''

  const CHANGES: readonly (readonly [string, (place: Place) => Place | Promise<Place | void>])[] = [
    [
      'a character of the file',
      async (place) => writeFile(file(place), YAML.replace('pop.example.org', 'pop.example.com')),
    ],
    ['a secret in the file', async (place) => writeFile(file(place), YAML.replace(SECRET, 'correct horse batterz'))],
    ['a comment', async (place) => writeFile(file(place), `${YAML}# more\n`)],
    ['the home', (place) => withEnv(place, { HOME: '/elsewhere' })],
    ['where state is by default', (place) => withEnv(place, { XDG_STATE_HOME: '/elsewhere' })],
    ['the state directory of systemd', (place) => withEnv(place, { STATE_DIRECTORY: '/elsewhere' })],
    ['the umask of a container', (place) => withEnv(place, { UMASK: '002' })],
    ['a container', (place) => withEnv(place, { POPFETCH_CONTAINER: '1' })],
    ['--state', (place) => changed(place, { state: 'other.db' })],
    ['the user', (place) => changed(place, { uid: place.call.uid + 1 })],
    ['that others can read the secret', async (place) => chmod(file(place), 0o644)],
    ['that others can write to the file', async (place) => chmod(file(place), 0o666)],
    ['that the file is gone', async (place) => rm(file(place))],
    [
      'that the kept one was cut',
      async (place) => {
        const name = await only(place)
        await writeFile(name, (await readFile(name)).subarray(0, -1))
      },
    ],
    ['that the kept one is empty', async (place) => writeFile(await only(place), '')],
    ['that others can write to the kept one', async (place) => chmod(await only(place), 0o666)],
    [
      'that the kept one is a folder',
      async (place) => {
        const name = await only(place)
        await rm(name)
        await mkdir(name)
      },
    ],
  ]

  test.each(CHANGES)('after a change of %s', async (_, change) => {
    await using scene = await Scene.create()
    const place = await placeOf(scene)
    await load(place)
    expect(await kept(place)).not.toBeNull()
    expect(await kept((await change(place)) ?? place)).toBeNull()
  })

  test('whichever of its bits has changed', async () => {
    await using scene = await Scene.create()
    const place = await placeOf(scene)
    await load(place)
    const name = await only(place)
    const bytes = await readFile(name)
    for (let at = 0; at < bytes.length; at += Math.ceil(bytes.length / 100)) {
      const spoilt = Buffer.from(bytes)
      spoilt[at] = (spoilt[at] ?? 0) ^ 1
      await writeFile(name, spoilt)
      expect([at, await kept(place)]).toEqual([at, null])
    }
  })

  test('with another program, from another place, or in sources that change', async () => {
    await using scene = await Scene.create()
    const place = await placeOf(scene)
    await load(place)
    expect(await kept(place, 'program-2')).toBeNull()
    const other = scene.path('other.yaml')
    await copyFile(file(place), other)
    expect(await kept(changed(place, { file: other }))).toBeNull()
    expect(await keptConfiguration(place.call, place.folder)).toBeNull()
  })

  test('as another file, given its name', async () => {
    await using scene = await Scene.create()
    const place = await placeOf(scene)
    await load(place)
    const name = await only(place)
    const other = changed(place, { file: await scene.write(YAML, { name: 'other.yaml' }) })
    await load(other)
    const [second = ''] = (await readdir(place.folder)).filter((one) => one !== path.basename(name))
    await copyFile(name, path.join(place.folder, second))
    expect(await kept(other)).toBeNull()
  })

  test('but after a change of what nobody asked for', async () => {
    await using scene = await Scene.create()
    const place = await placeOf(scene)
    await load(place)
    expect(await kept(withEnv(place, { LANG: 'C', PATH: '/nowhere', TERM: 'dumb' }))).not.toBeNull()
    expect(await kept(changed(place, { cwd: '/' }))).not.toBeNull()
  })

  test('through a link of ours, which is judged as the file is', async () => {
    await using scene = await Scene.create()
    const place = await placeOf(scene)
    await rm(file(place))
    await symlink(await scene.write(YAML, { name: 'real.yaml' }), file(place))
    await load(place)
    expect(await kept(place)).not.toBeNull()
    await chmod(scene.path('real.yaml'), 0o644)
    expect(await kept(place)).toBeNull()
  })
})

test('a loader that looks at the whole environment, or asks a program, makes none', () => {
  const whole = new Witness({ HOME: '/h', A: '1' })
  whole.read({ file: '/c', text: '', holdsSecret: false })
  expect(whole.isWhole).toBe(true)
  expect(Object.keys(whole.env)).toContain('A')
  expect(whole.isWhole).toBe(false)
  const asking = new Witness({ HOME: '/h' })
  asking.read({ file: '/c', text: '', holdsSecret: false })
  asking.never()
  expect(asking.isWhole).toBe(false)
})

test('a witness names each variable that was asked for, set or not', () => {
  const witness = new Witness({ HOME: '/h', B: '2' })
  expect([witness.env['B'], witness.env['A'], 'C' in witness.env]).toEqual(['2', undefined, false])
  expect(witness.names).toEqual(['A', 'B', 'C', 'POPFETCH_CONTAINER', 'UMASK'])
})

test('secrets are found wherever they stand, in any order, in any of the texts, and some twice', () => {
  const texts = ['a: one\nb: two\n', 'c: three\nd: one more\ne: two\n']
  const values = ['two', 'one', 'one more', 'three', 'two', 'one']
  const plain = withoutSecrets(
    values.map((text) => new SecretText(text)),
    texts,
  )
  expect(JSON.stringify(plain)).not.toMatch(/one|two|three/)
  if (plain === null) throw new Error('all of them stand there')
  expect((withSecrets(plain, texts) as SecretText[]).map((secret) => secret.reveal())).toEqual(values)
  expect(withoutSecrets([new SecretText('two'), new SecretText('four')], texts)).toBeNull()
})
