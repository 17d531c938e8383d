import { expect, test } from 'vitest'
import { progressLines, ProgressScreen } from '../../../src/cli/terminal/progress-screen.ts'
import type { Progress } from '../../../src/poll/report.ts'
import { MemoryStream } from '../streams.ts'

const fetching: Progress = { stage: 'fetching', messages: 12, totalMessages: 340, bytes: 2e6, totalBytes: 48e6 }

function atWork(entries: readonly (readonly [string, Progress])[]) {
  return new Map(
    entries.map(([account, progress]) => [account, { progress, heardMs: 0, fetching: { sinceMs: 0, bytes: 0 } }]),
  )
}

test('an account has one line: messages, bytes, rate, time left', () => {
  const lines = progressLines(atWork([['old-isp', fetching]]), 2000, 80, 24)
  expect(lines).toEqual(['old-isp  12/340 messages  2.0 MB of 48.0 MB  1.0 MB/s  46 s left'])
})

test('no rate is told of the first second, no time left when sizes were announced too small', () => {
  expect(progressLines(atWork([['a', fetching]]), 500, 80, 24)).toEqual(['a  12/340 messages  2.0 MB of 48.0 MB'])
  const more = { ...fetching, totalBytes: 1e6 }
  expect(progressLines(atWork([['a', more]]), 2000, 80, 24)[0]).toMatch(/ 1\.0 MB\/s$/)
})

test('other stages are named', () => {
  const connecting: Progress = { stage: 'connecting', messages: 0, totalMessages: 0, bytes: 0, totalBytes: 0 }
  expect(
    progressLines(
      atWork([
        ['a', connecting],
        ['longer', fetching],
      ]),
      0,
      80,
      24,
    )[0],
  ).toBe('a       connecting')
})

test('lines fit the terminal, and accounts that do not are counted', () => {
  const lines = progressLines(atWork(Array.from({ length: 30 }, (_, i) => [`account-${i}`, fetching])), 2000, 40, 10)
  expect(lines).toHaveLength(8)
  expect(lines.at(-1)).toBe('and 23 more at work')
  for (const line of lines) expect(line.length).toBeLessThan(40)
})

function screenAt(start: number) {
  const terminal = new MemoryStream()
  terminal.isTTY = true
  const clock = { nowMs: start }
  return { terminal, clock, screen: new ProgressScreen(terminal as unknown as NodeJS.WriteStream, () => clock.nowMs) }
}

test('a poll that ends soon draws nothing', async () => {
  const { terminal, clock, screen } = screenAt(0)
  screen.progress('work', fetching)
  clock.nowMs = 200
  await screen.draw()
  screen[Symbol.dispose]()
  expect(terminal.text).toBe('')
})

test('a longer one is drawn, printed lines stay above it, and nothing of it is left at the end', async () => {
  const { terminal, clock, screen } = screenAt(0)
  screen.progress('work', fetching)
  clock.nowMs = 400
  await screen.draw()
  expect(terminal.text).toContain('work  12/340 messages')
  screen.persist('popfetch: a line')
  await screen.draw()
  terminal.text = ''
  screen[Symbol.dispose]()
  // eslint-disable-next-line no-control-regex
  expect(terminal.text).toMatch(/\u001b\[2K/)
  expect(terminal.text).not.toContain('work')
})

test('an account whose poll is over, failed or not, leaves the screen at once (B3)', async () => {
  const { terminal, clock, screen } = screenAt(0)
  const connecting: Progress = { stage: 'connecting', messages: 0, totalMessages: 0, bytes: 0, totalBytes: 0 }
  screen.progress('failed', connecting)
  screen.progress('home', fetching)
  clock.nowMs = 400
  await screen.draw()
  expect(terminal.text).toContain('failed')
  terminal.text = ''
  screen.progress('failed', { ...connecting, stage: 'done' })
  await screen.draw()
  expect(terminal.text).toContain('home')
  expect(terminal.text).not.toContain('failed')
  screen[Symbol.dispose]()
})

test('an account that has finished is drawn no more', async () => {
  const { terminal, clock, screen } = screenAt(0)
  screen.progress('work', { ...fetching, stage: 'finishing' })
  screen.progress('home', fetching)
  clock.nowMs = 3000
  await screen.draw()
  expect(terminal.text).not.toContain('work')
  expect(terminal.text).toContain('home')
  screen[Symbol.dispose]()
})
