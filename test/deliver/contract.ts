// The contract of src/deliver/destination.ts in tests, for every kind of destination. A new kind describes its place (place.ts)
// and calls `destinationContract`. skeleton.ts is a destination to copy from, and says what else a new kind needs.
// skeleton.test.ts shows that each test here notices destinations that break it.
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { isReadable } from '../../src/deliver/destination.ts'
import {
  aftermath,
  attemptFor,
  closing,
  eachStep,
  expectReceipt,
  factsOf,
  failureOf,
  inFile,
  ready,
  scene,
  seenAs,
  sorted,
} from './contract-scene.ts'
import type { Kind, Seen } from './place.ts'
import { asLf, attempt, message, never, origin, SMALL } from './scene.ts'

export interface Check {
  readonly title: string
  run(kind: Kind): Promise<void>
}

/** A check that kills at each step starts dozens of processes. */
const TEST_LIMIT_MS = 120_000
/** For destinations that are to run into their limits: to begin with, since it may be too short to get to a step at all. */
const SHORT_LIMIT_MS = 30

export function destinationContract(kind: Kind): void {
  describe(`the contract of destinations, kept by ${kind.name}:`, () => {
    for (const check of Object.values(checks)) test(check.title, () => check.run(kind), TEST_LIMIT_MS)
  })
}

export const checks = {
  durable: {
    title: 'a message would survive a power cut as soon as deliver() has resolved',
    async run(kind) {
      const { place, destination, tried } = await scene(kind)
      await destination.deliver(tried, message(SMALL), never)
      expect(await place.afterPowerCut()).toEqual([seenAs(tried, SMALL)])
    },
  },

  once: {
    title: 'each of many messages is there once, also when two processes deliver to one place',
    async run(kind) {
      const { place, destination } = await scene(kind)
      const other = await ready(place.open())
      const sent = Array.from({ length: 60 }, (_, at) => {
        const tried = attemptFor(destination, String(at))
        const bytes = Buffer.from(`Subject: letter ${at}\r\n\r\n${`line ${at}\r\n`.repeat(100)}`)
        return { by: at % 2 === 0 ? destination : other, tried, bytes }
      })
      await Promise.all(sent.map(({ by, tried, bytes }) => by.deliver(tried, message(bytes, tried.origin), never)))
      expect(sorted(await place.seen())).toEqual(sorted(sent.map(({ tried, bytes }) => seenAs(tried, bytes))))
    },
  },

  whole: {
    title: 'a message arrives as it was received: small or large, from memory or from a file of either form',
    async run(kind) {
      const { place, destination } = await scene(kind)
      const tricky = Buffer.from('Subject: x\r\n\r\nFrom me\r\n>From you\r\n.\r\n..dot\r\n\r\nthe end\r\n')
      const large = Buffer.alloc(2_000_000 - 2, 'Subject: large\r\nSome line of text.\r\n')
      const bodies = [tricky, Buffer.concat([large, Buffer.from('\r\n')])].flatMap((bytes) => [
        { bytes, body: { kind: 'memory', bytes: Buffer.from(bytes) } as const },
        { bytes, body: inFile(bytes, 'crlf') },
        { bytes, body: inFile(bytes, 'lf') },
      ])
      const expected: Seen[] = []
      for (const [at, { bytes, body }] of bodies.entries()) {
        const tried = attemptFor(destination, String(at))
        await destination.deliver(tried, { ...message(bytes, tried.origin), body }, never)
        expected.push(seenAs(tried, bytes))
      }
      const seen = sorted(await place.seen())
      expect(seen.map(({ bytes }) => bytes.length)).toEqual(sorted(expected).map(({ bytes }) => bytes.length))
      expect(seen.every(({ bytes }, at) => bytes.equals(sorted(expected)[at]?.bytes ?? Buffer.alloc(0)))).toBe(true)
    },
  },

  let_go: {
    title: 'a message is neither changed by its delivery nor needed any more after it',
    async run(kind) {
      const { place, destination } = await scene(kind)
      const bytes = Buffer.from(SMALL)
      const body = inFile(SMALL, 'crlf')
      const file = fs.readFileSync(body.path)
      const [first, second] = [attemptFor(destination, 'memory'), attemptFor(destination, 'file')]
      await destination.deliver(first, message(bytes, first.origin), never)
      expect(bytes).toEqual(SMALL)
      bytes.fill('!')
      await destination.deliver(second, { ...message(SMALL, second.origin), body }, never)
      expect(fs.readFileSync(body.path)).toEqual(file)
      fs.writeFileSync(body.path, '!'.repeat(file.length))
      fs.unlinkSync(body.path)
      await destination[Symbol.asyncDispose]()
      expect(sorted(await place.seen())).toEqual(sorted([seenAs(first, SMALL), seenAs(second, SMALL)]))
    },
  },

  spool: {
    title: 'a file that was written as `spool` says is delivered, and nothing of it is left behind',
    async run(kind) {
      const { place, destination, tried } = await scene(kind)
      const { spool } = destination
      if (spool === null) return
      const prefix = spool.prefix(tried)
      const form = { lineEndings: spool.lineEndings, prefixBytes: prefix.length } as const
      const file = path.join(spool.directory, spool.fileName(tried))
      const text = Buffer.concat([prefix, spool.lineEndings === 'lf' ? asLf(SMALL) : SMALL])
      fs.writeFileSync(file, text, { mode: spool.mode, flag: 'wx' })
      await destination.deliver(tried, { ...message(SMALL), body: { kind: 'file', path: file, form } }, never)
      expect(await place.seen()).toEqual([seenAs(tried, SMALL)])
      // The caller removes its file, which may be gone.
      fs.rmSync(file, { force: true })
      expect(await place.seen()).toEqual([seenAs(tried, SMALL)])
      expect(await place.leftovers()).toEqual([])
    },
  },

  recipients: {
    title: 'each recipient gets the message by itself',
    async run(kind) {
      const { place, destination } = await scene(kind)
      const { recipients } = destination
      expect(recipients.length).toBeGreaterThan(0)
      expect(new Set(recipients).size).toBe(recipients.length)
      const expected: Seen[] = []
      for (const recipient of recipients) {
        await destination.deliver({ ...attempt(), recipient }, message(SMALL), never)
        expected.push({ recipient, bytes: SMALL })
        expect(await place.seen()).toEqual(expected)
      }
    },
  },

  receipts: {
    title: 'a receipt is text of at most 500 characters without control characters',
    async run(kind) {
      const { destination, tried } = await scene(kind, await kind.place({ longNames: true }))
      const receipts = [
        await destination.deliver(tried, message(SMALL), never),
        await destination.recall(tried, never),
        ...((await destination.census([tried.origin], never)) ?? []),
      ]
      for (const receipt of receipts) if (receipt !== null) expectReceipt(receipt.text)
    },
  },

  failures: {
    title: 'when any step fails, nothing is visible unless the verdict is unknown, and the message gets there once',
    async run(kind) {
      for (const how of kind.failures) {
        await eachStep(async (step) => {
          const { place, destination, tried } = await scene(kind)
          place.failAt(step, how)
          const error = await failureOf(destination, destination.deliver(tried, message(SMALL), never))
          const isReached = place.steps() >= step
          if (!isReached) expect(error).toBeNull()
          await aftermath(place, destination, { tried, error })
          return isReached
        })
      }
    },
  },

  kill: {
    title: 'killed at any step, an attempt is found again or left nothing, if the destination remembers',
    async run(kind) {
      const one = async (step: number): Promise<boolean> => {
        const place = await kind.place()
        const earlier = closing(place.open())
        const tried = attemptFor(earlier)
        expect(place.killAt !== null).toBe(earlier.remembers)
        if (place.killAt === null) return false
        const isKilled = await place.killAt(step, tried)
        const next = await ready(place.open())
        const found = await next.recall(tried, never)
        expect(await place.seen()).toEqual(found === null ? [] : [seenAs(tried, SMALL)])
        if (!isKilled) expect(found).not.toBeNull()
        if (found === null) await next.deliver(attemptFor(next), message(SMALL), never)
        expect(await place.seen()).toEqual([seenAs(tried, SMALL)])
        expect(await place.leftovers()).toEqual([])
        return isKilled
      }
      // Processes take their time to start: four at once.
      await eachStep(async (quarter) => {
        const steps = [3, 2, 1, 0].map((before) => one(4 * quarter - before))
        await Promise.allSettled(steps)
        return (await Promise.all(steps)).every((isKilled) => isKilled)
      }, 0)
    },
  },

  recall: {
    title: 'recall finds what arrived, also for the next process, and nothing else',
    async run(kind) {
      const { place, destination, tried } = await scene(kind)
      const sent = message(SMALL)
      await destination.deliver(tried, sent, never)
      const next = await ready(place.open())
      for (const asked of [destination, next]) {
        expect(await asked.recall(attemptFor(asked), never)).toBeNull()
        const found = await asked.recall(tried, never)
        if (!asked.remembers) expect(found).toBeNull()
        else expect([null, factsOf(sent)]).toContainEqual(found?.received)
      }
      if (!isReadable(next)) return
      const [missing, found] = await next.reread([attemptFor(next), tried], never)
      expect(missing).toBeNull()
      expect([null, factsOf(sent)]).toContainEqual(found?.received)
      const receivedBytes = sent.sizeBytes
      const settled = [{ ...tried, receivedBytes }, { ...tried, receivedBytes: receivedBytes + 1 }, tried]
      const glances = await next.glance?.([attemptFor(next), ...settled], never)
      expect([undefined, ['gone', 'same', 'other', 'other']]).toContainEqual(glances)
    },
  },

  census: {
    title: 'the census agrees with what was delivered, or says that it cannot tell',
    async run(kind) {
      const { place, destination } = await scene(kind)
      const [first, second] = [attemptFor(destination, 'first'), attemptFor(destination, 'second')]
      for (const tried of [first, second]) await destination.deliver(tried, message(SMALL, tried.origin), never)
      const next = await ready(place.open())
      const list = await next.census([second.origin, origin('missing'), first.origin, origin('first', 1)], never)
      if (list === null) return
      expect(list.map((standing) => standing?.intent ?? null)).toEqual([second.intent, null, first.intent, null])
      for (const standing of list) if (standing !== null) expectReceipt(standing.text)
    },
  },

  time: {
    title: 'a step that never ends does not keep a delivery waiting forever',
    async run(kind) {
      let limitMs = SHORT_LIMIT_MS
      await eachStep(async (step) => {
        for (;;) {
          const place = await kind.place()
          const destination = closing(place.open(limitMs))
          const held = place.holdAt(step)
          const delivery = destination.deliver(attemptFor(destination), message(SMALL), never)
          const error = await failureOf(destination, delivery)
          const isReached = place.steps() >= step
          held.release()
          await destination[Symbol.asyncDispose]()
          if (error !== null && error.verdict !== 'unknown') expect(await place.seen()).toEqual([])
          if (isReached || error === null) return isReached
          // The limit was over before the step began.
          limitMs *= 2
        }
      })
    },
  },

  room: {
    title: 'without room, a message is temporarily not taken, and nothing of it is visible',
    async run(kind) {
      const { place, destination, tried } = await scene(kind)
      place.fillUp()
      const error = await failureOf(destination, destination.deliver(tried, message(SMALL), never))
      expect(error).toMatchObject({ verdict: 'temporary' })
      await aftermath(place, destination, { tried, error })
    },
  },

  size: {
    title: 'a message that is too large is refused by itself: the next one is taken',
    async run(kind) {
      const { place, destination, tried } = await scene(kind)
      if (place.mostBytes === null) return
      const large = message(Buffer.alloc(place.mostBytes + 2, 'Subject: x\r\n'), origin('large'))
      const refused = destination.deliver(attemptFor(destination, 'large'), large, never)
      expect(await failureOf(destination, refused)).toMatchObject({ verdict: 'refused', scope: 'message' })
      expect(await place.seen()).toEqual([])
      await destination.deliver(tried, message(SMALL), never)
      expect(await place.seen()).toEqual([seenAs(tried, SMALL)])
    },
  },

  abort: {
    title:
      'a delivery ends when the signal is aborted, at whatever step, and nothing follows unless the verdict is unknown',
    async run(kind) {
      await eachStep(async (step) => {
        const { place, destination, tried } = await scene(kind)
        const held = place.holdAt(step)
        const stop = new AbortController()
        const bytes = Buffer.from(SMALL)
        const work = failureOf(destination, destination.deliver(tried, message(bytes), stop.signal))
        await Promise.race([held.reached, work])
        const isReached = place.steps() >= step
        if (isReached) stop.abort()
        const error = await work
        // A destination with a spool reads a message's memory until deliver() ends, and no longer: others may use it now.
        if (destination.spool !== null) bytes.fill('!')
        held.release()
        if (!isReached) expect(error).toBeNull()
        await aftermath(place, destination, { tried, error })
        return isReached
      })
    },
  },

  abort_before: {
    title: 'a delivery is not begun when the signal is aborted already',
    async run(kind) {
      const { place, destination, tried } = await scene(kind)
      const error = await failureOf(destination, destination.deliver(tried, message(SMALL), AbortSignal.abort()))
      expect(error).toMatchObject({ verdict: 'temporary' })
      await aftermath(place, destination, { tried, error })
    },
  },

  ready: {
    title: 'ready resolves when the place is there, and leaves nothing in it',
    async run(kind) {
      const { place, destination } = await scene(kind)
      await destination.ready(never)
      expect(await place.seen()).toEqual([])
      expect(await place.leftovers()).toEqual([])
    },
  },

  probe: {
    title: 'probe resolves when the place is there, leaves nothing in it, and says that it is to blame when it is not',
    async run(kind) {
      const { place, destination } = await scene(kind)
      await destination.probe(never)
      expect(await place.seen()).toEqual([])
      expect(await place.leftovers()).toEqual([])
      place.goDown()
      const error = await failureOf(destination, destination.probe(never))
      expect(error).toMatchObject({ verdict: 'temporary', scope: 'destination' })
      place.heal()
      await destination.probe(never)
      expect(await place.leftovers()).toEqual([])
    },
  },

  probe_disturbed: {
    title: 'probe ends when the signal is aborted, at whatever step, and no message is to blame when a step fails',
    async run(kind) {
      await eachStep(async (step) => {
        const place = await kind.place()
        const destination = closing(place.open())
        const held = place.holdAt(step)
        const stop = new AbortController()
        const work = failureOf(destination, destination.probe(stop.signal))
        await Promise.race([held.reached, work])
        const isReached = place.steps() >= step
        if (isReached) stop.abort()
        await work
        held.release()
        return isReached
      }, 0)
      for (const how of kind.failures) {
        await eachStep(async (step) => {
          const place = await kind.place()
          const destination = closing(place.open())
          place.failAt(step, how)
          await failureOf(destination, destination.probe(never))
          const isReached = place.steps() >= step
          place.heal()
          if (isReached) await destination.probe(never)
          expect(await place.seen()).toEqual([])
          return isReached
        }, 0)
      }
    },
  },

  down: {
    title: 'ready and deliver say that the destination is to blame when its place is not there; later it works again',
    async run(kind) {
      const place = await kind.place()
      place.goDown()
      const destination = closing(place.open())
      const tried = attemptFor(destination)
      const blame = { verdict: 'temporary', scope: 'destination' }
      expect(await failureOf(destination, destination.ready(never))).toMatchObject(blame)
      const error = await failureOf(destination, destination.deliver(tried, message(SMALL), never))
      expect(error).toMatchObject(blame)
      place.heal()
      await destination.ready(never)
      await destination.deliver(tried, message(SMALL), never)
      expect(await place.seen()).toEqual([seenAs(tried, SMALL)])
    },
  },

  ready_disturbed: {
    title: 'ready ends when the signal is aborted, at whatever step, and blames the destination when a step fails',
    async run(kind) {
      await eachStep(async (step) => {
        const place = await kind.place()
        const destination = closing(place.open())
        const held = place.holdAt(step)
        const stop = new AbortController()
        const work = failureOf(destination, destination.ready(stop.signal))
        await Promise.race([held.reached, work])
        const isReached = place.steps() >= step
        if (isReached) stop.abort()
        const error = await work
        held.release()
        if (error !== null) expect(error).toMatchObject({ verdict: 'temporary', scope: 'destination' })
        if (!isReached) expect(error).toBeNull()
        return isReached
      }, 0)
      for (const how of kind.failures) {
        await eachStep(async (step) => {
          const place = await kind.place()
          const destination = closing(place.open())
          place.failAt(step, how)
          const error = await failureOf(destination, destination.ready(never))
          const isReached = place.steps() >= step
          if (error !== null) expect(error).toMatchObject({ scope: 'destination' })
          if (!isReached) expect(error).toBeNull()
          return isReached
        }, 0)
      }
    },
  },
} as const satisfies Readonly<Record<string, Check>>
