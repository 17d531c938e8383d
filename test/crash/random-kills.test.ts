// kill -9 from outside, at a random moment of a run, or when the server or the sink has just been asked for something. Needs no
// ptrace. The hand that kills does not wait for a system call, so that the middle of one is met too.
import { describe, expect, test } from 'vitest'
import { DELETIONS, Scene, SET_UPS, type RunOptions } from './scene.ts'
import { dice, each, RANDOM_KILLS, SEED } from './sizes.ts'

const MESSAGES = 12
/** As long as a run takes here, nearly all of it start-up. */
const LONGEST_MS = 450
/** Commands of a poll of this many messages, roughly: sign-in, lists, RETR and DELE for each, QUIT. */
const MOST_COMMANDS = 8 + 2 * MESSAGES

describe('killed at a random time', () => {
  for (const setUp of SET_UPS) {
    test(`${setUp}: nothing is lost and nothing comes twice without need`, async () => {
      const random = dice(SEED + SET_UPS.indexOf(setUp))
      const rounds = Array.from({ length: Math.ceil(RANDOM_KILLS / SET_UPS.length) }, (_, at) => ({
        deletion: DELETIONS[at % 2]!,
        commands: random() < 0.6 ? Math.ceil(random() * MOST_COMMANDS) : null,
        delayMs: random() * LONGEST_MS,
        twice: random() < 0.3,
        reads: random() < 0.5,
      }))
      const results = await each(rounds, async ({ deletion, commands, delayMs, twice, reads }, at) => {
        await using scene = await Scene.create(setUp, deletion)
        scene.mail(MESSAGES, at % 3 === 0)
        const kill = commands === null ? atTime(delayMs) : atCommand(scene, commands)
        const { killed } = await scene.run(kill)
        if (reads) scene.read()
        if (twice) await scene.run(atCommand(scene, 1 + (at % MOST_COMMANDS)))
        scene.onCommand = () => {}
        const violations = await scene.settle()
        const when = commands === null ? `after ${Math.round(delayMs)} ms` : `at command ${commands}`
        return { killed, violations: violations.map((text) => `round ${at}, killed ${when}: ${text}`) }
      })
      expect(results.flatMap(({ violations }) => violations)).toEqual([])
      const killed = results.filter((result) => result.killed).length
      console.log(`${setUp}: killed ${killed} of ${results.length} runs`)
      expect(killed).toBeGreaterThan(0)
    })
  }
})

function atTime(delayMs: number): RunOptions {
  return { started: (kill) => void setTimeout(kill, delayMs) }
}

/** With the arrival of the n-th command, which is then obeyed: the answer comes to nobody. */
function atCommand(scene: Scene, nth: number): RunOptions {
  let seen = 0
  return {
    started(kill) {
      scene.onCommand = () => {
        seen += 1
        if (seen === nth) kill()
      }
    },
  }
}
