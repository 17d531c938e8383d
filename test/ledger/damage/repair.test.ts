// `state check` and `state repair` on real files that were damaged; run.ts tries five hundred. No promise is broken: nothing counts as
// delivered that was not, what is missing is named, and the account asks before it sends again.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { checkLedger } from '../../../src/ledger/sqlite/mend/check.ts'
import { repairLedger } from '../../../src/ledger/sqlite/mend/repair.ts'
import { openLedger } from '../../../src/ledger/sqlite/open.ts'
import { temporaryDirectory } from '../scene.ts'
import { damage, judge, KINDS } from './damage.ts'
import { copyLedger, makeSample, type Truth, truthOf } from './sample.ts'

const PAGE = 4096

let sample: { readonly bytes: Buffer; readonly open: Buffer; readonly log: Buffer; readonly truth: Truth } | null = null

beforeAll(async () => {
  const { mkdtempSync } = await import('node:fs')
  const { tmpdir } = await import('node:os')
  const directory = mkdtempSync(join(tmpdir(), 'popfetch-sample-'))
  const path = join(directory, 'state.db')
  const whileOpen = join(directory, 'open.db')
  const truth = await makeSample(path, { work: 60, home: 200, tiny: 3 }, () => copyLedger(path, whileOpen))
  const [bytes, open, log] = [path, whileOpen, `${whileOpen}-wal`].map((file) => readFileSync(file))
  rmSync(directory, { recursive: true })
  if (bytes !== undefined && open !== undefined && log !== undefined) sample = { bytes, open, log, truth }
})

/** The sample in a place of its own. `isOpen`: as a killed process leaves it, with its log. */
async function place(isOpen = false): Promise<{ path: string; truth: Truth }> {
  if (sample === null) throw new Error('no sample')
  const directory = join(await temporaryDirectory(), 'state')
  mkdirSync(directory, { mode: 0o700 })
  const path = join(directory, 'state.db')
  writeFileSync(path, isOpen ? sample.open : sample.bytes, { mode: 0o600 })
  if (isOpen) writeFileSync(`${path}-wal`, sample.log, { mode: 0o600 })
  return { path, truth: sample.truth }
}

test('a sound ledger is said to be sound, and nothing is repaired', async () => {
  for (const isOpen of [false, true]) {
    const { path, truth } = await place(isOpen)
    const messages = [...truth.values()].reduce((sum, each) => sum + each.size, 0)
    expect(await checkLedger(path)).toMatchObject({ accounts: 3, messages, faults: [] })
    expect(await repairLedger(path)).toBeNull()
  }
})

test.each(Array.from({ length: 4 * KINDS.length }, (_, seed) => seed + 1000))(
  'seed %i breaks no promise',
  async (seed) => {
    const { path, truth } = await place(seed % 2 === 1)
    const kind = damage(path, seed)
    const verdict = await judge(path, kind, truth, `seed ${seed} (${kind})`)
    expect(verdict.faults).toEqual([])
  },
)

test('a file that was cut in the middle of a row has no message that the zeros behind it would name', async () => {
  const faults: string[] = []
  const { path, truth } = await place()
  const whole = readFileSync(path)
  const leaf = Array.from({ length: whole.length / PAGE }, (_, at) => at * PAGE).findLast(
    (at) => whole[at] === 0x0d && whole.subarray(at, at + PAGE).includes('work-4'),
  )
  if (leaf === undefined) throw new Error('no page of messages')
  for (let cut = leaf + 1000; cut < leaf + PAGE; cut += 61) {
    for (const name of readdirSync(dirname(path))) rmSync(join(dirname(path), name))
    writeFileSync(path, whole.subarray(0, cut), { mode: 0o600 })
    faults.push(...(await judge(path, 'cut', truth, `cut at ${cut - leaf}`)).faults)
  }
  expect(faults).toEqual([])
})

describe('a ledger whose first page is gone', () => {
  async function headless(): Promise<{ path: string; truth: Truth; damaged: Buffer }> {
    const { path, truth } = await place()
    const bytes = readFileSync(path)
    bytes.fill(0, 0, PAGE)
    writeFileSync(path, bytes)
    return { path, truth, damaged: bytes }
  }

  test('is saved whole, the damaged file is kept beside it, and it is a ledger again', async () => {
    const { path, truth, damaged } = await headless()
    await expect(openLedger(path)).rejects.toMatchObject({ code: 'ERR_LEDGER' })
    const repaired = await repairLedger(path, { nowMs: () => 1e12 })
    expect(repaired).toMatchObject({ accounts: 3, losses: [], nameless: [] })
    expect(basename(repaired?.kept ?? '')).toMatch(/^state\.db\.before-repair-20010909T014640000Z-[0-9a-f]{4}$/)
    expect(readFileSync(repaired?.kept ?? '').equals(damaged)).toBe(true)
    expect((await checkLedger(path)).faults).toEqual([])
    await using ledger = await openLedger(path)
    const now = await truthOf(ledger)
    for (const [account, messages] of truth)
      expect([...(now.get(account) ?? [])].map(([name, { state }]) => `${name} ${state}`).toSorted()).toEqual(
        // Imported, with a header that nobody saw yet: nothing else says that it was delivered.
        [...messages].map(([name, { state }]) => `${name} ${name.includes('imported') ? 'seen' : state}`).toSorted(),
      )
    expect((await ledger.pauses.all()).map(({ name }) => name)).toEqual(['nobody'])
    expect(await ledger.memo('notices')).toContain('xxx')
  })

  test('is not touched while a popfetch is at work on it', async () => {
    const { path } = await place()
    await using ledger = await openLedger(path)
    await using lease = await ledger.lease('work')
    expect(lease).not.toBeNull()
    const bytes = readFileSync(path)
    bytes.fill(0, 9 * PAGE, 12 * PAGE)
    writeFileSync(path, bytes)
    await expect(repairLedger(path, { busyLimitMs: 0 })).rejects.toMatchObject({ code: 'ERR_BUSY' })
    expect(readdirSync(dirname(path)).filter((name) => /before|new/.test(name))).toEqual([])
  })
})

test('of a file in which nothing can be read nothing is changed, and the way back is named', async () => {
  const { path } = await place()
  const noise = Buffer.alloc(20 * PAGE, 'no ledger ')
  writeFileSync(path, noise)
  await expect(repairLedger(path)).rejects.toMatchObject({
    code: 'ERR_LEDGER',
    message: expect.stringContaining('popfetch state restore') as string,
  })
  expect(readFileSync(path).equals(noise)).toBe(true)
  expect(readdirSync(dirname(path))).toEqual(['state.db'])
})

test('an account whose row and name are lost keeps its messages under a name of its own', async () => {
  const { path, truth } = await place()
  const bytes = readFileSync(path)
  // Wherever the name stands, it is another one now: row and index do not agree any more.
  const at = bytes.indexOf('tiny')
  bytes.write('tinz', at)
  writeFileSync(path, bytes)
  const repaired = await repairLedger(path)
  if (repaired === null) throw new Error('not noticed')
  expect(repaired.nameless).toHaveLength(1)
  await using ledger = await openLedger(path)
  expect((await truthOf(ledger)).get(repaired.nameless[0] ?? '')?.size).toBe(truth.get('tiny')?.size)
})

test('a ledger of a later popfetch is left to that one', async () => {
  const { path } = await place()
  const bytes = readFileSync(path)
  bytes.writeUInt32BE(60, 60)
  bytes.fill(0, 9 * PAGE, 12 * PAGE)
  writeFileSync(path, bytes)
  await expect(repairLedger(path)).rejects.toThrow('a newer popfetch has written it')
})
