// Started as root in a container: PUID, PGID and UMASK, and whose the folders of the image are then.
import { chmodSync, chownSync, lstatSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { becomeUser, type Root } from '../../src/cli/container.ts'
import { umaskOf, usualMailMode } from '../../src/environment.ts'

class Ended extends Error {}

/** A process that notes what it is told. */
class Fake implements Root {
  readonly env: Record<string, string | undefined>
  readonly calls: unknown[] = []
  readonly #uid: number
  readonly #forbidden: boolean
  said = ''

  constructor(env: Record<string, string>, { uid = 0, forbidden = false } = {}) {
    this.env = { POPFETCH_CONTAINER: '1', ...env }
    this.#uid = uid
    this.#forbidden = forbidden
  }
  stderr = { write: (text: string): void => void (this.said += text) }
  getuid = (): number => this.#uid
  setgroups = (groups: readonly number[]): void => this.#note('groups', groups)
  setgid = (id: number): void => this.#note('gid', id)
  setuid = (id: number): void => this.#note('uid', id)
  exit = (code: number): never => {
    this.calls.push(['exit', code])
    throw new Ended()
  }
  #note(name: string, value: unknown): void {
    if (this.#forbidden) throw Object.assign(new Error('no'), { code: 'EPERM' })
    this.calls.push([name, value])
  }
}

function became(fake: Fake, places = { state: '/nonexistent', mail: '/nonexistent' }): Fake {
  try {
    becomeUser(fake, places)
  } catch (error) {
    if (!(error instanceof Ended)) throw error
  }
  return fake
}

describe('root in a container', () => {
  test.each([
    [{ PUID: '1000', PGID: '100' }, 1000, 100],
    [{ PUID: '1000' }, 1000, 1000],
    [{ PUID: '1000', PGID: '' }, 1000, 1000],
    [{ PUID: '1000', PGID: '0' }, 1000, 0],
    [{ PUID: '0', PGID: '0' }, 0, 0],
    [{ PUID: '4294967293', PGID: '100', UMASK: '022' }, 4_294_967_293, 100],
  ])('with %j becomes that user, first of all its groups', (env, uid, gid) => {
    expect(became(new Fake(env)).calls).toEqual([
      ['groups', []],
      ['gid', gid],
      ['uid', uid],
    ])
  })

  test.each([[{}], [{ PUID: '', PGID: '' }], [{ UMASK: '022' }]])('without PUID stays who it is: %j', (env) => {
    expect(became(new Fake(env))).toMatchObject({ calls: [], said: '' })
  })

  test('who is not root stays who it is', () => {
    expect(became(new Fake({ PUID: '1000', PGID: '100' }, { uid: 33 }))).toMatchObject({ calls: [], said: '' })
  })

  test.each([
    [{ PUID: 'alice' }, /found PUID="alice", expected a number such as 1000/],
    [{ PUID: '-1' }, /PUID="-1"/],
    [{ PUID: '1000 ' }, /PUID="1000 "/],
    [{ PUID: '4294967295' }, /PUID="4294967295"/],
    [{ PUID: '1e3' }, /PUID="1e3"/],
    [{ PUID: '1000', PGID: 'users' }, /PGID="users"/],
    [{ PGID: '100' }, /found PGID without PUID: set both/],
    [{ PUID: '1000', UMASK: '0o22' }, /UMASK="0o22", expected three octal digits/],
    [{ UMASK: '888' }, /UMASK="888"/],
    [{ UMASK: '1022' }, /UMASK="1022"/],
    [{ PUID: '\u001b[31m' }, /PUID="\\u001b\[31m"/],
  ])('is refused with %j, before anything is done', (env, text) => {
    const { calls, said } = became(new Fake(env))
    expect(calls).toEqual([['exit', 78]])
    expect(said).toMatch(text)
    expect(said).toMatch(/^popfetch: starting in a container: [^\n]*\n$/)
  })

  test('says what to do where the container forbids it', () => {
    const { calls, said } = became(new Fake({ PUID: '1000', PGID: '100' }, { forbidden: true }))
    expect(calls).toEqual([['exit', 78]])
    expect(said).toMatch(/PUID=1000 \(EPERM\): leave PUID and PGID out .*--user 1000:100\b.*SETUID and SETGID/)
  })

  test("has no home any more that is root's", () => {
    expect(became(new Fake({ PUID: '1000', HOME: '/root' })).env['HOME']).toBeUndefined()
    expect(became(new Fake({ PUID: '1000', HOME: '/state' })).env['HOME']).toBe('/state')
  })
})

describe.runIf(process.getuid?.() === 0)('the folders of the image [needs root]', () => {
  let scene = ''
  let places = { state: '', mail: '' }
  beforeEach(() => {
    scene = mkdtempSync(join(tmpdir(), 'popfetch-container-'))
    places = { state: join(scene, 'state'), mail: join(scene, 'mail') }
    for (const folder of Object.values(places)) mkdirSync(folder)
  })
  afterEach(() => rmSync(scene, { recursive: true }))
  const become = (): Fake => became(new Fake({ PUID: '4711', PGID: '4712' }), places)
  const ownerOf = (...names: string[]): readonly number[] => {
    const { uid, gid } = lstatSync(join(scene, ...names))
    return [uid, gid]
  }

  test('are given to the user where they are new', () => {
    become()
    expect([ownerOf('state'), ownerOf('mail')]).toEqual([
      [4711, 4712],
      [4711, 4712],
    ])
  })

  test('with a ledger of the user before go over to the next one, with what is popfetch’s alone', () => {
    mkdirSync(join(places.state, 'oauth'))
    mkdirSync(join(places.state, 'Mail'))
    for (const name of ['state.db', 'state.db-wal', 'oauth/a', 'Mail/b', 'notes'])
      writeFileSync(join(places.state, name), '')
    writeFileSync(join(scene, 'outside'), '')
    symlinkSync(join(scene, 'outside'), join(places.state, 'popfetch.log'))
    symlinkSync(scene, join(places.state, 'spool'))
    chownSync(places.state, 10_001, 10_001)
    become()
    for (const name of ['', 'state.db', 'state.db-wal', 'oauth', 'oauth/a', 'spool'])
      expect([name, ownerOf('state', name)]).toEqual([name, [4711, 4712]])
    for (const name of ['Mail', 'Mail/b', 'notes']) expect([name, ownerOf('state', name)]).toEqual([name, [0, 0]])
    expect(ownerOf('outside')).toEqual([0, 0])
    expect(ownerOf()).toEqual([0, 0])
  })

  test('of somebody else with mail in them stay as they are', () => {
    mkdirSync(join(places.mail, 'cur'))
    chmodSync(places.mail, 0o777)
    become()
    expect([ownerOf('mail'), ownerOf('mail', 'cur')]).toEqual([
      [0, 0],
      [0, 0],
    ])
  })
})

test.each([
  [{}, 0o077, 0o600],
  [{ UMASK: '022' }, 0o077, 0o600],
  [{ POPFETCH_CONTAINER: '1' }, 0o077, 0o600],
  [{ POPFETCH_CONTAINER: '1', UMASK: '077' }, 0o077, 0o600],
  [{ POPFETCH_CONTAINER: '1', UMASK: '027' }, 0o027, 0o640],
  [{ POPFETCH_CONTAINER: '1', UMASK: '022' }, 0o022, 0o644],
  [{ POPFETCH_CONTAINER: '1', UMASK: '0002' }, 0o002, 0o664],
  [{ POPFETCH_CONTAINER: '1', UMASK: '2' }, 0o002, 0o664],
  [{ POPFETCH_CONTAINER: '1', UMASK: '000' }, 0o000, 0o664],
  [{ POPFETCH_CONTAINER: '1', UMASK: '777' }, 0o777, 0o600],
  [{ POPFETCH_CONTAINER: '1', UMASK: 'x' }, 0o077, 0o600],
])('with %j the umask is %o and mail has the mode %o', (env, umask, mode) => {
  expect([umaskOf(env), usualMailMode(env)]).toEqual([umask, mode])
})
