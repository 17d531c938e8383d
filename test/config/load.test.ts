// Finding and reading the file: places, permissions, and that a configuration is data and never code.
import { chmod, chown, mkdir, readdir, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { loadConfiguration } from '../../src/config/load.ts'
import { configurationPlaces, findConfiguration, usualStatePath } from '../../src/config/paths.ts'
import { ACCOUNT, refusal, Scene, UID } from './scene.ts'

const GOOD = `accounts: {a: {${ACCOUNT}}}\n`
const ROOT = process.getuid?.() === 0

function loadFrom(scene: Scene, options: { file?: string; env?: Record<string, string>; uid?: number } = {}) {
  const { file = null, env = {}, uid = UID } = options
  return loadConfiguration({ file, state: null, env: { ...scene.env, ...env }, cwd: scene.directory, uid })
}

describe('the place of the configuration', () => {
  test('is one of six, and never the working directory', () => {
    expect(configurationPlaces({ HOME: '/h' })).toEqual([
      '/h/.config/popfetch/config.yaml',
      '/h/.config/popfetch/config.yml',
      '/h/.config/popfetch/config.json',
      '/etc/popfetch/config.yaml',
      '/etc/popfetch/config.yml',
      '/etc/popfetch/config.json',
    ])
    expect(configurationPlaces({ HOME: '/h', XDG_CONFIG_HOME: '/x' })[0]).toBe('/x/popfetch/config.yaml')
    expect(configurationPlaces({ HOME: '/h', XDG_CONFIG_HOME: 'x' })[0]).toBe('/h/.config/popfetch/config.yaml')
  })

  test('is what --config names, relative to the working directory, before POPFETCH_CONFIG', async () => {
    await using scene = await Scene.create()
    await scene.write(GOOD, { name: 'mine.yaml' })
    await scene.write('accounts: {b: {}}', { name: 'other.yaml' })
    const { file } = await loadFrom(scene, { file: 'mine.yaml', env: { POPFETCH_CONFIG: 'other.yaml' } })
    expect(file).toBe(scene.path('mine.yaml'))
  })

  test('is in POPFETCH_CONFIG_YAML, after what is named and before the usual places', async () => {
    await using scene = await Scene.create()
    const named = await scene.write('accounts: {b: {}}', { name: 'named.yaml' })
    await mkdir(scene.path('home/.config/popfetch'), { recursive: true })
    await scene.write('accounts: {c: {}}', { name: 'home/.config/popfetch/config.yaml' })
    const env = { POPFETCH_CONFIG_YAML: GOOD }
    const { file, accounts } = await loadFrom(scene, { env })
    expect([file, accounts.map(({ name }) => name)]).toEqual(['$POPFETCH_CONFIG_YAML', ['a']])
    // As a daemon in the background is told.
    expect((await loadFrom(scene, { file: '$POPFETCH_CONFIG_YAML', env })).accounts).toHaveLength(1)
    await expect(loadFrom(scene, { file: named, env })).rejects.toThrow(/named\.yaml/)
    await expect(loadFrom(scene, { env: { ...env, POPFETCH_CONFIG: named } })).rejects.toThrow(/named\.yaml/)
    await expect(loadFrom(scene, { env: { POPFETCH_CONFIG_YAML: '' } })).rejects.toThrow(/config\.yaml/)
  })

  test.each([
    ['deliver', 'maildir:Mail', 'accounts.a.deliver: found text, expected '],
    ['password', { file: 'secret' }, 'accounts.a.password'],
    ['ca', 'ca.pem', 'accounts.a.ca'],
    ['via', ['./gate'], 'accounts.a.via'],
  ])('in POPFETCH_CONFIG_YAML has no relative paths: %s', async (key, value, place) => {
    await using scene = await Scene.create()
    const account = { host: 'pop.example.net', user: 'alice', password: { env: 'PW' }, deliver: 'maildir:/mail' }
    const text = JSON.stringify({ accounts: { a: { ...account, [key]: value } } })
    const error = await refusal(loadFrom(scene, { env: { POPFETCH_CONFIG_YAML: text } }))
    expect(error.message).toContain('reading the configuration $POPFETCH_CONFIG_YAML: 1 problem')
    expect(error.message).toContain(`$POPFETCH_CONFIG_YAML:1: ${place.split(':')[0] ?? ''}`)
    expect(error.message).toContain('an absolute path, since $POPFETCH_CONFIG_YAML is in no directory')
  })

  test('in POPFETCH_CONFIG_YAML may have a password, and paths in the home directory', async () => {
    await using scene = await Scene.create()
    const account = { host: 'pop.example.net', user: 'alice', password: 'secret', deliver: 'maildir:~/Mail' }
    const env = { POPFETCH_CONFIG_YAML: JSON.stringify({ accounts: { a: account }, state: '/state/state.db' }) }
    const { destinations, statePath } = await loadFrom(scene, { env })
    expect([...destinations.values()]).toMatchObject([{ path: scene.path('home/Mail') }])
    expect(statePath).toBe('/state/state.db')
  })

  test('that is empty in POPFETCH_CONFIG_YAML, or wrong, is told by that name', async () => {
    await using scene = await Scene.create()
    for (const text of [' ', '# nothing\n']) {
      const error = await refusal(loadFrom(scene, { env: { POPFETCH_CONFIG_YAML: text } }))
      expect(error.message).toBe('reading the configuration $POPFETCH_CONFIG_YAML: it is empty: write accounts into it')
    }
  })

  test('is what POPFETCH_CONFIG names, before the usual places', async () => {
    await using scene = await Scene.create()
    const file = await scene.write(GOOD, { name: 'mine.yaml' })
    expect(await loadFrom(scene, { env: { POPFETCH_CONFIG: 'mine.yaml' } })).toMatchObject({ file })
  })

  test('is the first usual one that exists', async () => {
    await using scene = await Scene.create()
    await mkdir(scene.path('x/popfetch'), { recursive: true })
    await scene.write(GOOD, { name: 'x/popfetch/config.json' })
    const env = { XDG_CONFIG_HOME: scene.path('x') }
    expect(await loadFrom(scene, { env })).toMatchObject({ file: scene.path('x/popfetch/config.json') })
    await scene.write(GOOD, { name: 'x/popfetch/config.yml' })
    expect(await loadFrom(scene, { env })).toMatchObject({ file: scene.path('x/popfetch/config.yml') })
  })

  test('that is missing everywhere is an error that lists where it was looked for', async () => {
    const error = await refusal(findConfiguration(null, {}, '/', ['/nonexistent/a.yaml', '/nonexistent/b.yaml']))
    expect(error).toMatchObject({ code: 'ERR_CONFIG', scope: 'process', retry: 'never' })
    expect(error.message.split('\n')).toEqual([
      expect.stringMatching(/--config.*:$/),
      '  /nonexistent/a.yaml',
      '  /nonexistent/b.yaml',
    ])
  })

  test.each(['', '\n\n', '# only a remark\n', '---\n', '{}', '[]', 'text'])(
    'that holds %j is an error',
    async (text) => {
      await using scene = await Scene.create()
      const file = await scene.write(text)
      await expect(loadFrom(scene, { file })).rejects.toMatchObject({ code: 'ERR_CONFIG' })
    },
  )

  test('that exists but leads nowhere, is a directory or missing is an error, not a reason to look further', async () => {
    await using scene = await Scene.create()
    await mkdir(scene.path('x/popfetch'), { recursive: true })
    await symlink('/nonexistent', scene.path('x/popfetch/config.yaml'))
    await scene.write(GOOD, { name: 'x/popfetch/config.yml' })
    await expect(loadFrom(scene, { env: { XDG_CONFIG_HOME: scene.path('x') } })).rejects.toThrow(
      /config\.yaml: it does not exist/,
    )
    await expect(loadFrom(scene, { file: 'x' })).rejects.toThrow(/not a regular file/)
    await expect(loadFrom(scene, { file: 'missing.yaml' })).rejects.toThrow(/missing\.yaml: it does not exist/)
  })

  test.runIf(!ROOT)('that may not be read is an error', async () => {
    await using scene = await Scene.create()
    const file = await scene.write(GOOD, { mode: 0o000 })
    await expect(loadFrom(scene, { file })).rejects.toThrow(/permission denied/)
  })

  test('may have any extension, and JSON is read like YAML', async () => {
    await using scene = await Scene.create()
    const json =
      '{\n\t"accounts": {"a": {"host": "h", "user": "u", "password": {"env": "P"}, "deliver": "maildir:/m"}}\n}'
    for (const name of ['c.json', 'c', 'c.conf', 'c.js', 'c.ts', 'package.json', 'package.yaml']) {
      const file = await scene.write(json, { name })
      expect((await loadFrom(scene, { file })).accounts).toHaveLength(1)
    }
  })
})

describe('a configuration is data', () => {
  test('no code of the working directory runs, nor any beside the file (N023)', async () => {
    await using scene = await Scene.create()
    const marker = scene.path('marker')
    const evil = `require('node:fs').writeFileSync(${JSON.stringify(marker)}, '')\nmodule.exports = {}\n`
    await mkdir(scene.path('.config'))
    const names = [
      '.config/config.js',
      '.config/config.cjs',
      '.config/popfetchrc.js',
      'popfetch.config.cjs',
      '.popfetchrc.cjs',
    ]
    for (const name of names) await writeFile(scene.path(name), evil)
    await writeFile(
      scene.path('package.json'),
      JSON.stringify({ cosmiconfig: { searchPlaces: ['.config/config.js'] } }),
    )
    const file = await scene.write(GOOD)
    const before = process.cwd()
    process.chdir(scene.directory)
    try {
      await loadFrom(scene, { file })
      expect(process.cwd()).toBe(scene.directory)
    } finally {
      process.chdir(before)
    }
    expect(await readdir(scene.directory)).not.toContain('marker')
  })

  test('a file called .js is not run', async () => {
    await using scene = await Scene.create()
    const marker = scene.path('marker')
    const file = await scene.write(`require('node:fs').writeFileSync(${JSON.stringify(marker)}, '')`, { name: 'c.js' })
    await expect(loadFrom(scene, { file })).rejects.toMatchObject({ code: 'ERR_CONFIG' })
    expect(await readdir(scene.directory)).not.toContain('marker')
  })

  test('$import is an unknown key', async () => {
    await using scene = await Scene.create()
    await writeFile(scene.path('more.js'), `throw new Error('run')`)
    expect(await scene.problems(`$import: more.js\n${GOOD}`)).toEqual([
      expect.stringMatching(/^1: \$import: found an unknown key, expected /),
    ])
  })

  test('a working directory that is gone does no harm', async () => {
    await using scene = await Scene.create()
    const file = await scene.write(GOOD)
    await mkdir(scene.path('gone'))
    const before = process.cwd()
    process.chdir(scene.path('gone'))
    try {
      await scene[Symbol.asyncDispose]()
      await mkdir(scene.directory)
      await scene.write(GOOD)
      expect((await loadFrom(scene, { file })).accounts).toHaveLength(1)
    } finally {
      process.chdir(before)
    }
  })
})

describe('permissions', () => {
  const SECRET = GOOD.replace('{ env: PW }', 'hunter2')

  test.each([
    [SECRET, 0o600, true],
    [SECRET, 0o604, false],
    [SECRET, 0o644, false],
    [GOOD, 0o644, true],
    [GOOD, 0o646, false],
    [`x-mine: { password: hunter2 }\n${GOOD}`, 0o644, false],
    [`defaults: { password: 12345 }\n${GOOD}`, 0o644, false],
    [`${GOOD}destinations: {d: {type: smtp, host: h, to: a@b.c, user: u, password: hunter2}}`, 0o644, false],
  ])('%j with mode %o: accepted is %s (N017)', async (text, mode, accepted) => {
    await using scene = await Scene.create()
    const file = await scene.write(text)
    await chmod(file, mode)
    if (accepted) expect((await loadFrom(scene, { file })).accounts).toHaveLength(1)
    else {
      const error = await refusal(loadFrom(scene, { file }))
      expect(error.message).toContain('chmod')
      expect(error.message).not.toContain('hunter2')
    }
  })

  test.runIf(ROOT)('a group may read a secret only in a file of root', async () => {
    await using scene = await Scene.create()
    const file = await scene.write(SECRET)
    await chmod(file, 0o640)
    expect((await loadFrom(scene, { file })).accounts).toHaveLength(1)
    await chown(file, 1000, 1000)
    await expect(loadFrom(scene, { file, uid: 1000 })).rejects.toThrow(/its group can read/)
  })

  test.runIf(ROOT)('a file of somebody else is refused, also as root (N017)', async () => {
    await using scene = await Scene.create()
    const file = await scene.write(GOOD)
    await chown(file, 1001, 1001)
    await expect(loadFrom(scene, { file, uid: 1000 })).rejects.toThrow(
      /found a file of user 1001, expected let root chown 1000 /,
    )
    await expect(loadFrom(scene, { file, uid: 0 })).rejects.toThrow(/a file of user 1001.*chown root/)
    const env = { POPFETCH_CONTAINER: '1' }
    expect((await loadFrom(scene, { file, uid: 0, env })).accounts).toHaveLength(1)
  })

  test('a directory above that anybody can write is refused, unless it is sticky', async () => {
    await using scene = await Scene.create()
    await mkdir(scene.path('open/inner'), { recursive: true })
    const file = await scene.write(GOOD, { name: 'open/inner/config.yaml' })
    await chmod(scene.path('open'), 0o777)
    await expect(loadFrom(scene, { file })).rejects.toThrow(
      /below the directory .*open, which anybody can write to \(mode 0777\), expected chmod go-w/,
    )
    await chmod(scene.path('open'), 0o1777)
    expect((await loadFrom(scene, { file })).accounts).toHaveLength(1)
  })

  test('root is warned', async () => {
    await using scene = await Scene.create()
    const file = await scene.write(GOOD)
    const { warnings } = await loadFrom(scene, { file, uid: 0, env: { POPFETCH_CONTAINER: '1' } })
    expect(warnings[0]).toMatch(/^running as root/)
  })
})

describe('surroundings', () => {
  test('NODE_TLS_REJECT_UNAUTHORIZED=0 is refused, whatever the configuration (N024)', async () => {
    await using scene = await Scene.create()
    const file = await scene.write(GOOD)
    const error = await refusal(loadFrom(scene, { file, env: { NODE_TLS_REJECT_UNAUTHORIZED: '0' } }))
    expect(error).toMatchObject({ code: 'ERR_CONFIG', retry: 'never' })
    expect(error.message).toContain('NODE_TLS_REJECT_UNAUTHORIZED')
  })

  test.each([
    [{ HOME: '/h' }, '/h/.local/state/popfetch/state.db'],
    [{ HOME: '/h', XDG_STATE_HOME: '/x' }, '/x/popfetch/state.db'],
    [{ HOME: '/h', XDG_STATE_HOME: 'x' }, '/h/.local/state/popfetch/state.db'],
    [
      { HOME: '/h', XDG_STATE_HOME: '/x', STATE_DIRECTORY: '/var/lib/popfetch:/var/lib/b' },
      '/var/lib/popfetch/state.db',
    ],
  ])('with %j the ledger is usually %s', (env, expected) => {
    expect(usualStatePath(env)).toBe(expected)
  })

  test('state is relative to the file, --state to the working directory and before it', async () => {
    await using scene = await Scene.create()
    await mkdir(scene.path('etc'))
    const file = await scene.write(`state: s.db\n${GOOD}`, { name: 'etc/config.yaml' })
    const options = { file, env: scene.env, cwd: scene.directory, uid: UID }
    expect((await loadConfiguration({ ...options, state: null })).statePath).toBe(scene.path('etc/s.db'))
    expect((await loadConfiguration({ ...options, state: 'mine.db' })).statePath).toBe(scene.path('mine.db'))
    expect((await loadConfiguration({ ...options, state: '~/mine.db' })).statePath).toBe(
      path.join(scene.env['HOME']!, 'mine.db'),
    )
  })
})
