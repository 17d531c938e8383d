// A volley whose files another thread writes and links: the same files and the same errors as one that does it all by itself.
import fs from 'node:fs'
import path from 'node:path'
import { beforeAll, describe, expect, test, vi } from 'vitest'
import type { Attempt, Receipt, Volley } from '../../../src/deliver/destination.ts'
import { expectedHands, expectHands } from '../../../src/deliver/disk/hands.ts'
import { fileName, sizedName } from '../../../src/deliver/maildir/name.ts'
import { DeliveryError } from '../../../src/errors.ts'
import { attempt, never, NOW_MS, ON_TOP, open, type Scene } from './scene.ts'

const held = { requireHeld: () => {} }
const WAYS = ['here', 'apart'] as const
type Way = (typeof WAYS)[number]

beforeAll(expectHands)

/** Bodies that lie one behind the other, as in a lane. */
function laidDown(bodies: readonly Buffer[], way: Way): { readonly memory: Buffer; readonly lying: readonly Buffer[] } {
  const bytes = bodies.reduce((sum, body) => sum + body.length, 0)
  const memory = way === 'apart' ? Buffer.from(new SharedArrayBuffer(bytes)) : Buffer.alloc(bytes)
  let at = 0
  const lying = bodies.map((body) => {
    const start = at
    at += body.copy(memory, at)
    return memory.subarray(start, at)
  })
  return { memory, lying }
}

interface Place {
  readonly scene: Scene
  readonly attempts: readonly Attempt[]
}

interface Filled extends Place {
  readonly volley: Volley
}

async function filled(
  way: Way,
  bodies: readonly Buffer[],
  config: { lineEndings?: 'lf' | 'crlf'; mode?: number } = {},
  before: (place: Place) => void = () => {},
): Promise<Filled> {
  await expectHands()
  const scene = await open({ config, context: { prefix: () => ON_TOP } })
  const attempts = bodies.map((_, at) => ({ ...attempt(`${at}`), intent: at.toString(16).padStart(16, '0') }))
  before({ scene, attempts })
  const { memory, lying } = laidDown(bodies, way)
  const volley = scene.maildir.volleys?.()?.volley(memory)
  if (volley === undefined) throw new Error('no volleys here')
  for (const [at, body] of lying.entries()) volley.add(attempts[at]!, body, at === 0 ? null : NOW_MS - 3_600_000)
  return { scene, volley, attempts }
}

const THREE = [
  Buffer.from('A: b\r\n\r\nc\r\n'),
  Buffer.from('A: b\r\n\r\nsecond\r\n'),
  Buffer.from('A: c\r\n\r\nd\r\n'),
]

/** What became of each, without the way to this Maildir. */
function told(outcomes: readonly (Receipt | DeliveryError)[], { root }: Scene): readonly object[] {
  return outcomes.map((outcome) =>
    outcome instanceof DeliveryError
      ? { ...outcome, message: outcome.message.replaceAll(root, ''), cause: null, verdict: outcome.verdict }
      : { text: outcome.text.replace(root, '') },
  )
}

function found({ root, files }: Scene): readonly object[] {
  return (['tmp', 'new', 'cur'] as const).flatMap((folder) =>
    files(folder)
      .toSorted()
      .map((name) => {
        const file = path.join(root, folder, name)
        const { mtimeMs, mode } = fs.statSync(file)
        const isDated = mtimeMs <= NOW_MS
        return { folder, name, mode, mtimeMs: isDated ? mtimeMs : 'now', bytes: fs.readFileSync(file, 'latin1') }
      }),
  )
}

const LONG = 'x'.repeat(70)
const ODD: readonly string[] = [
  'A: b\r\n\r\nplain\r\n',
  'A: b\r\n\r\na\rb\nc\r\r\nd\r',
  '\r\n',
  'no header',
  `A: b\r\n\r\n${'y'.repeat((8 << 10) - 9)}\r\n${'\r\n'.repeat(9000)}`,
  `A: b\r\n\r\n${`${LONG}\r\n`.repeat(900)}`,
  '\0\xff\r\n\r\n',
]

describe('a volley that another thread works on', () => {
  test.each([
    ['lf', 0o600],
    ['lf', 0o640],
    ['crlf', 0o600],
  ] as const)('puts the same files there: %s, mode %i', async (lineEndings, mode) => {
    const bodies = ODD.map((text) => Buffer.from(text, 'latin1'))
    const ways = await Promise.all(WAYS.map((way) => filled(way, bodies, { lineEndings, mode })))
    const [here, apart] = await Promise.all(
      ways.map(async ({ scene, volley }) => {
        const outcomes = await volley.deliver(held, never)
        return { outcomes: told(outcomes, scene), files: found(scene) }
      }),
    )
    expect(apart).toEqual(here)
    expect(apart?.files).toHaveLength(ODD.length)
  })

  test('writes nothing before it is told to deliver, and shows nothing before the right was looked at', async () => {
    const { scene, volley } = await filled('apart', THREE)
    expect(scene.files('tmp')).toEqual([])
    const outcomes = await volley.deliver(
      {
        requireHeld: () => {
          expect(scene.files('tmp')).toHaveLength(3)
          expect(scene.files('new')).toEqual([])
        },
      },
      never,
    )
    expect(outcomes.every((outcome) => !(outcome instanceof DeliveryError))).toBe(true)
    expect([scene.files('tmp').length, scene.files('new').length]).toEqual([0, 3])
  })

  /** What goes wrong, before or after the files are written. */
  const FAULTS: readonly (readonly [what: string, before: (given: Place) => void, after: (given: Place) => void])[] = [
    ['tmp/ is gone', ({ scene }) => fs.rmSync(path.join(scene.root, 'tmp'), { recursive: true }), () => {}],
    ['new/ is gone', ({ scene }) => fs.rmSync(path.join(scene.root, 'new'), { recursive: true }), () => {}],
    [
      'a name in tmp/ is taken',
      ({ scene, attempts }) => fs.writeFileSync(path.join(scene.root, 'tmp', nameOf(attempts, 1)), 'of another'),
      () => {},
    ],
    [
      'a name in new/ is taken',
      () => {},
      ({ scene, attempts }) => {
        const name = nameOf(attempts, 1)
        const { size } = fs.statSync(path.join(scene.root, 'tmp', name))
        fs.writeFileSync(path.join(scene.root, 'new', sizedName(name, size)), 'of another')
      },
    ],
    [
      'a file in tmp/ was removed',
      () => {},
      ({ scene, attempts }) => fs.rmSync(path.join(scene.root, 'tmp', nameOf(attempts, 2))),
    ],
    [
      'the right is lost',
      () => {},
      () => {
        throw new Error('somebody else has the right')
      },
    ],
  ]

  function nameOf(attempts: readonly Attempt[], at: number): string {
    return fileName(attempts[at]!, 'laptop', NOW_MS)
  }

  test.each(FAULTS)('says the same of each and leaves the same where %s', async (_, before, after) => {
    const results = []
    for (const way of WAYS) {
      const given = await filled(way, THREE, {}, before)
      const outcomes = await given.volley.deliver({ requireHeld: () => after(given) }, never)
      results.push({ outcomes: told(outcomes, given.scene), files: filesOf(given.scene) })
    }
    expect(results[1]).toEqual(results[0])
    expect(results[1]!.outcomes.some((outcome) => 'verdict' in outcome)).toBe(true)
  })

  function filesOf(scene: Scene): readonly object[] {
    return (['tmp', 'new'] as const).flatMap((folder) =>
      fs.existsSync(path.join(scene.root, folder))
        ? scene
            .files(folder)
            .toSorted()
            .map((name) => ({ folder, name }))
        : [],
    )
  }

  test('that is stopped before it wrote shows nothing, and what was written goes', async () => {
    const { scene, volley } = await filled('apart', THREE)
    const stop = new AbortController()
    const delivering = volley.deliver(held, stop.signal)
    stop.abort(new Error('stopped'))
    const outcomes = await delivering
    expect(outcomes.map((outcome) => (outcome as DeliveryError).verdict)).toEqual(Array(3).fill('temporary'))
    await expect.poll(() => [scene.files('tmp'), scene.files('new')]).toEqual([[], []])
    // Another thread takes the next one.
    expect(expectedHands()).toBe(null)
  })

  test('whose thread ends shows nothing, and the next one is delivered without it', async () => {
    const { scene, volley } = await filled('apart', THREE)
    const hands = expectedHands()!
    const delivering = volley.deliver(held, never)
    await hands[Symbol.asyncDispose]()
    const outcomes = await delivering
    for (const outcome of outcomes) expect(outcome).toBeInstanceOf(DeliveryError)
    expect(outcomes.map((outcome) => (outcome as DeliveryError).verdict)).toEqual(Array(3).fill('temporary'))
    expect(scene.files('new')).toEqual([])
    const { memory, lying } = laidDown(THREE, 'apart')
    const next = scene.maildir.volleys!()!.volley(memory)
    next.add(attempt('f'), lying[0]!, null)
    expect(await next.deliver(held, never)).toMatchObject([{ text: expect.any(String) as string }])
  })

  test.each(['before it writes', 'before it links'])(
    'whose thread is gone %s, as after a long silence, does the rest by itself',
    async (when) => {
      const results = []
      for (const way of WAYS) {
        const { scene, volley } = await filled(way, THREE)
        const end = (): void => {
          if (way === 'apart') void expectedHands()?.[Symbol.asyncDispose]()
        }
        if (when === 'before it writes') end()
        const right = { requireHeld: () => (when === 'before it links' ? end() : undefined) }
        const outcomes = await volley.deliver(right, never)
        results.push({ outcomes: told(outcomes, scene), files: found(scene) })
      }
      expect(results[1]).toEqual(results[0])
      expect(results[1]!.files).toHaveLength(3)
    },
  )

  test('where no thread can be made, volleys do without', async () => {
    await expectedHands()?.[Symbol.asyncDispose]()
    const builtin = vi.spyOn(process, 'getBuiltinModule').mockImplementation(() => {
      throw new Error('EAGAIN')
    })
    await expectHands()
    builtin.mockRestore()
    expect(expectedHands()).toBe(null)
    const { scene, volley } = await filled('here', THREE)
    expect((await volley.deliver(held, never)).some((outcome) => outcome instanceof DeliveryError)).toBe(false)
    expect(scene.files('new')).toHaveLength(3)
  })

  test('does not take a message that lies elsewhere', async () => {
    const { scene, volley } = await filled('apart', THREE)
    volley.add(attempt('e'), Buffer.from('A: b\r\n\r\n'), null)
    const outcomes = await volley.deliver(held, never)
    expect(outcomes.map((outcome) => outcome instanceof DeliveryError)).toEqual([false, false, false, true])
    expect(scene.files('new')).toHaveLength(3)
  })
})
