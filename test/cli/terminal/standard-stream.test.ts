// Standard output and standard error are made when something is written to them; what is a terminal is told without them.
import { closeSync, openSync } from 'node:fs'
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
