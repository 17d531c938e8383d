// How each client is told to do a job: its configuration files and its command line. Every client keeps mail on the server,
// remembers what it has seen, and delivers in its usual durable way; none is helped, none is hindered.
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { debianMailUser, isRoot, runProgram } from '../servers/program.ts'
import type { Command } from './measure.ts'

export type Destination =
  | { readonly kind: 'maildir'; readonly path: string }
  | { readonly kind: 'smtp'; readonly port: number }
  /** The INBOX of this user, with the password of the mailboxes. */
  | { readonly kind: 'imap'; readonly port: number; readonly user: string }

/** Mailboxes to be fetched, and where to. */
export interface Job {
  readonly users: readonly string[]
  readonly password: string
  readonly port: number
  /** The CA of the server's certificate; null: no TLS. */
  readonly caFile: string | null
  readonly destination: Destination
  /** Configuration and record of seen messages; empty at first. */
  readonly directory: string
  /** The client's own, over all its runs. */
  readonly home: string
}

export interface Client {
  readonly name: string
  /** The program that must be installed, and its Debian package; null: this project's own build. */
  readonly needs: { readonly program: string; readonly packageName: string } | null
  readonly delivers: readonly Destination['kind'][]
  /** Below that it has nothing to do that another here does not. */
  readonly leastMailboxes: number
  /** Writes the configuration; the command does the job. */
  configure(job: Job): Promise<Command>
}

/** What is measured: the start file of a build. */
export const startFile = resolve(process.env['POPFETCH'] ?? join(import.meta.dirname, '../../dist/popfetch.js'))

export function popfetchCommand(directory: string, ...args: string[]): Command {
  return { program: process.execPath, args: [startFile, ...args], directory, success: [0] }
}

export const popfetch: Client = {
  name: 'popfetch',
  needs: null,
  delivers: ['maildir', 'smtp', 'imap'],
  leastMailboxes: 1,
  async configure(job) {
    const { directory } = job
    const account = (user: string): object => ({
      host: 'localhost',
      port: job.port,
      ...(job.caFile === null ? { tls: 'none' } : { ca: job.caFile }),
      user,
      password: job.password,
      deliver: 'there',
      first: 'all',
    })
    const there = popfetchDestination(job)
    await secret(
      directory,
      'config.json',
      JSON.stringify({
        accounts: Object.fromEntries(job.users.map((user) => [user, account(user)])),
        destinations: { there },
      }),
    )
    return popfetchCommand(
      directory,
      '--config',
      join(directory, 'config.json'),
      '--state',
      join(directory, 'state.db'),
    )
  },
}

function popfetchDestination({ destination, password }: Job): object {
  switch (destination.kind) {
    case 'maildir':
      return { type: 'maildir', path: destination.path }
    case 'smtp':
      return { type: 'smtp', host: '127.0.0.1', port: destination.port, to: 'someone@destination.test' }
    case 'imap': {
      const { port, user } = destination
      return { type: 'imap', host: '127.0.0.1', port, user, password }
    }
  }
}

const mpop: Client = {
  name: 'mpop',
  needs: { program: 'mpop', packageName: 'mpop' },
  delivers: ['maildir'],
  leastMailboxes: 1,
  async configure(job) {
    await secret(job.directory, 'mpoprc', mpopConfig(job, job.users))
    return {
      program: 'mpop',
      args: ['-C', join(job.directory, 'mpoprc'), '-Q', '-a'],
      directory: job.directory,
      success: [0],
    }
  },
}

/** mpop takes accounts one after the other: this is what somebody with many accounts would do about it. */
const mpopsAtOnce: Client = {
  ...mpop,
  name: 'mpops-at-once',
  leastMailboxes: 2,
  async configure(job) {
    for (const user of job.users) await secret(job.directory, `mpoprc.${user}`, mpopConfig(job, [user]))
    const script = 'for f in mpoprc.*; do mpop -C "$PWD/$f" -Q -a & done; wait'
    return { program: 'sh', args: ['-c', script], directory: job.directory, success: [0] }
  },
}

function mpopConfig(job: Job, users: readonly string[]): string {
  const tls = job.caFile === null ? ['tls off'] : ['tls on', 'tls_starttls off', `tls_trust_file ${job.caFile}`]
  const lines = users.flatMap((user) => [
    `account ${user}`,
    'host localhost',
    `port ${job.port}`,
    `user ${user}`,
    `password ${job.password}`,
    'auth plain',
    'keep on',
    `uidls_file ${join(job.directory, `uidls.${user}`)}`,
    `delivery maildir ${maildirOf(job)}`,
    ...tls,
  ])
  return `${lines.join('\n')}\n`
}

const fdm: Client = {
  name: 'fdm',
  needs: { program: 'fdm', packageName: 'fdm' },
  delivers: ['maildir', 'smtp', 'imap'],
  leastMailboxes: 1,
  async configure(job) {
    const { directory } = job
    const kind = job.caFile === null ? 'pop3' : 'pop3s'
    const action = fdmAction(job)
    const accounts = job.users.map(
      (user) =>
        `account "${user}" ${kind} server "localhost" port ${job.port} user "${user}" pass "${job.password}" ` +
        `new-only cache "${join(directory, `cache.${user}`)}" ${job.caFile === null ? '' : 'no-verify '}keep`,
    )
    const lines = [
      'set default-user "root"',
      'set maximum-size 1G',
      `action "there" ${action}`,
      ...accounts,
      'match all action "there"',
    ]
    // Started by root, fdm fetches as a user of its own, who writes the record of seen messages here.
    if (isRoot) await chmod(directory, 0o777)
    await secret(directory, 'fdm.conf', `${lines.join('\n')}\n`)
    return { program: 'fdm', args: ['-q', '-f', join(directory, 'fdm.conf'), 'fetch'], directory, success: [0] }
  },
}

function fdmAction({ destination, password }: Job): string {
  switch (destination.kind) {
    case 'maildir':
      return `maildir "${destination.path}"`
    case 'smtp':
      return `smtp server "127.0.0.1" port ${destination.port} from "a@source.test" to "someone@destination.test"`
    case 'imap': {
      const { port, user } = destination
      return `imap server "127.0.0.1" port ${port} user "${user}" pass "${password}" folder "INBOX"`
    }
  }
}

const getmail6: Client = {
  name: 'getmail6',
  needs: { program: 'getmail', packageName: 'getmail6' },
  delivers: ['maildir'],
  leastMailboxes: 1,
  async configure(job) {
    const { directory } = job
    for (const user of job.users) {
      const lines = [
        '[retriever]',
        `type = ${job.caFile === null ? 'SimplePOP3Retriever' : 'SimplePOP3SSLRetriever'}`,
        'server = localhost',
        `port = ${job.port}`,
        `username = ${user}`,
        `password = ${job.password}`,
        ...(job.caFile === null ? [] : [`ca_certs = ${job.caFile}`]),
        '[destination]',
        'type = Maildir',
        `path = ${maildirOf(job)}/`,
        '[options]',
        'read_all = false',
        'delete = false',
        'verbose = 0',
      ]
      await secret(directory, `getmailrc.${user}`, `${lines.join('\n')}\n`)
    }
    const args = ['--getmaildir', directory, ...job.users.flatMap((user) => ['--rcfile', `getmailrc.${user}`])]
    if (!isRoot) return { program: 'getmail', args, directory, success: [0] }
    // It refuses to deliver as root.
    const { uid, gid } = debianMailUser
    await runProgram('chown', ['-R', `${uid}:${gid}`, directory, job.home], directory)
    const asOther = [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', 'getmail']
    return { program: 'setpriv', args: [...asOther, ...args], directory, success: [0] }
  },
}

const fetchmail: Client = {
  name: 'fetchmail',
  needs: { program: 'fetchmail', packageName: 'fetchmail' },
  // It hands mail to the local mail server; that is how it is used.
  delivers: ['smtp'],
  leastMailboxes: 1,
  async configure(job) {
    const { destination, directory } = job
    if (destination.kind !== 'smtp') throw new Error('fetchmail delivers over SMTP only')
    const polls = job.users.map(
      (user) =>
        `poll localhost protocol POP3 port ${job.port} uidl user "${user}" password "${job.password}" is "someone" here ` +
        `smtphost "127.0.0.1/${destination.port}" keep ` +
        (job.caFile === null ? `sslproto ""` : `ssl sslcertfile "${job.caFile}"`),
    )
    await secret(directory, 'fetchmailrc', `${polls.join('\n')}\n`)
    // 1: there was no new mail.
    const success = [0, 1]
    const files = ['--idfile', join(directory, 'ids'), '--pidfile', join(directory, 'pid')]
    return {
      program: 'fetchmail',
      args: ['-s', '--nosyslog', '-f', join(directory, 'fetchmailrc'), ...files],
      directory,
      success,
    }
  },
}

export const clients: readonly Client[] = [popfetch, mpop, mpopsAtOnce, fdm, getmail6, fetchmail]

function maildirOf(job: Job): string {
  if (job.destination.kind !== 'maildir') throw new Error('this client delivers to a Maildir only')
  return job.destination.path
}

/** mpop and getmail want a Maildir that exists. */
export async function makeMaildir(path: string): Promise<void> {
  for (const part of ['cur', 'new', 'tmp']) await mkdir(join(path, part), { recursive: true })
}

async function secret(directory: string, name: string, text: string): Promise<void> {
  await writeFile(join(directory, name), text, { mode: 0o600 })
}
