// The n-th system call fails, once or from then on: a full disk, a quota or a bad disk under Maildir or ledger. Then popfetch
// stops with a line that says so and the exit code of DESIGN 2. Nothing is lost, and the next healthy run ends it.
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, test } from 'vitest'
import { Scene, SET_UPS, type Ran, type SetUp } from './scene.ts'
import { dice, each, FAILED_CALLS, SEED, spread } from './sizes.ts'
import { injecting, readCalls, recording, straceMissing, type Call } from './strace.ts'

const MESSAGES = 8
const ERRORS = ['ENOSPC', 'EIO', 'EDQUOT', 'EACCES'] as const
const missing = straceMissing()

describe.skipIf(missing !== null)('a system call that fails', () => {
  test.each([
    { call: 'link', error: 'ENOSPC', says: 'no space left' },
    { call: 'link', error: 'EDQUOT', says: 'disk quota exceeded' },
    { call: 'link', error: 'EACCES', says: 'permission denied' },
  ])('$call with $error at the Maildir ends with 73 and leaves nothing behind', async ({ call, error, says }) => {
    await using scene = await sceneWithLedger()
    scene.mail(MESSAGES)
    const ran = await scene.run({ tracer: injecting(call, `error=${error}`, '1+') })
    expect(ran).toMatchObject({ code: 73, stderr: expect.stringContaining(says) as string })
    expectNothingDone(scene)
    expect(await scene.settle()).toEqual([])
  })

  // EIO may pass by itself; room must be made by somebody.
  test.each([
    ['EIO', 75],
    ['ENOSPC', 73],
  ])('fsync of new/ with %s ends with %i, and what was linked is taken back', async (error, code) => {
    await using scene = await Scene.create('maildir', 'after-delivery')
    scene.mail(MESSAGES)
    const ran = await scene.run({ tracer: injecting('fsync', `error=${error}`, '1+', `${scene.maildir}/new`) })
    expect(ran.code).toBe(code)
    expectNothingDone(scene)
    expect(await scene.settle()).toEqual([])
  })

  test.each([
    { call: 'pwrite64', error: 'ENOSPC' },
    { call: 'pwrite64', error: 'EIO' },
    { call: 'fsync', error: 'EIO' },
  ])('$call of the ledger with $error ends with 74 and deletes nothing', async ({ call, error }) => {
    await using scene = await sceneWithLedger()
    scene.mail(MESSAGES)
    // Past the lease and the attempt: what fails is the record of deliveries.
    const ran = await scene.run({ tracer: injecting(call, `error=${error}`, '3+', `${scene.statePath}-wal`) })
    expect(ran).toMatchObject({ code: 74, killed: false })
    expectOneLine(ran)
    // No QUIT either: some servers drop at QUIT what was retrieved (P129).
    expect(scene.server.journal.commands(2)).not.toContain('QUIT')
    expect(await scene.settle()).toEqual([])
  })

  test('of two destinations one fails: the other has the mail, the server keeps it', async () => {
    await using scene = await Scene.create('both', 'after-delivery')
    scene.mail(MESSAGES)
    const ran = await scene.run({ tracer: injecting('fsync', 'error=EIO', '1+', `${scene.maildir}/new`) })
    expect(ran.code).toBe(75)
    expect(scene.oracle.sinkCopies().size).toBe(MESSAGES)
    expectNothingDone(scene)
    expect(await scene.settle()).toEqual([])
    expect(scene.oracle.extraCopies).toBe(0)
  })

  test('a disk that is full while a new ledger is made leaves none, or a whole one', async () => {
    const draft = 'state.db.new-'
    const writes = (await callsOf('maildir')).filter(({ name, args }) => name === 'pwrite64' && args.includes(draft))
    // The last of them copy the pages from the log to where they belong.
    const found = await each(spread(writes, Math.ceil(FAILED_CALLS / 2)), async ({ nth }) => {
      await using scene = await Scene.create('maildir', 'after-delivery')
      scene.mail(1)
      const { code } = await scene.run({ tracer: injecting('pwrite64', 'error=ENOSPC', `${nth}+`) })
      const stopped = code === 74 ? [] : [`ended with ${code}`]
      return [...stopped, ...(await scene.settle())].map((text) => `write ${nth}: ${text}`)
    })
    expect(found.flat()).toEqual([])
  })

  for (const setUp of SET_UPS) {
    test(`${setUp}: any call, once: nothing is lost, nothing comes twice without need`, async () => {
      const points = spread(await pointsOf(setUp), Math.ceil(FAILED_CALLS / SET_UPS.length))
      const random = dice(SEED)
      const rounds = points.map((point) => ({ ...point, error: ERRORS[Math.floor(random() * ERRORS.length)]! }))
      const found = await each(rounds, async ({ call, nth, error }) => {
        await using scene = await Scene.create(setUp, 'after-delivery')
        scene.mail(MESSAGES, true)
        const ran = await scene.run({ tracer: injecting(call, `error=${error}`, String(nth)) })
        // Of the calls named `write` some wake Node's own threads: it aborts when one fails.
        const aborted = call === 'write' && ran.code === null
        // The configuration, and the program itself.
        const unread =
          (ran.code === 78 && ran.stderr.includes('reading the configuration')) ||
          (ran.code === 70 && ran.stderr.includes('/chunks/'))
        const stopped = aborted || unread || [0, 73, 74, 75].includes(ran.code ?? -1)
        const bad = stopped ? [] : [`ended with ${ran.code}: ${ran.stderr}`]
        // A second name that could not be removed is swept after 36 hours; so it is gone, but not here.
        const violations = (await scene.settle()).filter((text) => call !== 'unlink' || !text.startsWith('left in'))
        return [...bad, ...violations].map((text) => `${call} number ${nth} with ${error}: ${text}`)
      })
      expect(found.flat()).toEqual([])
    })
  }
})

test('DELE waits for a ledger that another process keeps busy', async () => {
  await using scene = await sceneWithLedger()
  scene.mail(MESSAGES)
  const other = new DatabaseSync(scene.statePath)
  let busy = false
  let early = false
  let retrieved = 0
  scene.onCommand = (verb) => {
    if (verb === 'RETR') retrieved += 1
    if (verb === 'DELE' && busy) early = true
    if (retrieved < MESSAGES || busy || verb !== 'RETR') return
    other.exec('BEGIN IMMEDIATE')
    busy = true
    setTimeout(() => {
      busy = false
      other.exec('ROLLBACK')
    }, 500)
  }
  const { code } = await scene.run()
  other.close()
  expect({ code, early }).toEqual({ code: 0, early: false })
  expect(await scene.settle()).toEqual([])
})

async function sceneWithLedger(): Promise<Scene> {
  const scene = await Scene.create('maildir', 'after-delivery')
  expect((await scene.run()).code).toBe(0)
  return scene
}

function expectNothingDone(scene: Scene): void {
  expect(readdirSync(`${scene.maildir}/new`)).toEqual([])
  expect(readdirSync(`${scene.maildir}/tmp`)).toEqual([])
  expect(scene.server.journal.of('commit')).toEqual([])
}

function expectOneLine({ stderr }: Ran): void {
  expect(stderr.trimEnd().split('\n')).toHaveLength(1)
}

async function callsOf(setUp: SetUp): Promise<readonly Call[]> {
  await using scene = await Scene.create(setUp, 'after-delivery')
  scene.mail(MESSAGES, true)
  const log = path.join(scene.directory, 'calls')
  expect((await scene.run({ tracer: recording(log) })).code).toBe(0)
  const { maildir, statePath } = scene
  return readCalls(readFileSync(log, 'latin1')).filter(
    ({ args }) => args.includes(`${maildir}/`) || args.includes(statePath),
  )
}

async function pointsOf(setUp: SetUp): Promise<readonly { readonly call: string; readonly nth: number }[]> {
  // A close that fails has closed all the same.
  const calls = (await callsOf(setUp)).filter(({ name }) => name !== 'close')
  const points = new Map(calls.map(({ name, nth }) => [`${name} ${nth}`, { call: name, nth }]))
  return [...points.values()].sort((a, b) => a.call.localeCompare(b.call) || a.nth - b.nth)
}
