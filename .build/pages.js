// Writes what people and editors read beside the program, from the tables that help and validation use:
//   node .build/pages.js DIST             DIST/config.schema.json, DIST/man/popfetch.1, DIST/man/popfetch.yaml.5
//   node .build/pages.js DIST EXAMPLES    EXAMPLES/reference.md as well
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EXITS, USUAL_EXITS, written } from '../src/cli/arguments/help.ts'
import { COMMANDS } from '../src/cli/commands/commands.ts'
import { COMMON } from '../src/cli/common-options.ts'
import { loadVocabulary } from '../src/cli/vocabulary.ts'
import { jsonSchema } from '../src/config/reference/json-schema.ts'
import { reference } from '../src/config/reference/keys.ts'

const root = join(import.meta.dirname, '..')
const [dist = 'dist', examples] = process.argv.slice(2)
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

/** What the values of many keys have in common. */
const VALUES = [
  ['Durations', '90s, 5m, 12h or 30d.'],
  ['Sizes', '500KB, 50MB or 1GB. A bare number is neither a size nor a duration.'],
  ['Paths', 'Relative to the configuration file; ~ is your home directory.'],
  [
    'Secrets',
    'Text, { env: NAME }, { file: PATH }, { command: COMMAND } (a string for sh -c, or a list that is run without a shell) or { credential: NAME } (systemd). They are read just before each sign-in. A file with a secret in it must be readable only by you.',
  ],
  [
    'Placeholders',
    '{account} is the name of the account. {recipient}, {local} and {domain} say whose mail it is, where the account has recipient.',
  ],
  [
    'Destination URLs',
    'maildir:PATH, mbox:PATH, smtp://[user@]host[:port]?to=ADDRESS, smtps://…, lmtp:SOCKET?to=USER, imaps://user@host[:port][/FOLDER] or imap://… may stand for a destination. A URL holds no password.',
  ],
  ['Patterns', '* stands for any text. Case does not matter, and the pattern must match the whole text.'],
]

const ENVIRONMENT = [
  ['POPFETCH_CONFIG', 'The configuration file, unless --config names one.'],
  ['POPFETCH_CONFIG_YAML', 'The configuration itself, as text, where neither --config nor POPFETCH_CONFIG names a file. Paths in it are absolute.'],
  ['XDG_CONFIG_HOME', 'Where popfetch/config.yaml is looked for; ~/.config if not set.'],
  ['XDG_STATE_HOME', 'Where popfetch/state.db, the ledger, is kept; ~/.local/state if not set.'],
  ['STATE_DIRECTORY', 'Set by systemd: the folder of the ledger.'],
  ['CREDENTIALS_DIRECTORY', 'Set by systemd: the folder for passwords given as { credential: NAME }.'],
  ['POPFETCH_CONTAINER', 'Set to 1 in a container, or where every file shows mode 0777: owner and mode of files are not checked.'],
  ['PUID, PGID, UMASK', 'In a container that starts as root: the user and group that popfetch becomes, and who else may read mail.'],
  ['HTTPS_PROXY, NO_PROXY', 'The proxy for requests to OAuth 2.0 providers.'],
  ['NO_COLOR', 'If set, the output has no colours.'],
]

const FILES = [
  ['~/.config/popfetch/config.yaml', 'The configuration; see popfetch.yaml(5).'],
  ['/etc/popfetch/config.yaml', 'The configuration if there is none in the home directory.'],
  ['~/.local/state/popfetch/state.db', 'The ledger: what was delivered. Keep it.'],
  ['~/.local/state/popfetch/popfetch.log', 'The log of the daemon, unless log.file names another.'],
]

const EXAMPLE = `accounts:
  old-isp:
    host: pop.example.net
    user: alice
    password: { command: pass show mail/old-isp }
    deliver: inbox
    delete: 30d
destinations:
  inbox: { type: maildir, path: ~/Mail }`

const { commands } = await loadVocabulary(COMMANDS)
mkdirSync(join(dist, 'man'), { recursive: true })
writeFileSync(join(dist, 'config.schema.json'), `${JSON.stringify(jsonSchema(), null, 2)}\n`)
writeFileSync(join(dist, 'man/popfetch.1'), manual())
writeFileSync(join(dist, 'man/popfetch.yaml.5'), fileManual())
if (examples !== undefined) writeFileSync(join(examples, 'reference.md'), page())

/** popfetch(1). */
function manual() {
  const { poll, ...others } = Object.fromEntries(commands)
  return [
    title('POPFETCH', 1),
    section('NAME', ['popfetch \\- fetch mail from POP3 mailboxes and deliver each message exactly once']),
    section('SYNOPSIS', [`.B popfetch`, roff(`[option...] ${poll.usage}`), '.br', '.B popfetch', roff('COMMAND [option...] [argument...]')]),
    section('DESCRIPTION', [
      ...text('popfetch polls POP3 mailboxes, many at once, and hands each new message to a Maildir, an SMTP or LMTP server, a folder of an IMAP server, Gmail, a program or an mbox. It records what it has delivered, and deletes messages from the server only when told to, and only after every destination has them.'),
      '.PP',
      ...text('Run it from cron, in the background with --daemon, or once to move a mailbox with migrate. Without a terminal it prints nothing unless something goes wrong.'),
      '.PP',
      ...text('The configuration is described in popfetch.yaml(5). popfetch init writes the first one.'),
    ]),
    section('OPTIONS', [...poll.options.flatMap(groupOf), '.SS Options of every command', ...optionsOf(COMMON)]),
    section('COMMANDS', Object.entries(others).flatMap(([name, command]) => commandOf(name, command))),
    section('EXIT STATUS', [
      ...Object.entries(EXITS).flatMap(([code, means]) => item(code, means)),
      '.PP',
      ...text('When accounts fail differently, the most serious code counts: 78, 77, 76, 74, 73, 70, 75. A poll that is ended by a signal exits with 128 and the number of the signal.'),
    ]),
    section('ENVIRONMENT', ENVIRONMENT.flatMap(([name, means]) => item(name, means))),
    section('FILES', FILES.flatMap(([name, means]) => item(name, means))),
    section('EXAMPLES', examplesOf(poll)),
    section('SEE ALSO', ['.BR popfetch.yaml (5),', '.BR crontab (5),', '.BR systemd.timer (5)']),
  ].join('')
}

function commandOf(name, { usage, describe, options, examples: lines, exits = USUAL_EXITS, notes }) {
  return [
    `.SS ${roff(`popfetch ${name} ${usage}`.trim())}`,
    ...text(`${describe}.`),
    ...options.flatMap(({ options: table }) => optionsOf(table)),
    ...notes.split('\n\n').flatMap(paragraph),
    ...examplesOf({ examples: lines }, '.PP'),
    '.PP',
    ...text(`Exit codes: ${exits.map((code) => `${code} (${EXITS[code]})`).join(', ')}.`),
  ]
}

/** What is indented stays as it is, a list or a table. */
function paragraph(lines) {
  if (lines === '') return []
  if (lines.startsWith(' ')) return ['.PP', '.nf', ...lines.split('\n').map((line) => roff(line.slice(2))), '.fi']
  return ['.PP', ...text(lines.replaceAll('\n', ' '))]
}

function groupOf({ heading, options }) {
  return [`.SS ${roff(heading.replace(/:$/, ''))}`, ...optionsOf(options)]
}

function optionsOf(table) {
  return Object.entries(table).flatMap(([name, option]) => item(written(name, option), `${option.describe}.`))
}

function examplesOf({ examples: lines }, before = '') {
  return lines.flatMap(([line, does], at) => [
    ...(at === 0 && before !== '' ? [before, 'Examples:'] : []),
    ...item(line.replace('$0', 'popfetch'), `${does}.`),
  ])
}

/** popfetch.yaml(5). */
function fileManual() {
  return [
    title('POPFETCH.YAML', 5),
    section('NAME', ['popfetch.yaml \\- configuration of popfetch']),
    section('DESCRIPTION', [
      ...text('The configuration is YAML 1.2 or JSON. It is read from the file that --config names, else from the file that $POPFETCH_CONFIG names, else from the text in $POPFETCH_CONFIG_YAML, else from the first of these that exists:'),
      '.PP',
      '.nf',
      ...['$XDG_CONFIG_HOME/popfetch/config.{yaml,yml,json}', '/etc/popfetch/config.{yaml,yml,json}'].map(roff),
      '.fi',
      '.PP',
      ...text('popfetch config check finds all mistakes at once, with file, line and what was expected. popfetch config reference KEY explains one key on the terminal. A file with a password in it must be readable only by you.'),
      '.PP',
      ...text('Below, NAME stands for a name that you choose, and [] for each item of a list. Keys of an account may also be under defaults, for all accounts. Keys that begin with x- are yours, for YAML anchors.'),
    ]),
    section('EXAMPLE', ['.nf', ...EXAMPLE.split('\n').map(roff), '.fi']),
    section('VALUES', VALUES.flatMap(([name, means]) => item(name, means))),
    ...reference().map(({ title: heading, keys }) => section(heading.toUpperCase(), keys.flatMap(keyItem))),
    section('SEE ALSO', ['.BR popfetch (1)']),
  ].join('')
}

function keyItem(key) {
  return item(key.path, `${key.description}. Values: ${detailsOf(key)}.`)
}

function detailsOf({ values, usual, required }) {
  const notes = [...(required ? ['required'] : []), ...(usual === null ? [] : [`default: ${usual}`])]
  return `${values}${notes.length === 0 ? '' : ` (${notes.join(', ')})`}`
}

// Manual pages: the macros of man(7), which both groff and mandoc know.

function title(name, number) {
  const date = process.env['SOURCE_DATE_EPOCH']
  const day = new Date(date === undefined ? releasedMs() : Number(date) * 1000).toISOString().slice(0, 10)
  return `.TH ${name} ${number} ${day} "popfetch ${version}" "${number === 1 ? 'User Commands' : 'File Formats'}"\n`
}

/** The last commit says when these pages were true; outside of a checkout, today. */
function releasedMs() {
  try {
    const quiet = { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }
    return Number(execFileSync('git', ['log', '-1', '--format=%ct'], quiet)) * 1000 || Date.now()
  } catch {
    return Date.now()
  }
}

function section(heading, lines) {
  return `.SH ${roff(heading)}\n${lines.join('\n')}\n`
}

function item(term, means) {
  return ['.TP', `.B ${roff(term)}`, ...text(means)]
}

/** A sentence on lines of its own, as man pages are written; no line of more than 78 characters. */
function text(words) {
  return words.split(/(?<=[.?!]) (?=[A-Z{])/).flatMap((sentence) => {
    const lines = ['']
    for (const word of sentence.split(' ')) {
      const line = lines.at(-1)
      if (line !== '' && line.length + word.length > 70) lines.push(word)
      else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`
    }
    return lines.map(roff)
  })
}

/** Plain text so that no program takes a piece of it for a command, a hyphen or a quote of its own. */
function roff(line) {
  const escaped = line
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('’', '\\(cq')
    .replaceAll("'", '\\(aq')
    .replaceAll('…', '...')
    .replaceAll('"', '\\(dq')
    .replace(/^\./, '\\&.')
  const foreign = /[^\x20-\x7e]/.exec(escaped)
  if (foreign !== null) throw new Error(`a manual page cannot show ${foreign[0]} of: ${line}`)
  return escaped
}

/** The page of all keys in examples/. */
function page() {
  const cell = (words) => words.replaceAll('|', '\\|')
  const code = (words) => (words === null ? '' : `\`${words}\``)
  return [
    '# Every key of the configuration',
    '',
    'Made by `npm run reference` from the schema that popfetch checks a file with. On a terminal: `popfetch config reference KEY`.',
    'NAME stands for a name that you choose, `[]` for each item of a list. Keys of an account may also be under `defaults`, for all',
    'accounts. Keys that begin with `x-` are yours, for YAML anchors.',
    '',
    '## Values',
    '',
    ...VALUES.map(([name, means]) => `- **${name}**: ${means.replaceAll('*', '\\*')}`),
    ...reference().flatMap(({ title: heading, keys }) => [
      '',
      `## ${heading}`,
      '',
      '| key | values | default | meaning |',
      '| --- | --- | --- | --- |',
      ...keys.map(({ path, values, usual, required, description }) => {
        const short = path.replace(/^(?:accounts|destinations|oauth)\.NAME\./, '')
        return `| \`${short}\` | ${cell(values)} | ${required ? '**required**' : code(usual)} | ${cell(description)} |`
      }),
    ]),
    '',
  ].join('\n')
}
