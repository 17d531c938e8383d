import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { WrongConfiguration } from '../../../../src/config/problem.ts'
import { PopfetchError } from '../../../../src/errors.ts'
import { World } from '../../world.ts'

let world: World
beforeEach(async () => {
  world = await World.make()
})
afterEach(() => world[Symbol.asyncDispose]())

describe('config', () => {
  test('check says what is there, and warns', async () => {
    world.warnings = ['running as root']
    expect(await world.run('config check')).toBe(0)
    expect(world.stdout.text).toBe(
      `${world.directory}/config.yaml: correct: 2 accounts, 0 destinations\nledger: ${world.directory}/state.db\nwarning: running as root\n`,
    )
  })

  test('show prints what is in effect, schema a JSON Schema', async () => {
    await world.run('config show')
    expect(world.stdout.text).toBe('accounts:\n  work:\n    password: "****"\n')
    world.configurationError = new PopfetchError('ERR_CONFIG', 'none', { scope: 'process', retry: 'never' })
    expect(await world.run('config schema')).toBe(0)
    expect(world.json).toEqual({ type: 'object' })
  })

  test('check --json has a list of the problems, each with its place (B17)', async () => {
    const problem = { file: '/c.yaml', line: 3, path: 'accounts.a.port', found: '0', expected: 'a port' }
    world.configurationError = new WrongConfiguration('reading /c.yaml: 1 problem:\n/c.yaml:3: …', [problem])
    expect(await world.run('config check --json')).toBe(78)
    expect(world.json).toEqual({
      ok: false,
      problems: [problem],
      error: { code: 'ERR_CONFIG', message: 'reading /c.yaml: 1 problem:', retry: 'never' },
    })
  })

  test('reference explains every key, or those that are asked about, without a configuration', async () => {
    world.configurationError = new PopfetchError('ERR_CONFIG', 'none', { scope: 'process', retry: 'never' })
    expect(await world.run('config reference poll')).toBe(0)
    expect(world.stdout.text).toBe(`Account: accounts.NAME

  accounts.NAME.poll
      How often the daemon polls; { min, max } polls often after mail arrives
      and slows down when there is none.
      Values: a duration 1s to 20d such as 5m, or { min: 1m, max: 30m }
      (default: 5m)
`)
    expect(await world.run('config reference')).toBe(0)
    for (const key of ['concurrency', 'accounts.NAME.host', 'destinations.NAME.folder', 'oauth.NAME.flow'])
      expect(world.stdout.text).toContain(`\n  ${key}\n`)
    expect(world.stdout.text.split('\n').filter((line) => line.length > 80)).toEqual([])
  })

  test('reference --json is the list that the pages are made from', async () => {
    expect(await world.run('config reference smtp.rate --json')).toBe(0)
    expect(world.json).toMatchObject({
      ok: true,
      sections: [{ kind: 'smtp', keys: [{ required: false, usual: null }] }],
    })
  })

  test('a key that does not exist names the nearest, and other actions take none', async () => {
    expect(await world.run('config reference pol')).toBe(64)
    expect(world.stderr.text).toContain('no key is called pol: did you mean poll?')
    expect(await world.run('config show poll')).toBe(64)
    expect(world.stderr.text).toContain('unknown argument: poll')
  })
})
