// Standard output and standard error are made when something is written to them; what is a terminal is told without them.
import { closeSync, globSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isatty } from 'node:tty'
import { describe, expect, test } from 'vitest'
import { isTerminal, StandardStream } from '../../../src/cli/terminal/standard-stream.ts'

describe('what is a terminal is what Node says is one', () => {
  test.each(['/dev/null', '/dev/zero', '/dev/ptmx', import.meta.filename])('%s', (path) => {
    const fd = openSync(path, path === '/dev/ptmx' ? 'r+' : 'r')
    try {
      expect(isTerminal(fd)).toBe(isatty(fd))
    } finally {
      closeSync(fd)
    }
  })

  test('a terminal is one, and what is not open is none', () => {
    const fd = openSync('/dev/ptmx', 'r+')
    expect(isTerminal(fd)).toBe(true)
    closeSync(fd)
    expect(isTerminal(fd)).toBe(false)
  })
})

test('the stream is made at the first write, and whoever listened before hears of its errors', () => {
  const before = process.stderr.listenerCount('error')
  const stream = new StandardStream(2)
  const listener = (): void => {}
  stream.on('error', listener)
  expect(stream.writableLength).toBe(0)
  expect(stream.columns).toBeGreaterThan(0)
  expect(process.stderr.listenerCount('error')).toBe(before)
  stream.write('')
  expect(process.stderr.listeners('error')).toContain(listener)
  const later = (): void => {}
  stream.on('error', later)
  expect(process.stderr.listeners('error')).toContain(later)
  process.stderr.off('error', listener).off('error', later)
})

// Whoever draws on a terminal that goes away must not end a poll: Output listens to its streams, and to no others.
test('what is drawn on is the stream that is listened to, and nobody else takes one of the process', () => {
  const stream = Object.assign(new StandardStream(2), { isTTY: true })
  const listener = (): void => {}
  stream.on('error', listener)
  expect(stream.terminal).toBe(process.stderr)
  expect(process.stderr.listeners('error')).toContain(listener)
  process.stderr.off('error', listener)
  expect(Object.assign(new StandardStream(2), { isTTY: false }).terminal).toBeNull()
  const src = join(import.meta.dirname, '../../../src')
  const users = globSync('**/*.ts', { cwd: src }).filter((file) =>
    /process\.(?:stdout|stderr)(?!\.columns)/.test(readFileSync(join(src, file), 'utf8')),
  )
  expect(users).toEqual(['cli/terminal/standard-stream.ts'])
})
