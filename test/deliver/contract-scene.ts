// What the tests of the contract (contract.ts) are made of: a scene, attempts at each step, and what must hold after an attempt.
import fs from 'node:fs'
import path from 'node:path'
import { expect, onTestFinished } from 'vitest'
import { type Attempt, type Destination, RECEIPT_LENGTH } from '../../src/deliver/destination.ts'
import { DeliveryError } from '../../src/errors.ts'
import { headingOf, receivedFacts } from '../../src/heading.ts'
import type { Body, Message, ReceivedFacts } from '../../src/message.ts'
import type { Kind, Place, Seen } from './place.ts'
import { asLf, attempt, directory, message, never, SMALL } from './scene.ts'

/** Calls `one` for step 1, 2, 3 … until it says that the step was not reached; at least this many must be. */
export async function eachStep(one: (step: number) => Promise<boolean>, least = 1): Promise<void> {
  let step = 1
  while (await one(step)) step++
  expect(step - 1).toBeGreaterThanOrEqual(least)
}

export async function scene(kind: Kind, given: Place | null = null) {
  const place = given ?? (await kind.place())
  const destination = await ready(place.open())
  return { place, destination, tried: attemptFor(destination) }
}

export async function ready<D extends Destination>(destination: D): Promise<D> {
  closing(destination)
  await destination.ready(never)
  return destination
}

export function closing<D extends Destination>(destination: D): D {
  onTestFinished(() => destination[Symbol.asyncDispose]())
  return destination
}

/** A new attempt for the destination's first recipient. */
export function attemptFor({ recipients }: Destination, uidl?: string): Attempt {
  return { ...attempt(uidl), recipient: recipients[0] ?? '' }
}

/** Null: `work` succeeded. The destination must fail with errors of its own. */
export async function failureOf({ description }: Destination, work: Promise<unknown>): Promise<DeliveryError | null> {
  const thrown = await work.then(
    () => null,
    (error: unknown) => error,
  )
  if (thrown === null) return null
  expect(thrown).toBeInstanceOf(DeliveryError)
  if (!(thrown instanceof DeliveryError)) return null
  expect(thrown.message.slice(0, description.length + 1)).toBe(`${description}:`)
  return thrown
}

export interface Outcome {
  readonly tried: Attempt
  /** Null: SMALL was delivered. */
  readonly error: DeliveryError | null
}

/** What must hold after an attempt to deliver SMALL, whatever became of it; then the next process does what a poll would do. */
export async function aftermath(place: Place, destination: Destination, { tried, error }: Outcome): Promise<void> {
  await destination[Symbol.asyncDispose]()
  place.heal()
  if (error?.verdict !== 'unknown') expect(await place.seen()).toEqual(error === null ? [seenAs(tried, SMALL)] : [])
  const next = await ready(place.open())
  const found = await next.recall(tried, never)
  const seen = await place.seen()
  if (next.remembers) expect(seen).toEqual(found === null ? [] : [seenAs(tried, SMALL)])
  if (found !== null) expect(await place.afterPowerCut()).toEqual(seen)
  if (seen.length === 0) await next.deliver(attemptFor(next), message(SMALL), never)
  expect(await place.seen()).toEqual([seenAs(tried, SMALL)])
  if (next.remembers) expect(await place.leftovers()).toEqual([])
}

export function expectReceipt(text: string): void {
  expect(text.length).toBeGreaterThan(0)
  expect(text.length).toBeLessThanOrEqual(RECEIPT_LENGTH)
  expect(text).not.toMatch(/\p{Cc}/u)
}

export function seenAs({ recipient }: Attempt, bytes: Buffer): Seen {
  return { recipient, bytes }
}

export function sorted(seen: readonly Seen[]): readonly Seen[] {
  return seen.toSorted((a, b) => a.recipient.localeCompare(b.recipient, 'en') || Buffer.compare(a.bytes, b.bytes))
}

export function factsOf(message: Message): ReceivedFacts {
  return { ...receivedFacts(message), heading: headingOf(message.header) }
}

/** A body in a file of the caller's, with a field of another destination on top. */
export function inFile(bytes: Buffer, lineEndings: 'crlf' | 'lf'): Extract<Body, { kind: 'file' }> {
  const file = path.join(directory(), 'spooled')
  const top = Buffer.from(lineEndings === 'lf' ? 'X: y\n' : 'X: y\r\n')
  fs.writeFileSync(file, Buffer.concat([top, lineEndings === 'lf' ? asLf(bytes) : bytes]))
  return { kind: 'file', path: file, form: { lineEndings, prefixBytes: top.length } }
}
