// `first: since:DATE`: what the very first poll skips, by what the headers say.
import { describe, expect, test } from 'vitest'
import { parseFirst, sinceText } from '../../../src/config/schema.ts'
import { Scene } from '../scene.ts'

const DATES: readonly (readonly [name: string, header: string])[] = [
  ['older', 'Received: from a by b; Sat, 31 Oct 2026 23:59:59 +0000\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000'],
  ['midnight', 'Received: from a by b; Sun, 01 Nov 2026 00:00:00 +0000'],
  ['elsewhere', 'Received: from a by b; Sun, 01 Nov 2026 00:30:00 +0200'],
  [
    'younger, Date older',
    'Received: from a by b; Mon, 02 Nov 2026 10:00:00 +0000\r\nDate: Thu, 01 Oct 2026 10:00:00 +0000',
  ],
  [
    'topmost counts',
    'Received: by b; Mon, 02 Nov 2026 10:00:00 +0000\r\nReceived: by a; Thu, 01 Oct 2026 10:00:00 +0000',
  ],
  ['Date older', 'Date: Thu, 01 Oct 2026 10:00:00 +0000'],
  ['Date younger', 'Date: Mon, 02 Nov 2026 10:00:00 +0000'],
  ['neither', 'X-Other: x'],
  ['nonsense', 'Received: from a by b; yesterday\r\nDate: soon'],
]
const SKIPPED = ['older', 'elsewhere', 'Date older']

async function scene(): Promise<Scene> {
  const opened = await Scene.create()
  opened.account = ['first: since:2026-11-01', 'delete: after-delivery']
  for (const [name, header] of DATES)
    opened.server
      .mailbox('alice')
      .add(`${header}\r\nMessage-ID: <${name}@x>\r\nSubject: ${name}\r\n\r\nx\r\n`, { uidl: name })
  return opened
}

const names = (opened: Scene): string[] =>
  opened
    .mail()
    .map((text) => /^Subject: (.*)$/m.exec(text)?.[1] ?? '')
    .toSorted()
const wanted = DATES.map(([name]) => name)
  .filter((name) => !SKIPPED.includes(name))
  .toSorted()

describe('first: since:DATE', () => {
  test('takes what came from midnight UTC of that day on, and what does not say; the rest is seen and never deleted', async () => {
    await using opened = await scene()
    expect(await opened.poll()).toMatchObject({ outcome: 'ok', delivered: 6, skipped: 3 })
    expect(names(opened)).toEqual(wanted)
    expect(opened.left()).toEqual(SKIPPED)
    // Of later mail it says nothing, however old that is.
    opened.server
      .mailbox('alice')
      .add('Date: Thu, 01 Jan 2015 10:00:00 +0000\r\nSubject: late\r\n\r\nx\r\n', { uidl: 'late' })
    const asked = opened.count('TOP')
    expect(await opened.poll()).toMatchObject({ outcome: 'ok', delivered: 1, skipped: 3 })
    expect(opened.count('TOP')).toBe(asked)
    expect(opened.left()).toEqual(SKIPPED)
  })

  test('takes everything where the server shows no header', async () => {
    await using opened = await scene()
    opened.server.faults.reply.set('TOP', '-ERR what?')
    expect(await opened.poll()).toMatchObject({ outcome: 'ok', delivered: 9 })
  })

  test('shows its plan in a dry run, and does the same then', async () => {
    await using opened = await scene()
    const { plan } = await opened.poll({ dryRun: true })
    expect(plan.filter(({ action }) => action === 'skip').map(({ uidl }) => uidl)).toEqual(SKIPPED)
    expect(await opened.poll()).toMatchObject({ delivered: 6, skipped: 3 })
  })

  test.each(['since:2026-02-30', 'since:2026-13-01', 'since:26-1-1', 'since:', 'since:2026-11-01T00:00'])(
    'is not %s',
    (text) => {
      expect(parseFirst(text)).toBeNull()
    },
  )

  test('is written as it was', () => {
    const first = parseFirst('since:2024-02-29')
    expect(first?.kind === 'since' ? sinceText(first.sinceMs) : null).toBe('since:2024-02-29')
  })
})
