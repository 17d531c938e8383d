// How popfetch speaks: phrases that must not stand any more, beside what stands in their place. Each was once there, and stopped
// a reader. Over messages, help, comments, README, examples and the other pages of the repository.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { COMMANDS } from '../src/cli/commands/commands.ts'
import { COMMON } from '../src/cli/common-options.ts'
import { loadVocabulary } from '../src/cli/vocabulary.ts'

const ROOT = join(import.meta.dirname, '..')

function filesIn(folder: string, ends: readonly string[]): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => ends.some((end) => name.endsWith(end)))
    .map((name) => join(folder, name))
}

const PLACES = [
  'README.md',
  ...filesIn('.github', ['.md']),
  ...filesIn('examples', ['.md', '.yaml', '.service', '.timer', 'Dockerfile', '.npm']),
  ...filesIn('src', ['.ts']),
]

/** As a reader has it: lines of a paragraph or comment joined, pieces of a long text too. */
function read(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8')
    .replace(/\n\s*(?:\/\/|\*|#) ?/g, ' ')
    .replace(/['`]\s*\+\s*['`]/g, '')
    .replace(/\s+/g, ' ')
}

const texts = PLACES.map((file) => [file, read(file)] as const)

/** In any case. A phrase of code or of a quoted program is none of them. */
const PHRASES: readonly (readonly [instead: string, phrase: RegExp])[] = [
  ['one failure never stops the rest', /one bad thing stops/i],
  ['nothing is printed when all is well', /when all is well nothing is/i],
  ['nothing leaves this machine', /on this machine alone/i],
  ['all offline tests', /everything the offline tests know/i],
  ['server details; on failure, likely causes', /what the server is like/i],
  ['only when something needs attention', /only what needs a person/i],
  ['a lone CR or LF', /LF that stands alone/i],
  ['the first matching rule applies', /rule that fits counts/i],
  ['only when requested explicitly', /only by name\b/i],
  ['expires during a poll', /runs out while mail comes/i],
  ['Otherwise nothing, unless something goes wrong', /elsewhere: nothing/i],
  ['a safety guard needs your confirmation', /wants a person to look first/i],
  ['treat it as new', /take it for new/i],
  ['shuts down cleanly', /in good order/i],
  ['is honoured, also after a restart', /is kept to, also by the next/i],
  ['prints a completion script', /what the shell needs to complete/i],
  ['is listed in', /stands in \.ci\/run/i],
  ['Print errors only', /say nothing but errors/i],
  ['Print progress details', /say what is being done/i],
  ['Inspect and repair the ledger', /look into and mend/i],
  ['Continue although', /go on although/i],
  ['the server renumbered all messages', /gave all messages new IDs/i],
  ['Maximum transfer rate', /bytes a second at most/i],
  ['Read the password from', /the password stands in/i],
  ['Accept the defaults', /take the usual answer/i],
  ['Asks for anything not given as an option', /asks for what no option says/i],
  ['no configuration found', /looking for a configuration: there is none/i],
  ['Run "popfetch" to fetch', /now popfetch fetches/i],
  ['write the file anyway', /write it all the same/i],
  ['cancelled; nothing was written', /no answer was given: nothing/i],
  ['not a terminal: use', /no terminal to ask/i],
  ['already exists; not overwriting it', /is there already, and is not overwritten/i],
  ['not valid YAML', /something that is no YAML/i],
  ['starts with a YAML special character', /begins with a sign of YAML/i],
  ['reserved: it is a popfetch command', /this is a command of popfetch/i],
  ['permission denied', /give yourself permission/i],
  ['cannot be combined', /contradict each other|does not go with it|do not go together/i],
  ['is not an option of this command', /does not belong to this command/i],
  ['mail deleted by one may be missed by another', /what one deletes another may miss/i],
  ['a dedicated user is safer', /a user of its own for popfetch/i],
  ['sent no greeting within', /no complete answer to the connection/i],
  ['refused the sign-in for now', /does not let us in now/i],
  ['sign-in aborted', /sign(?:ing |-)in (?:was )?broken off/i],
  ['unsolicited data', /bytes that nobody asked for/i],
  ['asking again, sign in again', /asking it anew|signing in anew/i],
  ['sign-in was rejected', /signing in was answered/i],
  ['retried, less and less often', /tried again now and then|ever more (?:seldom|rarely)/i],
  ['is world-writable', /everybody may write to/i],
  ['a symbolic link is in the way', /link stands in the way/i],
  ['another popfetch is polling it', /another popfetch is at work on it/i],
  ['not fetched yet', /not fetched: it was not fetched/i],
  ['reconnecting in', /another session in \$/i],
  ['nothing moved yet', /nothing is moved yet/i],
  ['a daemon already uses this ledger', /works on this ledger already/i],
  ['the daemon failed to start', /did not come up/i],
  ['see its comments for differences', /comments say what is different/i],
  ['would forward', /would send \S+ messages on\b/i],
  ['no longer accepted', /are not taken any more/i],
  ['popfetch can only use it through a POP3 bridge', /unless a bridge of yours/i],
  ['with a different TLS mode', /the TLS mode is another one/i],
  ['is busy or under maintenance', /being worked on/i],
  ['Created by popfetch', /made by popfetch (?:init|import)/i],
  ['effective configuration, in effect', /what is in force\b(?! again)/i],
  ['If that is what you want', /if that is meant/i],
  ['stopping here', /: not going on\b/i],
  ['is not available', /cannot be had: /i],
  ['by a sign-in with OAuth', /sign(?:s|ed|ing)? in by OAuth\b(?! 2)/i],
  ['someone is intercepting the connection', /somebody is in between/i],
  ['redirects us', /sends us elsewhere/i],
]

test.each(PHRASES)('%s: what stood there before is gone (%s)', (_, phrase) => {
  const found = texts.filter(([file, text]) => file !== '.github/CHANGELOG.md' && phrase.test(text))
  expect(
    found.map(([file, text]) => `${file}: …${text.slice(Math.max(0, text.search(phrase) - 40)).slice(0, 120)}…`),
  ).toEqual([])
})

test('what each option and command does is a phrase that begins with a capital and has no full stop', async () => {
  const { commands } = await loadVocabulary(COMMANDS)
  const said = [...commands.values()].flatMap((command) => [
    command.describe,
    ...command.examples.map(([, does]) => does),
    ...command.options.flatMap(({ options }) => Object.values(options).map(({ describe }) => describe)),
  ])
  const all = [...said, ...Object.values(COMMON).map(({ describe }) => describe)]
  // The words that an option takes, and the operations it is for, are as they are typed.
  const isTyped = /^(?:[a-z-]+(?:, | or |: )|[A-Z]+\b|POP3\b)/
  expect(all.filter((text) => !/^[A-Z]/.test(text) && !isTyped.test(text))).toEqual([])
  expect(all.filter((text) => text.endsWith('.'))).toEqual([])
})
