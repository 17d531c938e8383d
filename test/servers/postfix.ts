// A private Postfix that accepts mail for one domain into Maildirs, and smtp-sink, which takes everything and counts or dumps
// it. Both on loopback, below a directory of their own. Postfix's master must be started by root: others go through sudo.
import { chmod, mkdir, readFile, readdir, writeFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import {
  debianMailUser,
  findProgram,
  freePort,
  greets,
  isRoot,
  runProgram,
  startProgram,
  temporaryDirectory,
} from './program.ts'

/** What `apt-get install` is to be given. */
export const postfixPackages = 'postfix'

export interface Sink extends AsyncDisposable {
  readonly port: number
  /** Messages taken so far. */
  count(): number
  /** Every message as received, LF line ends, without the fields that smtp-sink puts on top; needs `dump`. */
  messages(): Promise<readonly Buffer[]>
}

export async function startSink(options: { readonly dump: boolean; readonly parent?: string }): Promise<Sink> {
  await using stack = new AsyncDisposableStack()
  const program = await findProgram('smtp-sink', postfixPackages)
  const directory = stack.use(await temporaryDirectory(options.parent)).path
  const dumps = join(directory, 'dumps')
  await mkdir(dumps)
  await chmod(dumps, 0o777)
  const port = await freePort()
  const user = isRoot ? ['-u', 'nobody'] : []
  const dump = options.dump ? ['-d', join(dumps, '%M.')] : []
  const sink = stack.use(await startProgram(program, ['-c', ...user, ...dump, `127.0.0.1:${port}`, '256'], directory))
  await greets(port, '220', () => sink.output())
  const ending = stack.move()
  return {
    port,
    count: () => Number(/.*mesg=(\d+)/s.exec(sink.output())?.[1] ?? 0),
    async messages() {
      const names = (await readdir(dumps)).sort()
      return await Promise.all(names.map(async (name) => withoutSinkFields(await readFile(join(dumps, name)))))
    },
    [Symbol.asyncDispose]: () => ending.disposeAsync(),
  }
}

/** smtp-sink's own fields end with its three-line Received field; an empty line follows the message. */
function withoutSinkFields(dump: Buffer): Buffer {
  let at = dump.indexOf('\nReceived:') + 1
  for (let line = 0; line < 3; line++) at = dump.indexOf(10, at) + 1
  return dump.subarray(at, dump.length - 1)
}

export interface Postfix extends AsyncDisposable {
  readonly port: number
  /** The domain it accepts mail for, any local part; all goes into one Maildir. */
  readonly domain: string
  /** A message with this header field is refused for good, after its content. */
  readonly refusedField: string
  /** Messages as they lie in the Maildir. */
  delivered(): Promise<readonly Buffer[]>
  log(): Promise<string>
}

/** `local`: local(8) delivers, which looks for loops, and not virtual(8). */
export async function startPostfix(agent: 'virtual' | 'local' = 'virtual'): Promise<Postfix> {
  await using stack = new AsyncDisposableStack()
  const postfix = await findProgram('postfix', postfixPackages)
  const postconf = await findProgram('postconf', postfixPackages)
  const directory = stack.use(await temporaryDirectory()).path
  const root: Privilege = isRoot ? [] : [await findProgram('sudo', 'sudo (or run this as root)'), '-n']
  const at = (name: string): string => join(directory, name)
  const port = await freePort()
  const domain = 'destination.test'
  const refusedField = 'X-Refuse: yes'
  for (const part of ['etc', 'queue', 'state', 'mail']) await mkdir(at(part))
  const owner = isRoot ? debianMailUser : { uid: userInfo().uid, gid: userInfo().gid }
  await writeFile(at('etc/main.cf'), mainConfig(directory, domain, owner, agent))
  await writeFile(at('etc/aliases'), `inbox ${at('mail/inbox/')}\n`)
  await writeFile(at('etc/header_checks'), `/^${refusedField}$/ REJECT not wanted here\n`)
  await writeFile(at('etc/master.cf'), masterConfig(port))
  const asRoot = (...words: string[]): Promise<string> => runAs(root, words, directory)
  await asRoot('chown', 'postfix', at('state'))
  await asRoot('chown', agent === 'local' ? 'nobody' : `${owner.uid}:${owner.gid}`, at('mail'))
  await asRoot('chown', '-R', 'root', at('etc'), at('queue'))
  if (!isRoot) stack.defer(async () => void (await asRoot('rm', '-rf', ...['etc', 'queue', 'state', 'mail'].map(at))))
  await asRoot(postfix, '-c', at('etc'), 'check')
  const log = (): Promise<string> => readFile(at('mail.log'), 'utf8').catch(() => '')
  const master = join((await runProgram(postconf, ['-h', 'daemon_directory'], directory)).trim(), 'master')
  const [command, ...rest] = [...root, master, '-c', at('etc'), '-s']
  const running = stack.use(await startProgram(command ?? master, rest, directory))
  await Promise.race([
    greets(port, '220', () => running.output()),
    running.exited.then(async (code) => {
      throw new Error(`postfix ended with ${code}: ${running.output()}${await log()}`)
    }),
  ])
  const ending = stack.move()
  return {
    port,
    domain,
    refusedField,
    log,
    async delivered() {
      const list = at('mail/inbox/new')
      const names = (await readdir(list).catch((): string[] => [])).sort()
      return await Promise.all(names.map((name) => readFile(join(list, name))))
    },
    [Symbol.asyncDispose]: () => ending.disposeAsync(),
  }
}

type Privilege = readonly string[]
type Owner = { readonly uid: number; readonly gid: number }

function runAs(privilege: Privilege, words: readonly string[], directory: string): Promise<string> {
  const [command = '', ...args] = [...privilege, ...words]
  return runProgram(command, args, directory)
}

function mainConfig(directory: string, domain: string, owner: Owner, agent: 'virtual' | 'local'): string {
  return `compatibility_level = 3.6
queue_directory = ${directory}/queue
data_directory = ${directory}/state
mail_owner = postfix
setgid_group = postdrop
myhostname = postfix.test
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
mydestination = ${agent === 'local' ? domain : ''}
alias_maps = ${agent === 'local' ? `texthash:${directory}/etc/aliases` : ''}
alias_database =
default_privs = nobody
local_recipient_maps =
virtual_mailbox_domains = ${agent === 'virtual' ? domain : ''}
virtual_mailbox_base = ${directory}/mail
virtual_mailbox_maps = static:inbox/
virtual_uid_maps = static:${owner.uid}
virtual_gid_maps = static:${owner.gid}
virtual_minimum_uid = 1
header_checks = regexp:${directory}/etc/header_checks
mailbox_size_limit = 0
virtual_mailbox_limit = 0
message_size_limit = 0
default_transport = error:this server sends nothing on
local_header_rewrite_clients =
smtpd_relay_restrictions = reject_unauth_destination
in_flow_delay = 0
maillog_file = ${directory}/mail.log
maillog_file_prefixes = /
`
}

function masterConfig(port: number): string {
  const rows = [
    `127.0.0.1:${port} inet n - n - - smtpd`,
    'cleanup unix n - n - 0 cleanup',
    'qmgr unix n - n 300 1 qmgr',
    'rewrite unix - - n - - trivial-rewrite',
    'bounce unix - - n - 0 bounce',
    'defer unix - - n - 0 bounce',
    'trace unix - - n - 0 bounce',
    'flush unix n - n 1000? 0 flush',
    'proxymap unix - - n - - proxymap',
    'error unix - - n - - error',
    'retry unix - - n - - error',
    'virtual unix - n n - - virtual',
    'local unix - n n - - local',
    'anvil unix - - n - 1 anvil',
    'tlsmgr unix - - n 1000? 1 tlsmgr',
    'postlog unix-dgram n - n - 1 postlogd',
  ]
  return `${rows.join('\n')}\n`
}
