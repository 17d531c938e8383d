// How popfetch speaks: phrases that must not come back, each with what is written instead. Each was once there, and stopped a
// reader. PHRASES hold everywhere: messages, help, comments, README, examples and the other pages of the repository. HABITS hold
// for what users read: the texts of the program and the pages; a comment may need such a word.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { COMMANDS } from '../src/cli/commands/commands.ts'
import { COMMON } from '../src/cli/common-options.ts'
import { loadVocabulary } from '../src/cli/vocabulary.ts'

const ROOT = join(import.meta.dirname, '..')

function filesIn(folder: string, ends: readonly string[]): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => ends.some((end) => name.endsWith(end)))
    .map((name) => join(folder, name))
}

const PAGES = [
  'README.md',
  ...filesIn('.github', ['.md']),
  ...filesIn('examples', ['.md', '.yaml', '.yml', '.service', '.timer', 'Dockerfile', '.npm']),
]
const PROGRAM = [...filesIn('src', ['.ts']), ...filesIn('.build', ['.js'])]

/** Pieces of a long text are one. */
function written(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8').replace(/['`]\s*\+\s*['`]/g, '')
}

/** As a reader has it: lines of a paragraph or comment joined. */
function read(text: string): string {
  return text.replace(/\n\s*(?:\/\/|\*|#) ?/g, ' ').replace(/\s+/g, ' ')
}

/** The texts in a program, one a line, without comments and single words. */
function saidBy(program: string): string {
  const code = program.replace(/^\s*(?:\/\/|\/\*|\*).*$/gm, '').replace(/ \/\/ .*$/gm, '')
  const texts = code.matchAll(/'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)"|`((?:[^`\\]|\\.)*)`/g)
  return [...texts]
    .map(([, one, two, three]) => one ?? two ?? three ?? '')
    .filter((text) => text.includes(' '))
    .join('\n')
}

const everything = [...PAGES, ...PROGRAM].map((file) => [file, read(written(file))] as const)
const said = [
  ...PAGES.map((file) => [file, read(written(file))] as const),
  ...PROGRAM.map((file) => [file, saidBy(written(file))] as const),
]

/** `was`: as it once stood there. Without a pattern these very words must not come back, in any case. */
type Phrase = readonly [instead: string, was: string, pattern?: RegExp | undefined]

const PHRASES: readonly Phrase[] = [
  // README and pages.
  ['one failure never stops the rest', 'One bad thing stops'],
  ['nothing is printed when all is well', 'when all is well nothing is'],
  ['nothing leaves this machine', 'on this machine alone'],
  ['all offline tests', 'everything the offline tests know'],
  ['installs a suitable one', '`npm ci` brings its own'],
  ['signs in to test it, then writes the file', 'tries to sign in, writes the file'],
  ['tells you what to enable there first', 'it also says what has to be switched on first', /says what has to be/i],
  ['server details; on failure, likely causes', 'what the server is like'],
  ['even if it is paused after failures', 'polls this one, also when it is paused', /\balso when it is paused/i],
  ['only when something needs attention', 'only what needs a person'],
  ['a lone CR or LF', 'a CR or LF that stands alone', /LF that (?:stands|is) alone/i],
  ['if it is killed, the message may already', 'Ended by a signal or the time limit, it may have'],
  ['the first matching rule applies', 'the first rule that fits counts', /(?:rule|first) that fits counts/i],
  ['all conditions must match', 'A rule wants all of its conditions', /wants all of its/i],
  ['only when requested explicitly', '`cram-md5` and `apop` only by name', /only by name\b/i],
  ['expires during a poll', 'runs out while mail comes'],
  ['TLS is still end-to-end', 'TLS stays with the server'],
  ['otherwise nothing, unless something goes wrong', 'Elsewhere: nothing'],
  ['a safety guard needs your confirmation', 'wants a person to look first'],
  ['so that cron does not get it locked', 'so that cron does not lock it'],
  ['inspecting state', '## Looking in', /# looking in\b/i],
  ['treat it as new', 'take it for new'],
  ['they contact no server', 'They ask no server'],
  ['need only … from the configuration', 'need of the configuration only'],
  ['an invalid one changes nothing', 'a wrong one changes nothing'],
  ['reopens the log', 'makes the log anew', /\bmakes the log (?:anew|again)\b/i],
  ['shuts down cleanly', 'in good order'],
  ['polls often after mail arrives', 'goes fast after mail came'],
  ['is honoured, also after a restart', 'is kept to, also by the next'],
  ['reports the result', 'and says what became of it', /\bsays? what became of/i],
  ['reports unhealthy when', 'which is not well when', /\bis not well when\b/i],
  ['without a long-running process', 'without a process that stays', /\bprocess that stays\b/i],
  ['prints a completion script', 'what the shell needs to complete'],
  ['is listed in', 'what to install stands in .ci/run', /stands in \.ci\/run/i],
  // Help.
  ['Print errors only', 'Say nothing but errors'],
  ['Print progress details', 'Say what is being done'],
  ['Import configuration and download history', 'Take over the configuration and record'],
  ['Inspect and repair the ledger', 'Look into and mend'],
  ['Show last result, pending and held messages', 'how it went, what waits'],
  ['Tell the daemon to', 'Let the background process poll now', /\blet the (?:background process|daemon) /i],
  ['Print a shell completion script', 'what makes a shell complete'],
  ['Continue although', 'Go on although'],
  ['the server renumbered all messages', 'gave all messages new IDs'],
  ['unusually many messages', 'very many messages would'],
  ['to its configured destination', 'each to where it delivers'],
  [
    'once verified at its destination',
    'what was read again at its destination',
    /(?<!not only )\bwhat was read again\b/i,
  ],
  ['Maximum transfer rate', 'Bytes a second at most'],
  ['Write the results to this file', 'Write what became of it'],
  ['Read the password from', 'The password stands in'],
  ['default: looked up from the address', 'without it, the server is looked for'],
  ['Accept the defaults', 'Take the usual answer'],
  ['Asks for anything not given as an option', 'Asks for what no option says'],
  ['it resumes where it stopped', 'it goes on where it was'],
  ['Options for', "'Of state:'", /'(?:Of [a-z]+|Importing|Migrating):'/],
  ['Location of the record', 'record of seen messages, where it is elsewhere', /where it is elsewhere/i],
  // Messages.
  ['no configuration found', 'looking for a configuration: there is none'],
  ['Run "popfetch" to fetch', 'now popfetch fetches'],
  ['mail already on the server', 'What is there already: fetch', /what is there already:/i],
  ['write the file anyway', 'write it all the same'],
  ['cancelled; nothing was written', 'no answer was given: nothing'],
  ['not a terminal: use', 'no terminal to ask'],
  ['already exists; not overwriting it', 'is there already, and is not overwritten'],
  ['missing (expected …)', 'found nothing, expected'],
  ['not valid YAML', 'something that is no YAML'],
  ['starts with a YAML special character', 'begins with a sign of YAML'],
  ['a tab as indentation', 'a tab in front'],
  ['this is the name of a popfetch command', 'this is a command of popfetch'],
  ['permission denied', 'it may not be read: give yourself permission', /may not be read:|give yourself permission/i],
  [
    'cannot be combined',
    'X and Y contradict each other',
    /contradict each other|does not go with it|do not go together/i,
  ],
  ['requires', '--foreground does not go without --daemon', /\bdo(?:es)? not go without\b/i],
  ['is not an option of this command', 'does not belong to this command'],
  ['poll the same mailbox', 'accounts A and B: one mailbox', /: one mailbox\b(?! )/i],
  ['mail deleted by one may be missed by another', 'what one deletes another may miss'],
  ['a dedicated user is safer', 'a user of its own for popfetch'],
  ['sent no greeting within', 'no complete answer to the connection'],
  ['refused the sign-in for now', 'does not let us in now'],
  ['sign-in aborted', 'sign-in broken off', /sign(?:ing |-)in (?:was )?broken off/i],
  ['unsolicited data', 'bytes that nobody asked for'],
  ['asking again, sign in again', 'asking it anew', /asking it anew|signing in anew/i],
  ['was rejected', 'signing in was answered "535', /(?:signing in|(?:TO|FROM) <[^>]*>) was answered "\d/i],
  ['retried, less and less often', 'tried again now and then', /tried again now and then|ever more (?:seldom|rarely)/i],
  ['check the path', 'check the path and what else works there', /what else works there/i],
  ['not a regular file; give another path', 'it is no file: name one', /\bit is no (?:regular )?file\b|: name one\b/i],
  ['is world-writable', 'everybody may write to'],
  ['a symbolic link is in the way', 'link stands in the way'],
  ['another popfetch is polling it', 'another popfetch is at work on it'],
  ['interrupted', 'it was begun and did not come to an end', /did not come to an end/i],
  ['not fetched yet', 'not fetched: it was not fetched'],
  ['reconnecting in', 'another session in ${seconds} s', /another session in \$/i],
  ['nothing moved yet', 'nothing is moved yet'],
  ['stopped early', ': it ended early', /: it ended early\b/i],
  ['a daemon already uses this ledger', 'works on this ledger already'],
  ['daemon running since', 'polled in the background by process'],
  ['the daemon failed to start', 'the background process did not come up', /\bdid not come up\b/i],
  ['the next poll fetches them again', 'new to the next poll'],
  ['already fetched by fetchmail', '2 messages that fetchmail fetched are known', /fetched (?:is|are) known\b/i],
  ['see its comments for differences', 'comments say what is different'],
  ['settings without an equivalent', 'What has no counterpart', /\bwhat has no counterpart/i],
  ['would forward', 'would send 20000 messages on', /would send \S+ messages on\b/i],
  ['almost none', 'nearly none of the'],
  ['fetch them twice', 'bring them twice'],
  ['no longer accepted', 'are not taken any more'],
  ['requires', 'wants 2-Step Verification', /\bwants (?:2-step|an? app password)/i],
  ['Telekom Kundencenter', 'customer centre of Telekom', /customer cent(?:re|er)/i],
  ['popfetch can only use it through a POP3 bridge', 'unless a bridge of yours'],
  ['with a different TLS mode', 'the TLS mode is another one'],
  ['is busy or under maintenance', 'is busy or being worked on', /\bbeing worked on\b/i],
  ['Created by popfetch', 'Made by popfetch init', /made by popfetch (?:init|import)/i],
  ['If that is what you want', 'If that is meant'],
  ['stopping here', 'unencrypted bytes: not going on', /: not going on\b/i],
  ['is not available', 'the password cannot be had: ', /cannot be had: /i],
  ['with OAuth', 'signs in by OAuth', /sign(?:s|ed|ing)? in by OAuth\b(?! 2)/i],
  ['someone is intercepting the connection', 'somebody is in between'],
  ['redirects us', 'it sends us elsewhere', /sends us elsewhere/i],
]

const HABITS: readonly Phrase[] = [
  ['effective, in effect', 'what is in force', /\bin force\b(?! again)/i],
  ['only one daemon can use a ledger', 'One process works on a ledger', /\bworks on (?:a|the|this) ledger\b/i],
  ['the daemon', 'the background process', /\bbackground process/i],
  ['again', 'asking for it anew', /\banew\b/i],
  ['forever, without end', 'waits for ever', /\bfor ever(?! longer)\b/i],
  ['is polling it', 'is at work on it', /\bat work on\b/i],
  ['is not available', 'a token is to be had', /\bbe had\b/i],
  ['give, use, choose', 'is no file: name another', /: name (?:one|another|it|the)\b/i],
  [
    'is not a',
    'it is no directory',
    /\b(?:it|this|that|which|\}) is no (?:file|directory|server|ledger|YAML|address|text|token|UTF)\b/i,
  ],
  ['is in', 'the password stands in a file', /(?<!standard )\bstands? (?:in|there|at|under|beside|behind)\b/i],
  ['even when', 'polls it, also when paused', /, also when\b/i],
  ['your own', "a client of one's own", /\bone’?'?s own\b/i],
  ['the waiting messages', 'counts what waits', /\bwhat (?:waits|becomes of|became of)\b/i],
  ['no longer', 'is not taken any more', /\bnot \w+ any more\b/i],
  ['correct, repair', 'the command that mends it', /\bmend(?:s|ed)?\b(?!\})/i],
  ['requires', 'the organisation wants a second factor', /\bwants (?:an?|the|to|its)\b/i],
  ['readable only by you', 'readable by you alone', /\bby you alone\b/i],
  ['this many, at most', 'has so many messages', /(?<!that )\bso many\b/i],
  ['anyway', 'write it all the same', /\ball the same\b/i],
  ['less and less', 'ever more seldom', /\bever more\b/i],
  ['held', 'a message that is kept back', /\bkept back\b/i],
  ['from cron, in the background', 'as cron has it', /\bas (?:cron|the daemon) has it\b/i],
]

function patternOf([, was, pattern]: Phrase): RegExp {
  return pattern ?? new RegExp(was.replace(/[$()*+./?[\\\]^{|}]/g, '\\$&'), 'i')
}

function found(texts: readonly (readonly [string, string])[], phrase: Phrase): readonly string[] {
  const pattern = patternOf(phrase)
  return texts.flatMap(([file, text]) => {
    const at = text.search(pattern)
    return at < 0 ? [] : [`${file}: …${text.slice(Math.max(0, at - 40), at + 80)}…`]
  })
}

describe.each([
  ['nowhere', PHRASES, everything],
  ['in no text for users', HABITS, said],
] as const)('%s', (_, phrases: readonly Phrase[], texts) => {
  test.each(phrases.map((phrase) => ({ instead: phrase[0], was: phrase[1], phrase })))(
    '$instead: not "$was"',
    ({ phrase }) => {
      expect(found(texts, phrase)).toEqual([])
    },
  )

  test.each(phrases.map((phrase) => ({ instead: phrase[0], was: phrase[1], phrase })))(
    '$instead: "$was" would be noticed',
    ({ was, phrase }) => {
      expect(found([['as it was', was]], phrase)).toHaveLength(1)
    },
  )
})

test('the texts of the program are read, and its comments are not taken for texts', () => {
  expect(saidBy("// stands in the way\nthrow new Error('a link is in the way')\n")).toBe('a link is in the way')
  expect(saidBy('const text = `${name}: cannot be read` // stands there\n')).toBe('${name}: cannot be read')
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
