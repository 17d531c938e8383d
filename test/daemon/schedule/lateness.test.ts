// Which servers have too few places for their accounts, and that it is told once.
import { expect, test } from 'vitest'
import { Lateness } from '../../../src/daemon/schedule/lateness.ts'
import { account, MINUTE } from '../fake-time.ts'

/** Later than this an account with an interval of five minutes is late. */
const LIMIT_MS = MINUTE

class Scene {
  readonly told: string[] = []
  nowMs = 1.8e12
  readonly lateness: Lateness

  constructor() {
    const tell =
      (level: string) =>
      (text: string): void =>
        void this.told.push(`${level}: ${text}`)
    this.lateness = new Lateness({ info: tell('info'), warn: tell('warn') }, () => this.nowMs)
  }

  polled(name: string, lateMs: number, host = 'pop.example.net'): void {
    this.lateness.ended({ account: { ...account(name), host }, lateMs })
  }
}

test('what is late once is a slow moment, and twice in a row a lack of places: told once, and once when it is over', () => {
  const scene = new Scene()
  scene.polled('a', LIMIT_MS + 1)
  scene.polled('a', LIMIT_MS)
  scene.polled('a', LIMIT_MS + 1)
  expect([scene.lateness.late, scene.told]).toEqual([[], []])
  scene.nowMs += 5 * MINUTE
  scene.polled('a', 3 * MINUTE)
  expect(scene.lateness.late).toEqual([{ host: 'pop.example.net', accounts: 1, lateMs: 3 * MINUTE, sinceMs: 1.8e12 }])
  expect(scene.told).toEqual([expect.stringMatching(/^warn: 1 account is polled later than planned, by up to 3 min: /)])
  for (let round = 0; round < 5; round++) for (const name of ['a', 'b', 'c']) scene.polled(name, 2 * MINUTE)
  expect(scene.lateness.late).toMatchObject([{ accounts: 3, lateMs: 2 * MINUTE }])
  expect(scene.told).toHaveLength(1)
  for (const name of ['a', 'b', 'c']) scene.polled(name, 0)
  expect(scene.lateness.late).toEqual([])
  expect(scene.told.slice(1)).toEqual(['info: accounts are polled as planned again'])
})

test('each server is measured by itself, also one whose polls are in time', () => {
  const scene = new Scene()
  for (let round = 0; round < 2; round++) {
    scene.polled('a', 2 * MINUTE)
    scene.polled('b', 20, 'mail.example.org')
  }
  expect(scene.lateness.all).toEqual([
    ['pop.example.net', 2 * MINUTE, 1],
    ['mail.example.org', 20, 0],
  ])
})

test('accounts and servers that are gone from the configuration are late no more', () => {
  const scene = new Scene()
  for (let round = 0; round < 2; round++) {
    scene.polled('a', 2 * MINUTE)
    scene.polled('b', 2 * MINUTE)
    scene.polled('c', 2 * MINUTE, 'mail.example.org')
  }
  scene.lateness.keep([account('b')])
  expect(scene.lateness.all).toEqual([['pop.example.net', 2 * MINUTE, 1]])
  scene.lateness.keep([account('d')])
  expect(scene.lateness.late).toEqual([])
  expect(scene.told.filter((text) => text.startsWith('info'))).toHaveLength(1)
})
