// What `popfetch init` may be told: answers, given before they are asked for. Whether an answer is right, the questions
// and the schema of the configuration decide later.
import type { WayKind } from '../../../setup/inbox-ways.ts'
import type { Command } from '../../command.ts'
import { PASSWORD, passwordPlace, type CommonOptions, type PasswordPlace } from '../../common-options.ts'
import { choice, file, flag, text } from '../../option.ts'
import { usageError } from '../../command-errors.ts'

const TLS = ['implicit', 'starttls', 'none'] as const

const WAYS = ['imap', 'api', 'smtp'] as const

const ANSWERS = {
  address: text('Mail address of the mailbox'),
  host: text('POP3 server (default: looked up from the address)'),
  port: text('Port of the server'),
  tls: choice(TLS, 'implicit, starttls or none'),
  user: text('User name to sign in with'),
  ca: file('Trust this authority (PEM) for the server'),
  pin: text('Trust only the certificate with this SHA-256; several with commas between', 'SHA-256'),
  'client-id': text('Sign in with OAuth 2.0 under this client, instead of a password'),
  'client-secret-file': file('Read the secret of the client from this file; many clients have none'),
  'token-command': text('Read an OAuth 2.0 access token from the output of this command'),
  deliver: text(
    'Where mail goes: the address of another mailbox, maildir:PATH, mbox:PATH, imaps://user@host, smtp://host?to=ADDRESS, lmtp:SOCKET?to=NAME',
  ),
  way: choice(WAYS, 'How to reach that mailbox: imap, api (Gmail) or smtp'),
  'to-host': text('The IMAP server of that mailbox, or the server that sends for you'),
  'to-client-id': text('Sign in to it with OAuth 2.0 under this client'),
  'to-client-secret-file': file('Read the secret of that client from this file'),
  'to-password-env': text('Read its password from this environment variable', 'NAME'),
  'to-password-file': file('Read its password from this file'),
  'to-password-command': text('Read its password from the output of this command'),
  'delete-policy': text('never, after-delivery or an age such as 30d'),
  first: text('What the first poll fetches: all, new, last:N or since:DATE'),
  name: text('Name of the account'),
  untested: flag('Do not try to sign in'),
  ...PASSWORD,
  output: file('Write the configuration to this file; - prints it, without passwords'),
  yes: flag('Accept the defaults, and write the file without asking'),
  cron: flag('Only print a line for crontab'),
  systemd: flag('Only print a systemd unit'),
} as const

/** Null: not answered yet. */
export interface InitRequest {
  readonly address: string | null
  readonly host: string | null
  readonly port: number | null
  readonly tls: (typeof TLS)[number] | null
  readonly user: string | null
  readonly ca: string | null
  readonly pin: readonly string[] | null
  readonly password: PasswordPlace | null
  readonly tokenCommand: string | null
  /** The client by which to sign in at the provider. */
  readonly clientId: string | null
  readonly clientSecretFile: string | null
  readonly deliver: string | null
  readonly way: WayKind | null
  readonly toHost: string | null
  readonly toClientId: string | null
  readonly toClientSecretFile: string | null
  readonly toPassword: PasswordPlace | null
  readonly deletePolicy: string | null
  readonly first: string | null
  readonly name: string | null
  /** Print these, and do nothing else. */
  readonly cron: boolean
  readonly systemd: boolean
  readonly untested: boolean
  readonly yes: boolean
  readonly output: string | null
}

export type InitInvocation = CommonOptions & InitRequest

export const command: Command<InitRequest> = {
  usage: '',
  describe: 'Set up an account by question and answer',
  options: [{ heading: 'Options for init:', options: ANSWERS }],
  examples: [
    ['popfetch init', 'Set up with questions; later, add an account or a destination'],
    [
      'popfetch init --address bob@example.org --password-file pw --deliver maildir:~/Mail --yes',
      'Set up without questions',
    ],
    ['popfetch init --address bob@example.org --deliver bob@gmail.com', 'Deliver to Gmail; shows the ways to do it'],
    ['popfetch init --cron', 'Print a line for crontab'],
  ],
  exits: [0, 64, 73, 74, 75, 76, 77, 78],
  notes: `Asks for anything not given as an option. Signs in to the mailbox and tries the
destination, shows the file and writes it. The server is looked up in the DNS,
at the autoconfig pages of the domain, in a table of providers and by its MX
records; failing that, the usual names are tried. A typed password is kept in its
own file. init adds to an existing configuration and keeps everything in it.
--yes writes without asking.`,
  completes: { words: [], accounts: false },
  request(given) {
    const answers = given.options(ANSWERS)
    const { 'client-id': clientId, 'client-secret-file': clientSecretFile } = answers
    const { 'token-command': tokenCommand, 'delete-policy': deletePolicy, address, host, tls, user, output } = answers
    if (output === '-') throw usageError('init writes a file: give it with --output FILE')
    const port = portOf(answers.port)
    const password = passwordPlace(answers)
    if (password !== null && tokenCommand !== null) throw usageError('--token-command takes the place of a password')
    if (clientId !== null && (password !== null || tokenCommand !== null)) {
      throw usageError('--client-id takes the place of a password and of --token-command')
    }
    if (clientSecretFile !== null && clientId === null) throw usageError('--client-secret-file needs --client-id')
    const { deliver, way, first, name, untested, yes, ca, pin, cron, systemd } = answers
    const toPassword = passwordPlace(
      {
        'password-env': answers['to-password-env'],
        'password-file': answers['to-password-file'],
        'password-command': answers['to-password-command'],
      },
      'to-',
    )
    return {
      address,
      host,
      port,
      tls,
      user,
      ca,
      pin: pin?.split(',').map((one) => one.trim().replaceAll(':', '').toLowerCase()) ?? null,
      cron,
      systemd,
      password,
      tokenCommand,
      clientId,
      clientSecretFile,
      deliver,
      way,
      toHost: answers['to-host'],
      toClientId: answers['to-client-id'],
      toClientSecretFile: answers['to-client-secret-file'],
      toPassword,
      deletePolicy,
      first,
      name,
      untested,
      yes,
      output,
    }
  },
}

function portOf(written: string | null): number | null {
  if (written === null) return null
  const port = Number(written)
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port
  throw usageError('--port must be a whole number from 1 to 65535')
}
