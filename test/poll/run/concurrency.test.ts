// How many accounts at once, at one host, and who goes first.
import { expect, test } from 'vitest'
import { Concurrency } from '../../../src/poll/run/concurrency.ts'

const tick = () => new Promise<void>((next) => setImmediate(next))

/** Work that goes on until a test ends it. */
class Works {
  readonly started: string[] = []
  readonly #ends = new Map<string, () => void>()

  begin(concurrency: Concurrency, host: string, name = host, urgency: 'now' | 'usual' = 'usual'): Promise<string> {
    return concurrency.run(
      { host, port: 995, user: name },
      () => {
        this.started.push(name)
        return new Promise((resolve) => this.#ends.set(name, () => resolve(name)))
      },
      urgency,
    )
  }

  end(name: string): void {
    this.#ends.get(name)?.()
  }
}

test('so many run at once in all, and so many at one host; the others wait (N008)', async () => {
  const works = new Works()
  const concurrency = new Concurrency({ concurrency: 3, perHost: 2 })
  const all = ['a1', 'a2', 'a3', 'b1', 'b2'].map((name) => works.begin(concurrency, name.charAt(0), name))
  await tick()
  expect(works.started).toEqual(['a1', 'a2', 'b1'])
  works.end('a1')
  await tick()
  expect(works.started).toHaveLength(4)
  for (const name of ['a2', 'b1']) works.end(name)
  await tick()
  expect(works.started.toSorted()).toEqual(['a1', 'a2', 'a3', 'b1', 'b2'])
  for (const name of ['a3', 'b2']) works.end(name)
  expect(await Promise.all(all)).toEqual(['a1', 'a2', 'a3', 'b1', 'b2'])
})

test('a host has 8 by default, this machine as many as there are', async () => {
  const works = new Works()
  const concurrency = new Concurrency({ concurrency: 100, perHost: null })
  for (let n = 0; n < 10; n++) void works.begin(concurrency, 'pop.example.net', `far${n}`)
  for (let n = 0; n < 10; n++) void works.begin(concurrency, '127.0.0.1', `near${n}`)
  await tick()
  expect(works.started.filter((name) => name.startsWith('far'))).toHaveLength(8)
  expect(works.started.filter((name) => name.startsWith('near'))).toHaveLength(10)
})

test('whoever was asked for goes first', async () => {
  const works = new Works()
  const concurrency = new Concurrency({ concurrency: 1, perHost: null })
  for (const [name, urgency] of [
    ['one', 'usual'],
    ['two', 'usual'],
    ['asked', 'now'],
  ] as const) {
    void works.begin(concurrency, 'h', name, urgency)
  }
  works.end('one')
  await tick()
  expect(works.started).toEqual(['one', 'asked'])
})

test('other limits hold from now on', async () => {
  const works = new Works()
  const concurrency = new Concurrency({ concurrency: 1, perHost: 1 })
  for (const name of ['a1', 'a2', 'b1']) void works.begin(concurrency, name.charAt(0), name)
  await tick()
  expect(works.started).toEqual(['a1'])
  concurrency.limit({ concurrency: 10, perHost: 2 })
  await tick()
  expect(works.started.toSorted()).toEqual(['a1', 'a2', 'b1'])
})

test('two accounts of one mailbox wait for each other, whatever becomes of the first (P152)', async () => {
  const concurrency = new Concurrency({ concurrency: 100, perHost: null })
  const mailbox = { host: 'pop.example.net', port: 995, user: 'alice' }
  const seen: string[] = []
  const { promise: end, reject } = Promise.withResolvers<void>()
  const first = concurrency.run(mailbox, () => end)
  const second = concurrency.run(mailbox, async () => void seen.push('second'))
  await concurrency.run({ ...mailbox, user: 'bob' }, async () => void seen.push('bob'))
  expect(seen).toEqual(['bob'])
  reject(new Error('it failed'))
  await expect(first).rejects.toThrow('it failed')
  await second
  expect(seen).toEqual(['bob', 'second'])
})
