// `npm run demo`: shows popfetch at work, with a mail server of its own on this computer and sample mail from examples/mail.
// Whatever it makes is in one new temporary directory; nothing else is read or written, nothing leaves the machine.
import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Pop3Server, type Mailbox } from './pop3-server.ts'

const root = join(import.meta.dirname, '..', '..')
const samples = join(root, 'examples', 'mail')
const program = join(root, 'bin', 'popfetch.ts')

/** Which sample goes into whose mailbox, by the names of the files. */
const MAIL: Readonly<Record<string, readonly string[]>> = {
  alice: ['01-plain', '02-attachments', '03-encoded-words', '09-bounce', '12-signed'],
  bob: ['02-attachments', '04-utf8-header', '05-latin1', '06-dots', '10-invitation'],
  carol: ['07-mailing-list', '08-html', '11-long-line'],
}
const LARGE_BYTES = 5_000_000
/** About 1.5 MB/s: the large message takes a few seconds, so that there is something to see. */
const PACE = { chunkBytes: 32 * 1024, pauseMs: 20 }

function say(...lines: readonly string[]): void {
  process.stdout.write(`${lines.join('\n')}\n`)
}

/** Sample files have LF line ends; on the wire they are CRLF. latin1 keeps every byte. */
async function fill(mailbox: Mailbox, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const text = await readFile(join(samples, `${name}.eml`), 'latin1')
    mailbox.add(Buffer.from(text.replaceAll('\n', '\r\n'), 'latin1'))
  }
}

function configuration(port: number): string {
  const account = (name: string): string => `  ${name}:
    host: 127.0.0.1
    port: ${port}
    tls: none                # only because the server is on this computer
    user: ${name}
    password: secret
    deliver: inbox
`
  return `# The configuration of the popfetch demo.
accounts:
${Object.keys(MAIL).map(account).join('')}
destinations:
  inbox:
    type: maildir
    path: mail/{account}     # beside this file, a folder for each account

state: state.db              # what was delivered is remembered here
`
}

/** Resolves with the exit code, or 128 and the signal as a shell counts it. */
async function popfetch(file: string): Promise<number> {
  say('', `$ popfetch --config ${file}`)
  const child = spawn(process.execPath, [program, '--config', file], { stdio: 'inherit' })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : 143)))
  })
}

async function count(maildir: string): Promise<number> {
  const folders = await Promise.all(['new', 'cur'].map((name) => readdir(join(maildir, name)).catch(() => [])))
  return folders.flat().length
}

async function countAll(mail: string): Promise<number[]> {
  return Promise.all(Object.keys(MAIL).map((name) => count(join(mail, name))))
}

async function show(directory: string): Promise<number> {
  await using server = await Pop3Server.start()
  for (const [name, names] of Object.entries(MAIL)) await fill(server.mailbox(name), names)
  const header =
    'From: Carol <carol@example.net>\nTo: carol@example.net\nSubject: The whole film, five megabytes\nMessage-ID: <film@example.net>'
  server.mailbox('carol').add({ sizeBytes: LARGE_BYTES, header })
  if (process.stderr.isTTY) server.faults.pace = PACE

  const file = join(directory, 'config.yaml')
  const mail = join(directory, 'mail')
  await mkdir(mail, { mode: 0o700 })
  await writeFile(file, configuration(server.port), { mode: 0o600 })

  const waiting = [...server.mailboxes.values()].map(({ user, messages }) => `${user} ${messages.length}`)
  say('A mail server for this demo runs on this computer. Waiting there:', `  ${waiting.join(', ')} messages`)
  const code = await popfetch(file)
  if (code !== 0) return code

  const counts = await countAll(mail)
  say('', 'All of it is here now, one file a message:')
  for (const [index, name] of Object.keys(MAIL).entries())
    say(`  ${name.padEnd(6)} ${counts[index]}  ${join(mail, name, 'new')}`)

  server.faults.pace = null
  say('', 'The mail is still on the server too. Again, to see that nothing comes twice:')
  const again = await popfetch(file)
  if (again !== 0) return again
  const total = (numbers: readonly number[]): number => numbers.reduce((sum, n) => sum + n, 0)
  const after = await countAll(mail)
  if (total(after) !== total(counts))
    throw new Error(`${total(after)} files where ${total(counts)} were: please report this`)
  say('', `Messages before: ${total(counts)}. After: ${total(after)}.`)
  say('', 'To look at it:')
  say(`  less ${join(mail, 'alice', 'new')}/*`, `  less ${file}`)
  say('To remove it:', `  rm -r ${directory}`)
  return 0
}

const directory = await mkdtemp(join(tmpdir(), 'popfetch-demo-'))
// Ctrl-C ends popfetch, which reports it; the demo then tidies up.
process.on('SIGINT', () => {})
const code = await show(directory)
if (code !== 0) {
  say('', `popfetch ended with code ${code}; the demo stops here and removes what it made.`)
  await rm(directory, { recursive: true, force: true })
}
process.exitCode = code
