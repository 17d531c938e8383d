// `popfetch auth` as a person uses it: what it prints is done, in a browser without a screen.
import { spawn } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { Visitor } from '../support/authorization-server.ts'
import type { Desk } from './popfetch.ts'

export const START = resolve(process.env['POPFETCH'] ?? join(import.meta.dirname, '../../bin/popfetch.ts'))

export interface SignedIn {
  readonly exitCode: number | null
  readonly said: string
}

/** Runs `popfetch auth WORDS`, and visits what it prints as `login`. */
export async function signIn(
  desk: Pick<Desk, 'directory'> & { readonly state?: string },
  login: string,
  words: readonly string[] = [],
  program: { readonly before: readonly string[]; readonly env: Readonly<Record<string, string>> } = {
    before: [],
    env: {},
  },
): Promise<SignedIn> {
  const files = [
    '--config',
    join(desk.directory, 'config.json'),
    '--state',
    desk.state ?? join(desk.directory, 'state.db'),
  ]
  const child = spawn(process.execPath, [...program.before, START, 'auth', ...words, ...files], {
    cwd: desk.directory,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], HOME: join(desk.directory, 'home'), ...program.env },
  })
  let said = ''
  const visits: Promise<unknown>[] = []
  child.stdout.resume()
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    said += chunk
    const address = /^http.*$/m.exec(said)?.[0]
    const code = /^code: (.*)\n/m.exec(said)?.[1]
    const isReady = code !== undefined || /^ssh .*\n/m.test(said)
    if (address === undefined || !isReady || visits.length > 0) return
    visits.push(new Visitor(login).open(address, code === undefined ? {} : { code }))
  })
  const exitCode = await new Promise<number | null>((done) => void child.once('close', done))
  await Promise.all(visits)
  return { exitCode, said }
}

/** What of a kept sign-in the tests look at. */
export interface Kept {
  readonly user: string
  readonly refreshToken: string
  readonly ended: { readonly message: string } | null
}

/** The sign-ins beside a ledger, by user. */
export async function keptIn(directory: string): Promise<ReadonlyMap<string, Kept>> {
  const folder = join(directory, 'oauth')
  const names = (await readdir(folder)).filter((name) => name.endsWith('.json'))
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')))
  const kept = texts.map((text): unknown => JSON.parse(text)) as readonly Kept[]
  return new Map(kept.map((one) => [one.user, one]))
}
