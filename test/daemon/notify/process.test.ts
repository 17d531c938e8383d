// A destination that refuses everything is told by all four ways, from cron and from the daemon, with real processes. It is
// told once, and once when it takes mail again. Time goes in the ledger: the rest is made older.
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { until } from '../scene.ts'
import { Told } from './scene.ts'

const SLOW = 120_000
const ALL = (event: string): readonly string[] => ['run', 'url', 'json', 'mail'].map((way) => `${way} ${event}`)

/** Three messages for each of two accounts, none of which the destination takes. */
async function refused(told: Told): Promise<void> {
  told.sink.faults.mail = '451 4.3.2 not now'
  told.scene.fill(3)
  told.scene.fill(3, 4, 'home')
}

/** No YAML and no JSON any more. */
const cut = (text: string): string => `${text.slice(0, -1)},`

function works(told: Told): void {
  told.sink.faults.mail = null
}

describe('a destination that refuses everything', () => {
  test(
    'is told from cron by run, url, mail and ping, once for both accounts, and once when it works again',
    { timeout: SLOW },
    async () => {
      await using told = await Told.create()
      await refused(told)
      await told.scene.popfetch()
      expect(told.words).toEqual([])
      expect(told.pings).toEqual(['/ping/secret-uuid/fail'])
      await told.age()
      await told.scene.popfetch()
      expect(told.words).toEqual(ALL('problem'))
      await told.scene.popfetch()
      expect(told.words).toEqual(ALL('problem'))
      const [plain, json] = told.requests.filter(({ method }) => method === 'POST')
      expect(plain?.title).toMatch(/^popfetch on .*: mail is not arriving: forward$/)
      expect(plain?.body).toMatch(/^forward \((home, work|work, home)\): .*451 4\.3\.2 not now.*since 20/)
      expect(json).toMatchObject({ path: '/json', key: 'Key-of-nobody-2' })
      expect(JSON.parse(json?.body ?? '')).toMatchObject({
        event: 'problem',
        destination: 'forward',
        code: 'ERR_DELIVERY',
      })
      expect(told.mails[0]).toContain('Auto-Submitted: auto-generated')

      works(told)
      await told.scene.popfetch('work', 'home')
      expect(told.sink.messages).toHaveLength(6)
      expect(told.words.toSorted()).toEqual([...ALL('problem'), ...ALL('recovery')].toSorted())
      expect(told.pings.at(-1)).toBe('/ping/secret-uuid')
      await told.scene.popfetch()
      expect(told.words).toHaveLength(8)
    },
  )

  test('is told from the daemon in the same way, also after a restart', { timeout: SLOW }, async () => {
    await using told = await Told.create()
    await refused(told)
    await told.scene.popfetch()
    await told.age()
    await told.scene.daemon()
    await until(() => told.words.length >= 4)
    expect(told.words.toSorted()).toEqual([...ALL('problem')].toSorted())
    await told.scene.popfetch('stop')
    await told.scene.daemon()
    works(told)
    await told.scene.wake()
    await until(() => told.words.length >= 8)
    await told.scene.popfetch('stop')
    expect(told.words.toSorted()).toEqual([...ALL('problem'), ...ALL('recovery')].toSorted())
    expect(told.pings[0]).toBe('/ping/secret-uuid/fail')
  })

  test(
    'is told by all four ways and by onProblem once over cron and daemon, whichever sees it first, and so is its end',
    { timeout: SLOW },
    async () => {
      await using told = await Told.create({ daemon: { onProblem: ['./other'] } })
      told.script('other', 'old.ran')
      await refused(told)
      await told.scene.popfetch()
      await told.age()
      await told.scene.popfetch()
      expect(told.words).toEqual(ALL('problem'))
      expect(told.ran('old.ran')).toEqual(['problem|forward|work, home'])
      // What cron has told, the background process does not tell again.
      await told.scene.daemon()
      await told.scene.wake()
      expect(told.words).toEqual(ALL('problem'))
      works(told)
      await told.scene.wake()
      await until(() => told.words.length >= 8 && told.ran('old.ran').length >= 2)
      await told.scene.popfetch('stop')
      // And what the background process has told, cron does not.
      await told.scene.popfetch('work', 'home')
      await told.scene.popfetch()
      expect(told.words.toSorted()).toEqual([...ALL('problem'), ...ALL('recovery')].toSorted())
      expect(told.ran('old.ran')).toEqual(['problem|forward|work, home', 'recovery|forward|work, home'])
      expect(told.pings[0]).toBe('/ping/secret-uuid/fail')
      expect(told.pings.at(-1)).toBe('/ping/secret-uuid')
    },
  )

  test('is told once by a program that notify and onProblem both name', { timeout: SLOW }, async () => {
    await using told = await Told.create({ notify: [{ run: ['./tell'] }], daemon: { onProblem: ['./tell'] } })
    await refused(told)
    await told.scene.popfetch()
    await told.age()
    await told.scene.popfetch()
    expect(told.words).toEqual(['run problem'])
  })

  test('is told by those whom a reload names, and no more by one that it takes out', { timeout: SLOW }, async () => {
    await using told = await Told.create({ notify: [{ run: ['./tell'] }] })
    told.script('other', 'old.ran')
    await refused(told)
    await told.scene.popfetch()
    await told.age()
    await told.scene.daemon()
    await until(() => told.words.length === 1)
    expect(told.words).toEqual(['run problem'])
    told.configure({ notify: [{ run: ['./other'] }] })
    await told.scene.popfetch('reload')
    works(told)
    await told.scene.wake()
    await until(() => told.ran('old.ran').length === 1)
    await told.scene.popfetch('stop')
    expect(told.ran('old.ran')).toEqual(['recovery|forward|work, home'])
    expect(told.words).toEqual(['run problem'])
  })

  test(
    'is told later where nobody could be told, mail goes on, and no secret is written',
    { timeout: SLOW },
    async () => {
      await using told = await Told.create()
      await refused(told)
      await told.scene.popfetch()
      await told.age()
      told.status = 500
      const { code, stderr } = await told.scene.popfetch('--log-file', 'cron.log')
      expect(code).toBe(75)
      expect(told.words.filter((word) => word.startsWith('run') || word.startsWith('mail'))).toEqual([
        'run problem',
        'mail problem',
      ])
      const log = readFileSync(told.scene.path('cron.log'), 'utf8')
      expect(log).toContain('a notice could not be sent, and is retried')
      const answered = told.requests.length
      await told.scene.popfetch()
      // Not before a minute has passed.
      expect(told.requests.slice(answered).filter(({ method }) => method === 'POST')).toEqual([])
      expect(log + stderr).not.toMatch(/secret-uuid|Key-of-nobody|\/plain|\/json/)
      const shown = await told.scene.popfetch('config', 'show')
      expect(shown.stdout + shown.stderr).not.toMatch(/secret-uuid|Key-of-nobody|\/plain/)
      expect(shown.stdout).toContain('notify:')
    },
  )
})

describe('popfetch that cannot work itself', () => {
  test(
    'tells it once, also where the rest of its configuration is wrong, and that it works again',
    { timeout: SLOW },
    async () => {
      await using told = await Told.create()
      const { scene } = told
      const right = readFileSync(scene.path('config.json'), 'utf8')
      scene.write(right.replace('"host":', '"hots":'))
      expect((await scene.popfetch()).code).toBe(78)
      expect((await scene.popfetch()).code).toBe(78)
      expect(told.words.map((word) => word.split(' ')[0])).toEqual(['run', 'url', 'json', 'mail'])
      expect(told.words).toContain('run process')
      const [json] = told.requests.filter(({ path }) => path === '/json')
      expect(JSON.parse(json?.body ?? '')).toMatchObject({ event: 'process', code: 'ERR_CONFIG' })
      scene.write(right)
      expect((await scene.popfetch()).code).toBe(0)
      expect(told.words.slice().toSorted()).toEqual(
        expect.arrayContaining(['run process', 'run recovery', 'json recovery']),
      )
      expect(told.words).toHaveLength(8)
      await scene.popfetch()
      expect(told.words).toHaveLength(8)
    },
  )

  const PROCESS = ['run process', 'url problem', 'json process', 'mail problem'].toSorted()
  const RECOVERY = ALL('recovery').toSorted()

  test(
    'tells from cron once by those of the last good configuration where its file cannot be read, and once that it can again',
    { timeout: SLOW },
    async () => {
      await using told = await Told.create()
      const { scene } = told
      const right = readFileSync(scene.path('config.json'), 'utf8')
      expect((await scene.popfetch()).code).toBe(0)
      const kept = readFileSync(scene.path('state.db.notify'), 'utf8')
      expect(kept).not.toMatch(/Key-of-nobody-2|Nobody-has-this-1/)
      scene.write(cut(right))
      expect((await scene.popfetch()).code).toBe(78)
      expect((await scene.popfetch()).code).toBe(78)
      expect(told.words.toSorted()).toEqual(PROCESS)
      const [json] = told.requests.filter(({ path }) => path === '/json')
      expect(JSON.parse(json?.body ?? '')).toMatchObject({ event: 'process', code: 'ERR_CONFIG' })
      expect(json?.key).toBe('Key-of-nobody-2')
      scene.write(right)
      expect((await scene.popfetch()).code).toBe(0)
      expect((await scene.popfetch()).code).toBe(0)
      expect(told.words.toSorted()).toEqual([...PROCESS, ...RECOVERY].toSorted())
    },
  )

  test(
    'tells likewise from the background process: at a reload, at its start, and by cron beside it, once over all of them',
    { timeout: SLOW },
    async () => {
      await using told = await Told.create()
      const { scene } = told
      const right = readFileSync(scene.path('config.json'), 'utf8')
      const pid = await scene.daemon()
      await until(() => existsSync(scene.path('state.db.notify')))
      scene.write(cut(right))
      process.kill(pid, 'SIGHUP')
      await until(() => existsSync(scene.path('state.db.told')))
      expect((await scene.popfetch()).code).toBe(78)
      process.kill(pid, 'SIGHUP')
      await until(() => scene.log().filter(({ error }) => error === 'ERR_CONFIG').length === 2)
      await scene.popfetch('stop', '--state', 'state.db')
      expect((await scene.popfetch('--daemon')).code).toBe(78)
      expect(told.words.toSorted()).toEqual(PROCESS)
      scene.write(right)
      await scene.daemon()
      await until(() => !existsSync(scene.path('state.db.told')))
      expect((await scene.popfetch('reload')).code).toBe(0)
      await scene.popfetch('stop')
      expect(told.words.toSorted()).toEqual([...PROCESS, ...RECOVERY].toSorted())
    },
  )

  test('tells nobody any more whom a good configuration has left out', { timeout: SLOW }, async () => {
    await using told = await Told.create()
    const { scene } = told
    await scene.popfetch()
    told.configure({ notify: [] })
    expect((await scene.popfetch()).code).toBe(0)
    scene.write(cut(readFileSync(scene.path('config.json'), 'utf8')))
    expect((await scene.popfetch()).code).toBe(78)
    expect(told.words).toEqual([])
  })

  test(
    'tells of a ledger that is damaged; and a file that others may write names nobody',
    { timeout: SLOW },
    async () => {
      await using told = await Told.create()
      const { scene } = told
      writeFileSync(scene.path('state.db'), 'x'.repeat(5000), { mode: 0o600 })
      expect((await scene.popfetch()).code).toBe(74)
      expect(told.words).toContain('run process')
      const before = told.words.length
      rmSync(scene.path('state.db.told'))
      chmodSync(scene.path('config.json'), 0o666)
      expect((await scene.popfetch()).code).toBe(78)
      expect(told.words).toHaveLength(before)
    },
  )
})
