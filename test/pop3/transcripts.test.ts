import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { asPopfetchError } from '../../src/errors.ts'
import type { Listing } from '../../src/pop3/listing/listing.ts'
import { playTranscript } from '../support/transcript.ts'
import { alice, Kept, open } from './sessions.ts'

const FOLDER = join(import.meta.dirname, '..', 'transcripts')
const STORIES = ['open', 'sign in', 'list', 'retrieve', 'remove'] as const
const MODES = ['none', 'implicit', 'starttls'] as const
const CHOICES = ['auto', 'user', 'plain', 'login'] as const

interface Transcript {
  readonly tls: (typeof MODES)[number]
  readonly auth: (typeof CHOICES)[number]
  readonly does: (typeof STORIES)[number]
  /** Where the packets end is part of the case: it is not played in pieces too. */
  readonly whole: boolean
  /** What is to come of it, line by line. */
  readonly expected: readonly string[]
}

/** The comments at the head of a transcript that say what the client does and what comes of it. */
function head(text: string): Transcript {
  const fields = new Map<string, string>()
  const expected: string[] = []
  for (const line of text.split('\n')) {
    const [, name, value = ''] = /^# (tls|auth|does|packets|lists|gets|ends): *(.*)$/.exec(line) ?? []
    if (name === 'lists' || name === 'gets' || name === 'ends') expected.push(`${name}: ${value}`)
    else if (name !== undefined) fields.set(name, value)
  }
  return {
    tls: oneOf(MODES, fields.get('tls') ?? 'none'),
    auth: oneOf(CHOICES, fields.get('auth') ?? 'auto'),
    does: oneOf(STORIES, fields.get('does') ?? 'remove'),
    whole: oneOf(['as written', 'any'], fields.get('packets') ?? 'any') === 'as written',
    expected,
  }
}

function oneOf<T extends string>(words: readonly T[], word: string): T {
  const found = words.find((known) => known === word)
  if (found === undefined) throw new Error(`"${word}" is none of ${words.join(', ')}`)
  return found
}

function listed(listing: Listing): readonly string[] {
  return listing
    .slice(0, listing.length)
    .map(
      ({ number, uidl, sizeBytes }) =>
        `lists: ${number} ${sizeBytes ?? '-'} ${uidl === '' ? '-' : JSON.stringify(uidl).slice(1, -1)}`,
    )
}

/** What comes of it: what is listed, what each message holds, how it ends. */
async function play(server: { readonly port: number }, { tls, auth, does }: Transcript): Promise<readonly string[]> {
  const story = STORIES.indexOf(does)
  const seen: string[] = []
  try {
    await using session = await open(server, { tlsMode: tls, timeoutMs: 1500 })
    if (story >= 1) await session.signIn(auth, alice)
    const listing = story >= 2 ? await session.list() : null
    if (listing !== null) seen.push(...listed(listing))
    if (listing !== null && story >= 3) {
      const numbers = listing.slice(0, listing.length).map(({ number }) => number)
      const kept = numbers.map(() => new Kept())
      const outcomes = await Promise.allSettled(numbers.map((number, at) => session.retrieve(number, kept[at]!)))
      const whole: number[] = []
      for (const [at, outcome] of outcomes.entries()) {
        if (outcome.status === 'rejected') continue
        const { status, text } = outcome.value
        if (status === 'ok') whole.push(numbers[at]!)
        seen.push(`gets: ${numbers[at]} ${status === 'ok' ? JSON.stringify(kept[at]!.text) : `refused ${text}`}`)
      }
      for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
      if (story >= 4) await Promise.all(whole.map((number) => session.remove(number)))
    }
    const reply = await session.quit()
    seen.push(`ends: ${reply.status === 'ok' ? 'well' : `refused ${reply.text}`}`)
  } catch (thrown) {
    const { code, message } = asPopfetchError(thrown)
    seen.push(`ends: ${code} ${message}`)
  }
  return seen
}

const transcripts = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.txt'))
  .map((name) => {
    const text = readFileSync(join(FOLDER, name), 'utf8')
    return { name, text, transcript: head(text) }
  })
const performances = transcripts.flatMap((written) =>
  (written.transcript.whole ? [0] : [0, 1, 5]).map((split) => ({ ...written, split })),
)

describe('a transcript', () => {
  it('is there to be played', () => {
    expect(transcripts.length).toBeGreaterThan(10)
  })

  it.each(performances)(
    'goes as it is written, whole and in pieces: $name, $split',
    async ({ name, text, transcript, split }) => {
      await using server = await playTranscript(text, { name, split })
      const seen = await play(server, transcript)
      // What is cut off with ... may be followed by anything.
      const wanted = transcript.expected.map((line) =>
        line.endsWith('...') ? expect.stringContaining(line.slice(0, -3)) : line,
      )
      expect(seen).toEqual(wanted)
      await server.done
    },
  )
})
