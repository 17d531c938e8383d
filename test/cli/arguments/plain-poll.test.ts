import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { plainPoll } from '../../../src/cli/arguments/plain-poll.ts'
import { readWithYargs } from '../../../src/cli/arguments/with-yargs.ts'

const OPTIONS =
  'config state quiet verbose json log-file log-level help version dry-run limit all accept-new-ids mark-seen yes daemon foreground'
    .split(' ')
    .map((name) => `--${name}`)

/** Whole words and pieces that are stuck together, so that near misses of everything come up. */
const value = fc.oneof(
  fc.constantFrom(
    '7',
    '0',
    '1e3',
    '0x10',
    '-1',
    '007',
    '999999999',
    '1000000000',
    'debug',
    'loud',
    '',
    ' ',
    "'7'",
    '"a"',
  ),
  fc.constantFrom(
    'a.yaml',
    '/etc/a b',
    '~/x',
    './-',
    'true',
    'false',
    'work',
    '__proto__',
    'a=b',
    'é',
    '-',
    '--',
    '$0',
  ),
)
const word = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...OPTIONS) },
  { weight: 2, arbitrary: value },
  {
    weight: 1,
    arbitrary: fc.constantFrom('check', 'state', 'stop', 'config', 'poll', 'help', 'home', '-x', '-h', '--no-json'),
  },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom(...OPTIONS), value).map(([name, text]) => `${name}=${text}`) },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom(...OPTIONS, 'home'), value).map(([a, b]) => `${a}${b}`) },
)

/** What a crontab may say: nothing of it wrong, nearly everything of it plain. */
const rightWord = fc.oneof(
  fc.constantFrom(
    ['--quiet'],
    ['--verbose'],
    ['--json'],
    ['--dry-run'],
    ['--all'],
    ['--accept-new-ids'],
    ['--mark-seen'],
    ['--yes'],
  ),
  fc.constantFrom(['work'], ['home.2'], ['_a-b'], ['007'], ['1e3'], ['.x'], ['true']),
  fc
    .tuple(fc.constantFrom('--config', '--state', '--log-file'), fc.stringMatching(/^[!-~]{1,8}$/))
    .chain(([name, text]) => fc.constantFrom([name, text], [`${name}=${text}`])),
  fc.constantFrom(['--limit', '20'], ['--limit=1'], ['--log-level', 'debug'], ['--log-level=trace']),
)

// Thousands of command lines: seconds on a quiet machine, more on a loaded one.
describe('what the quick reader understands, yargs understands alike', { timeout: 120_000 }, () => {
  test('whatever the words are', async () => {
    let understood = 0
    await fc.assert(
      fc.asyncProperty(fc.array(word, { maxLength: 5 }), async (argv) => {
        const plain = await plainPoll(argv)
        if (plain === null) return
        understood++
        const { command, given } = await readWithYargs(argv, 80)
        expect([command, given]).toEqual([plain.command, plain.given])
      }),
      { numRuns: 3000 },
    )
    expect(understood).toBeGreaterThan(50)
  })

  test('when nearly all of them are right', async () => {
    let understood = 0
    await fc.assert(
      fc.asyncProperty(fc.array(rightWord, { maxLength: 6 }), async (parts) => {
        const argv = parts.flat()
        const plain = await plainPoll(argv)
        if (plain === null) return
        understood++
        const { command, given } = await readWithYargs(argv, 80)
        expect([command, given]).toEqual([plain.command, plain.given])
      }),
      { numRuns: 500 },
    )
    expect(understood).toBeGreaterThan(50)
  })
})

describe('the quick reader', () => {
  test.each([
    '',
    '--config /etc/popfetch/config.yaml --state=/var/lib/popfetch/state.db',
    'work home --quiet',
    '--json --dry-run --limit 20 --log-file ~/popfetch.log --log-level debug',
    '--all --accept-new-ids --yes --verbose work',
  ])('takes: popfetch %s', async (line) => {
    expect(await plainPoll(line === '' ? [] : line.split(' '))).toMatchObject({ command: 'poll' })
  })

  test.each([
    'check',
    'work check',
    '--help',
    '--version',
    '--daemon',
    '--quiet --verbose',
    '--quiet --quiet',
    '--state a --state b',
    '--state',
    '--state -x',
    '--state=',
    '--state "a"',
    '--limit 0',
    '--limit 1e3',
    '--log-level loud',
    '--json=yes',
    '--no-json',
    '--jso',
    '-q',
    '-- work',
    '--quiet true',
    '-',
  ])('leaves to yargs: popfetch %s', async (line) => {
    expect(await plainPoll(line.split(' '))).toBeNull()
  })
})
