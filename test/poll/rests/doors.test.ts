// What the accounts of a process, and the processes of a ledger, share of a destination that says no.
import { expect, onTestFinished, test } from 'vitest'
import type { Ledger } from '../../../src/ledger/ledger.ts'
import { type Place, Doors } from '../../../src/poll/rests/doors.ts'
import type { Answered } from '../../../src/poll/rests/rests.ts'
import { freshLedger } from '../../ledger/scene.ts'

const NEXT: Place = { key: 'smtp mail.example.org:25', recipient: '' }
const NEVER = new AbortController().signal
const DAY = 24 * 3_600_000

class Scene {
  nowMs = 1.8e12
  readonly told: string[] = []
  readonly ledger: Ledger

  private constructor(ledger: Ledger) {
    this.ledger = ledger
  }

  static async create(): Promise<Scene> {
    return new Scene(await freshLedger())
  }

  /** Of one process. `once`: it polls each account once. */
  async doors(once: boolean): Promise<Doors> {
    const tell = (text: string): void => void this.told.push(text)
    const doors = new Doors({
      ledger: this.ledger,
      nowMs: () => this.nowMs,
      log: { info: tell, warn: tell },
      onceSinceMs: once ? this.nowMs : null,
    })
    await doors.look([NEXT])
    return doors
  }
}

function says(conclusion: 'BUSY' | 'DOWN' | 'TEMP', message: string | null = 'm'): Answered {
  const facts = {
    isUnknown: false,
    step: '',
    pauseMs: 0,
    counts: true,
    aboutUs: false,
    spam: false,
    ofFolder: false,
    exit: 75,
  }
  const answer = { conclusion, same: conclusion, code: 'ERR_DELIVERY', text: `says ${conclusion}`, ...facts }
  return {
    kind: 'answered',
    answer,
    message,
    refusedBefore: false,
    hasNext: false,
    secretMark: null,
    mintsTokens: false,
  }
}

test('many answers to what was offered before the door was closed are one step (D116)', async () => {
  const scene = await Scene.create()
  const doors = await scene.doors(false)
  const since = doors.closings(NEXT)
  const steps = await Promise.all([1, 2, 3, 4].map((at) => doors.note(NEXT, ['next'], says('BUSY', `m${at}`), since)))
  expect(steps.map(({ speaksOf }) => speaksOf)).toEqual(Array(4).fill('destination'))
  expect((await scene.ledger.destination(NEXT.key, '')).rest).toMatchObject({ step: 0, openers: ['m1'] })
})

test('answers to two processes at once are one step as well', async () => {
  const scene = await Scene.create()
  const both = [await scene.doors(false), await scene.doors(false)]
  const steps = await Promise.all(both.map((doors) => doors.note(NEXT, ['next'], says('BUSY'), 0)))
  expect(steps.map(({ closed }) => closed?.step)).toEqual([0, 0])
})

test('a run tries a destination once, for all accounts, also where a person asks; the next run may try again', async () => {
  const scene = await Scene.create()
  const doors = await scene.doors(true)
  await doors.note(NEXT, ['next'], says('DOWN', null), 0)
  expect([doors.at(NEXT, null).door, doors.at(NEXT, scene.nowMs).door]).toEqual(['rest', 'rest'])
  scene.nowMs += 1
  expect((await scene.doors(true)).at(NEXT, null).door).toBe('probe')
})

test('the daemon waits until its time has come, unless a person asks later', async () => {
  const scene = await Scene.create()
  const doors = await scene.doors(false)
  await doors.note(NEXT, ['next'], says('BUSY'), 0)
  scene.nowMs += 14 * 60_000
  expect([doors.at(NEXT, null).door, doors.at(NEXT, scene.nowMs).door]).toEqual(['rest', 'probe'])
  scene.nowMs += 60_000
  expect(doors.at(NEXT, null).door).toBe('probe')
})

test('one account finds out, the others wait for it and then look again', async () => {
  const scene = await Scene.create()
  const doors = await scene.doors(false)
  const first = await doors.claim(NEXT, NEVER)
  const order: string[] = []
  const second = doors.claim(NEXT, NEVER).then((claim) => {
    order.push('second')
    claim?.[Symbol.dispose]()
  })
  order.push('first')
  first?.[Symbol.dispose]()
  await second
  expect(order).toEqual(['first', 'second'])
})

test('an account whose poll is ended does not wait', async () => {
  const scene = await Scene.create()
  const doors = await scene.doors(false)
  const first = await doors.claim(NEXT, NEVER)
  onTestFinished(() => first?.[Symbol.dispose]())
  expect(await doors.claim(NEXT, AbortSignal.abort())).toBeNull()
})

test('whoever uses the destination hears that its door was closed, until it listens no more', async () => {
  const scene = await Scene.create()
  const doors = await scene.doors(false)
  const heard: string[] = []
  const end = doors.whenClosed(NEXT.key, (_, rest) => void heard.push(rest.conclusion))
  await doors.note(NEXT, ['next'], says('BUSY'), 0)
  end()
  await doors.note(NEXT, ['next'], says('DOWN', null), doors.closings(NEXT))
  expect(heard).toEqual(['BUSY'])
})

test('a destination that takes no mail is told when that begins, once a day, and when it is over (P7)', async () => {
  const scene = await Scene.create()
  let doors = await scene.doors(false)
  for (let hours = 0; hours < 12; hours++) {
    await doors.note(NEXT, ['next'], says('BUSY', `m${hours}`), doors.closings(NEXT))
    scene.nowMs += 3_600_000
    doors = await scene.doors(false)
  }
  expect(scene.told.splice(0)).toEqual(['a destination is paused: says BUSY'])
  scene.nowMs += DAY
  await doors.note(NEXT, ['next'], says('BUSY', 'later'), doors.closings(NEXT))
  expect(scene.told.splice(0)).toEqual(['a destination is paused: says BUSY'])
  await doors.note(NEXT, ['next'], { kind: 'taken' }, doors.closings(NEXT))
  await doors.note(NEXT, ['next'], { kind: 'taken' }, doors.closings(NEXT))
  expect(scene.told).toEqual(['the destination accepts mail again'])
})
