import { describe, expect, test } from 'vitest'
import { Output } from '../../src/cli/output.ts'
import { PopfetchError } from '../../src/errors.ts'
import { redactor } from '../../src/redact.ts'
import { MemoryStream } from './streams.ts'

function streams() {
  const stdout = new MemoryStream()
  const stderr = new MemoryStream()
  return { stdout, stderr, output: new Output(stdout, stderr) }
}

test('answers go to standard output, everything else to standard error', () => {
  const { stdout, stderr, output } = streams()
  output.answer('12 messages')
  output.say('done')
  output.note('at work')
  output.problem('work: no')
  expect(stdout.text).toBe('12 messages\n')
  expect(stderr.text).toBe('done\nat work\npopfetch: work: no\n')
})

test('no control character but the line end, and no secret, reaches a stream', () => {
  const { stdout, stderr, output } = streams()
  redactor.add('output-test-secret')
  const hostile = 'a\u001b[2J\r\tb\u009b\u202e output-test-secret\nsecond line'
  output.answer(hostile)
  output.problem(hostile)
  for (const { text } of [stdout, stderr]) {
    expect(text).toMatch(/^[\x20-\x7e\n]*$/)
    expect(text).toContain('****\nsecond line\n')
  }
})

test('a JSON object is one line of ASCII that parses to the same, secrets masked', () => {
  const { stdout, output } = streams()
  redactor.add('output-test-secret')
  const object = { a: 'é\u009b\u202e\u007f\n"😀', b: [1, true, null], c: 'is output-test-secret' }
  output.object(object)
  expect(stdout.text).toMatch(/^[\x20-\x7e]+\n$/)
  expect(JSON.parse(stdout.text)).toEqual({ ...object, c: 'is ****' })
})

test('a failure to start is a line, and an object when JSON was asked for', () => {
  const { stdout, stderr, output } = streams()
  const error = new PopfetchError('ERR_CONFIG', 'reading a.yaml: it is not there', { scope: 'process', retry: 'never' })
  output.failure(error, { json: true })
  expect(stderr.text).toBe('popfetch: reading a.yaml: it is not there\n')
  expect(JSON.parse(stdout.text)).toEqual({
    ok: false,
    accounts: [],
    error: { code: 'ERR_CONFIG', message: 'reading a.yaml: it is not there', retry: 'never' },
  })
})

test('a reader that stopped costs notes, which are counted, and no memory', () => {
  const { stderr, output } = streams()
  stderr.writableLength = 2 * 1024 * 1024
  output.note('lost')
  output.note('lost too')
  output.problem('kept')
  stderr.writableLength = 0
  output.note('read again')
  expect(stderr.text).toBe('popfetch: 2 lines were dropped: nobody read them\npopfetch: kept\nread again\n')
})

test('an error of a stream is swallowed', () => {
  const { stdout, stderr } = streams()
  for (const stream of [stdout, stderr]) {
    expect(() => stream.emit('error', Object.assign(new Error('EPIPE'), { code: 'EPIPE' }))).not.toThrow()
  }
})

test('an answer is coloured on a terminal only, and not where NO_COLOR says so', () => {
  const shown = (isTTY: boolean, env: NodeJS.ProcessEnv): string => {
    const { stdout, output } = streams()
    stdout.isTTY = isTTY
    output.allowColours(env)
    output.answer('work\u001b[2J', 'bad')
    output.answer('home')
    return stdout.text
  }
  expect(shown(true, {})).toBe('\u001b[31mwork\\x1b[2J\u001b[0m\nhome\n')
  for (const [isTTY, env] of [
    [false, {}],
    [true, { NO_COLOR: '1' }],
    [true, { TERM: 'dumb' }],
  ] as const) {
    expect(shown(isTTY, env)).toBe('work\\x1b[2J\nhome\n')
  }
})

describe('a sentence on a terminal', () => {
  const shown = (isTTY: boolean, columns: number | undefined, told: number | null): string => {
    const [stdout, stderr] = [new MemoryStream(), new MemoryStream()]
    Object.assign(stdout, { isTTY, columns })
    Object.assign(stderr, { isTTY, columns })
    const output = new Output(stdout, stderr, told)
    output.prose('one two three four five six seven eight nine ten')
    output.say('one two three four five six seven eight nine ten')
    output.answer('a line that somebody copies, however long it may be')
    return stdout.text + stderr.text
  }

  test('is broken between words, as wide as the terminal is, or as COLUMNS says; what is copied stays whole', () => {
    const narrow = 'one two three four five\n  six seven eight nine\n  ten\n'
    const whole = 'a line that somebody copies, however long it may be\n'
    expect(shown(true, 24, null)).toBe(narrow + whole + narrow)
    expect(shown(true, 80, 24)).toBe(narrow + whole + narrow)
    expect(shown(true, 0, null).split('\n')).toHaveLength(4)
    expect(shown(true, undefined, null).split('\n')).toHaveLength(4)
  })

  test('is one line where nobody looks at a terminal', () => {
    expect(shown(false, 24, 24).split('\n')).toHaveLength(4)
  })
})

test('a long answer waits for its reader, and learns that it is gone', async () => {
  const { stdout, output } = streams()
  expect(await output.caughtUp()).toBe(true)
  stdout.emit('error', new Error('EPIPE'))
  expect(await output.caughtUp()).toBe(false)
})

test('a process that ends at once takes its progress lines away first, so that the prompt has a line of its own (B18)', () => {
  const { stderr, output } = streams()
  const cleared: number[] = []
  output.screen = { persist: () => {}, clear: () => cleared.push(1) }
  output.leave()
  output.leave()
  output.say('afterwards')
  expect([cleared, stderr.text]).toEqual([[1], 'afterwards\n'])
})
