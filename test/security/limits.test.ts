// Texts that are shaped to hurt meet a limit, and what there is of them does no harm.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { parseDocument, YAMLMap } from 'yaml'
import { readOldFiles } from '../../src/cli/commands/import/old-files.ts'
import { assemble, assembling, findWrittenSecret } from '../../src/config/assemble.ts'
import { sourceOf } from '../../src/config/sources/source.ts'
import { parseText, parsing } from '../../src/config/document.ts'
import { atOnce, inTurns } from '../../src/config/turns.ts'
import { Lines, parseRequest } from '../../src/daemon/control/protocol.ts'
import { importFetchmail } from '../../src/setup/fetchmail/fetchmail.ts'
import { importGetmail } from '../../src/setup/getmail/getmail.ts'
import { networkLookups } from '../../src/setup/lookups.ts'
import { filledLines } from '../../src/setup/text.ts'
import { CONTEXT } from '../setup/scene.ts'

describe('a configuration', () => {
  test.each([
    ['of lists', `a: ${'['.repeat(3000)}${']'.repeat(3000)}`],
    ['of mappings', `${'{"a":'.repeat(3000)}1${'}'.repeat(3000)}`],
    ['of lines', `${'- '.repeat(3000)}a`],
    ['without an end', '{a: '.repeat(3000)],
  ])('3,000 levels deep %s has one problem', (_, text) => {
    const { readable, problems } = parseText(text)
    expect(readable).toBe(false)
    expect(problems).toMatchObject([{ found: 'lists or mappings a hundred deep' }])
  })

  test.each([
    ['a list', 'accounts: &a [*a]'],
    ['a mapping', 'accounts: &a { b: *a }'],
    ['a base of itself', 'accounts: &a { <<: *a }'],
    ['an anchor set twice', 'x: &a 1\naccounts: &a [*a]'],
  ])('that stands for itself has one problem: %s', (_, text) => {
    const { readable, problems } = parseText(text)
    expect(readable).toBe(false)
    expect(problems).toMatchObject([{ found: 'a word with "*" in front' }])
  })

  test.each([
    ['many by many', `a: &a [${'1,'.repeat(5000)}]\nb: [${'*a,'.repeat(5000)}]`],
    ['each twice', Array.from({ length: 40 }, (_, at) => `a${at + 1}: &a${at + 1} [*a${at}, *a${at}]`).join('\n')],
    ['too many of them', `a: &a 1\nb: [${'*a,'.repeat(10_001)}]`],
    ['too many names', Array.from({ length: 1001 }, (_, at) => `a${at}: &a${at} 1`).join('\n')],
  ])('whose aliases stand for very much is refused: %s', (_, text) => {
    const { readable, problems } = parseText(`a0: &a0 1\n${text}`)
    expect(readable).toBe(false)
    expect(problems.map(({ found }) => found)).toContain('aliases ("*") that expand to a million values')
  })

  test('of ten thousand accounts with one base is read', () => {
    const accounts = Array.from({ length: 10_000 }, (_, at) => `  a${at}: *a`).join('\n')
    expect(parseText(`x-base: &a { host: h, user: u }\naccounts:\n${accounts}`).problems).toEqual([])
  })

  test('with the names of prototypes has names nobody knows, and changes nothing else', () => {
    const text = '__proto__: { host: h }\naccounts: { __proto__: { host: h }, constructor: { user: u }, toString: 1 }'
    const { root } = parseText(text)
    expect(assemble(root, (path) => path).problems.length).toBeGreaterThan(3)
    expect(atOnce(findWrittenSecret(root))).toBeNull()
    expect(Object.keys(Object.prototype)).toEqual([])
    expect('host' in {}).toBe(false)
  })

  test('is the same where it is cut into pieces: names, lines, anchors, and each mistake once', () => {
    const keys = Array.from({ length: 1000 }, (_, at) => `  k${at}: { n: ${at} } # ${at}`)
    keys[3] = '  k3: &first { n: 3 }'
    keys[700] = '  k700: *first'
    const text = (lines: readonly string[], end = 'x-end: [1]\n'): string => `accounts:\n${lines.join('\n')}\n${end}`
    const good = parseText(text(keys))
    const values = keys.map((_, at) => [`k${at}`, { n: at === 700 ? 3 : at }] as const)
    expect(good.problems).toEqual([])
    expect(good.root).toEqual({ accounts: Object.fromEntries(values), 'x-end': [1] })
    expect([1, 200, 201, 999].map((at) => good.lineOf(['accounts', `k${at}`, 'n'], 'value'))).toEqual([
      3, 202, 203, 1001,
    ])
    expect(good.lineOf(['x-end'], 'key')).toBe(1002)
    const bad = [...keys]
    bad[500] = '  k7: again'
    bad[600] = '  k600: *nothing'
    bad[900] = '  k900: "\\q"'
    const { problems } = parseText(text(bad))
    expect(problems.map(({ line, path }) => [line, path])).toEqual(parsedWhole(bad))
    expect(parseText(text(keys, '  - a\n')).readable).toBe(false)
  })

  /** Each mistake is alone in a text that is too short to be cut. */
  function parsedWhole(lines: readonly string[]): readonly unknown[] {
    const shown = [0, 7, 500, 600, 900].map((at) => lines[at] ?? '')
    const { problems } = parseText(`accounts:\n${shown.join('\n')}\n`)
    return problems.map(({ line, path }) => [[2, 9, 502, 602, 902][line - 2], path])
  }

  test('is read in pieces, between which all others have their turns', async () => {
    let turns = 0
    let next = setImmediate(function another() {
      turns += 1
      next = setImmediate(another)
    })
    const text = Array.from({ length: 20_000 }, (_, at) => `k${at}: [1, 2, 3]`).join('\n')
    await inTurns(parsing(text))
    clearImmediate(next)
    expect(turns).toBeGreaterThan(3)
  })

  describe('of three thousand accounts', () => {
    let touched = 0
    const account = (at: number): object => {
      const written = { host: `pop${at % 50}.example.net`, user: `u${at}`, password: { env: 'P' }, deliver: 'inbox' }
      const count = <T>(value: T): T => {
        touched += 1
        return value
      }
      return new Proxy(written, {
        get: (target, name) => count(Reflect.get(target, name) as unknown),
        ownKeys: (target) => count(Reflect.ownKeys(target)),
      })
    }
    const root = {
      accounts: Object.fromEntries(Array.from({ length: 3000 }, (_, at) => [`a${at}`, account(at)])),
      destinations: { inbox: { type: 'maildir', path: '/m' } },
    }
    const works = {
      'is checked': () => assembling(sourceOf(root, (path) => path)),
      'is searched for secrets': () => findWrittenSecret(root),
    }

    test.each(Object.entries(works))('%s in pieces, each of a few accounts', (_, begin) => {
      const work = begin()
      let most = 0
      for (let before = touched; work.next().done !== true; before = touched) most = Math.max(most, touched - before)
      expect(most).toBeGreaterThan(0)
      expect(most).toBeLessThan(200)
    })
  })

  test('is made plain values in pieces, and they are the same', () => {
    const calls = vi.spyOn(YAMLMap.prototype, 'toJSON')
    const text = [
      '__proto__: { a: 1 }',
      'null: 1',
      '~: 2',
      'accounts:',
      ...Array.from({ length: 1000 }, (_, at) => `  k${at}: { a: [{ b: 1 }], 3: ~ }`),
      '  k7: again',
    ]
    const work = parsing(text.join('\n'))
    let most = 0
    for (let step = work.next(), before = 0; ; step = work.next(), before = calls.mock.calls.length) {
      most = Math.max(most, calls.mock.calls.length - before)
      if (step.done !== true) continue
      calls.mockRestore()
      const whole = parseDocument(text.join('\n'), { uniqueKeys: false, stringKeys: true })
      expect(step.value.root).toEqual(whole.toJS())
      expect(Object.hasOwn(Object(step.value.root), '__proto__')).toBe(true)
      break
    }
    expect(most).toBeLessThan(10)
  })
})

describe('an old file', () => {
  let folder = ''
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  async function refused(text: string): Promise<string> {
    folder = mkdtempSync(join(tmpdir(), 'popfetch-'))
    const file = join(folder, 'rc')
    writeFileSync(file, text, { mode: 0o600 })
    const request = {
      tool: 'fetchmail',
      files: [file],
      output: null,
      record: null,
      password: null,
      takeOver: false,
      mode: 'new',
    }
    const place = { env: { HOME: folder }, cwd: folder }
    const read = readOldFiles(request as Parameters<typeof readOldFiles>[0], place)
    return await read.then(
      () => 'taken',
      (error: unknown) => String(error),
    )
  }

  test('of more than a megabyte is no configuration', async () => {
    expect(await refused('\n'.repeat(1_048_577))).toContain('rc')
    expect(await refused('poll a user b\n'.repeat(10))).toBe('taken')
  })

  test('with more than ten thousand mailboxes is refused', async () => {
    expect(await refused('poll a user b\n'.repeat(10_001))).toContain('more than 10000 mailboxes')
  })

  test('of 150 MB of empty lines has no line', () => {
    expect([...filledLines('\n'.repeat(150_000_000))]).toEqual([])
  })

  test('with sections named like prototypes is read as any other', () => {
    const text = '[__proto__]\ntype = x\n__proto__ = y\n more\n[constructor]\na = b\n[retriever]\nserver = h\n'
    const { accounts } = importGetmail(text, { ...CONTEXT, name: 'getmailrc', directory: '/d' })
    expect(accounts).toMatchObject([{ host: 'h' }])
    expect('type' in {}).toBe(false)
  })

  test('with words without an end, or too many names, is read up to there', () => {
    const fetchmail = (text: string): ReturnType<typeof importFetchmail> =>
      importFetchmail(text, { ...CONTEXT, idfile: '/x' })
    expect(fetchmail(`poll a user b ${'and '.repeat(100_000)} keep`).accounts).toHaveLength(1)
    expect(fetchmail(`poll a user b is ${'c '.repeat(100_000)} here`).accounts).toHaveLength(1)
    expect(fetchmail(`poll a user b password "${'\\"'.repeat(100_000)}`).accounts).toHaveLength(1)
  })
})

describe('a page of autoconfig', () => {
  afterEach(() => vi.unstubAllGlobals())

  test('that never ends is read up to 64 KiB', async () => {
    const piece = new Uint8Array(16_384).fill(0x20)
    let pieces = 0
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        pieces += 1
        controller.enqueue(piece)
      },
    })
    vi.stubGlobal('fetch', () => Promise.resolve(new Response(endless)))
    expect(await networkLookups(new AbortController().signal).page('https://autoconfig.example/x')).toBeNull()
    expect(pieces).toBeLessThan(8)
  })
})

describe('a line of the control socket', () => {
  test('is kept up to its limit, however small the pieces', () => {
    const lines = new Lines(1000)
    let kept = 0
    while (lines.take('x') !== null) kept += 1
    expect(kept).toBe(1000)
  })

  test('comes as it was sent, however it is cut', () => {
    const lines = new Lines(1000)
    expect(['a', 'b\nc', '', '\n\nd'].map((piece) => lines.take(piece))).toEqual([[], ['ab'], [], ['c', '']])
  })

  test('may be nested as deep as it is long, and asks for no more than ten thousand accounts', () => {
    expect(parseRequest('['.repeat(1_000_000))).toBeNull()
    expect(parseRequest(`{"verb":"status","x":${'['.repeat(100_000)}${']'.repeat(100_000)}}`)).toEqual({
      verb: 'status',
    })
    const accounts = Array.from({ length: 10_001 }, () => 'a')
    expect(parseRequest(JSON.stringify({ verb: 'wake', accounts, eager: true, wait: true, mark: null }))).toBeNull()
  })
})
