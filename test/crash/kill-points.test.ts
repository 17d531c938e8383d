// popfetch is killed at the n-th system call (HAZARDS C2, K1–K15), for each n in turn. Then it is started again until nothing
// is left to do. In every other round the restart is killed too, and a reader moves the mail meanwhile.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { DELETIONS, Scene, SET_UPS, type Deletion, type SetUp } from './scene.ts'
import { dice, each, KILL_POINTS, SEED, spread } from './sizes.ts'
import { consequential, injecting, readCalls, recording, straceMissing } from './strace.ts'

interface Point {
  readonly call: string
  readonly nth: number
}

const MESSAGES = 8
const missing = straceMissing()
if (missing !== null) console.warn(`kills at system calls are skipped: ${missing}`)

describe.skipIf(missing !== null)('killed at a system call', () => {
  for (const setUp of SET_UPS) {
    for (const deletion of DELETIONS) {
      test(`${setUp}, delete: ${deletion}: nothing is lost and nothing comes twice without need`, async () => {
        const points = spread(await pointsOf(setUp, deletion), Math.ceil(KILL_POINTS / 6))
        const random = dice(SEED)
        const rounds = points.map((point) => ({
          point,
          second: random() < 0.5 ? pick(points, random) : null,
          reads: random() < 0.5,
        }))
        const results = await each(rounds, async ({ point, second, reads }) => {
          await using scene = await Scene.create(setUp, deletion)
          scene.mail(MESSAGES, true)
          const { killed } = await scene.run({ tracer: kill(point) })
          if (reads) scene.read()
          if (second !== null) {
            scene.mail(2)
            await scene.run({ tracer: kill(second) })
          }
          const violations = await scene.settle()
          return { killed, violations: violations.map((text) => `${named(point)}, ${named(second)}: ${text}`) }
        })
        expect(results.flatMap(({ violations }) => violations)).toEqual([])
        const killed = results.filter((result) => result.killed).length
        console.log(`${setUp}, delete: ${deletion}: killed ${killed} of ${results.length} runs`)
        // Threads take turns differently from run to run, so that some points are never reached.
        expect(killed).toBeGreaterThan(results.length * 0.6)
      })
    }
  }
})

/** Every call of an undisturbed run that can leave something behind, by name and number. */
async function pointsOf(setUp: SetUp, deletion: Deletion): Promise<readonly Point[]> {
  await using scene = await Scene.create(setUp, deletion)
  scene.mail(MESSAGES, true)
  const log = path.join(scene.directory, 'calls')
  const { code, stderr } = await scene.run({ tracer: recording(log) })
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(await scene.settle()).toEqual([])
  const points = new Map<string, Point>()
  for (const { name, nth } of consequential(readCalls(readFileSync(log, 'latin1')), scene.directory)) {
    points.set(`${name} ${nth}`, { call: name, nth })
  }
  return [...points.values()].sort((a, b) => a.call.localeCompare(b.call) || a.nth - b.nth)
}

function kill({ call, nth }: Point): readonly string[] {
  return injecting(call, 'signal=KILL', String(nth))
}

function pick(points: readonly Point[], random: () => number): Point {
  return points[Math.floor(random() * points.length)]!
}

function named(point: Point | null): string {
  return point === null ? 'then left alone' : `${point.call} number ${point.nth}`
}
