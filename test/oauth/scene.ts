// A folder for a ledger, a client of the server of tests, and a clock that a test can turn.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Client, TokenRequest } from '../../src/oauth/oauth.ts'
import type { Granted } from '../../src/oauth/granted.ts'
import { KeptSignIns, type SignInsContext } from '../../src/oauth/sign-ins.ts'
import { signInByDevice } from '../../src/oauth/flows/device.ts'
import { signInByBrowser } from '../../src/oauth/flows/browser.ts'
import type { Person } from '../../src/oauth/flows/flow.ts'
import { AuthorizationServer, CLIENT_ID, Visitor } from '../support/authorization-server.ts'

export const USER = 'alice@example.org'
export const HOUR_MS = 3_600_000
export const DAY_MS = 24 * HOUR_MS

export function clientOf(issuer: string, changes: Partial<Client> = {}): Client {
  return {
    name: 'company',
    provider: null,
    issuer,
    endpoints: { authorization: null, token: null, device: null, revocation: null },
    clientId: CLIENT_ID,
    clientSecret: null,
    certificate: null,
    secretEndsMs: null,
    tenant: null,
    scopes: ['openid', 'email', 'mail'],
    uses: ['pop'],
    flow: 'auto',
    redirectPort: null,
    ...changes,
  }
}

export class Scene implements AsyncDisposable {
  readonly folder: string
  readonly client: Client
  /** By how much our clock is ahead of the true one. */
  aheadMs = 0
  readonly #changes: Partial<SignInsContext>

  static async make(client: Client, changes: Partial<SignInsContext> = {}): Promise<Scene> {
    return new Scene(await mkdtemp(join(tmpdir(), 'popfetch-oauth-')), client, changes)
  }

  private constructor(folder: string, client: Client, changes: Partial<SignInsContext>) {
    this.folder = folder
    this.client = client
    this.#changes = changes
  }

  /** As another process has them. */
  signIns(client: Client = this.client): KeptSignIns {
    return new KeptSignIns({
      folder: this.folder,
      clients: new Map([[client.name, client]]),
      env: {},
      nowMs: () => Date.now() + this.aheadMs,
      ...this.#changes,
    })
  }

  async signIn(flow: 'device' | 'browser' = 'device', login = USER): Promise<Granted> {
    const signIns = this.signIns()
    const provider = await signIns.provider(this.client.name, null)
    const granted = await (flow === 'device' ? signInByDevice : signInByBrowser)({
      provider,
      user: USER,
      person: new Obedient(login),
      pause: () => Promise.resolve(),
    })
    await signIns.keep(this.client.name, USER, provider, granted)
    return granted
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true })
  }
}

export function request(changes: Partial<TokenRequest> = {}): TokenRequest {
  return { client: 'company', user: USER, use: 'pop', refused: null, signal: new AbortController().signal, ...changes }
}

/** Does what is printed. */
export class Obedient implements Person {
  readonly lines: string[] = []
  readonly openBrowser = null
  readonly paste = null
  readonly signal: AbortSignal
  /** Resolves when the forms have come to their end. */
  visited: Promise<unknown> = Promise.resolve()
  readonly #login: string

  constructor(login: string, signal: AbortSignal = new AbortController().signal) {
    this.#login = login
    this.signal = signal
  }

  show = (line: string): void => {
    this.lines.push(line)
    const address = this.lines.find((one) => one.startsWith('http'))
    const code = /^code: (.*)/.exec(line)?.[1]
    const isBrowser = line.startsWith('http') && line.includes('response_type=code')
    if (address === undefined || (code === undefined && !isBrowser)) return
    this.visited = new Visitor(this.#login).open(address, code === undefined ? {} : { code })
    this.visited.catch(() => {})
  }
}

/** What lies in its folder of sign-ins. */
export async function files(folder: string): Promise<readonly string[]> {
  const names = await readdir(join(folder, 'oauth'))
  return names.map((name) => join(folder, 'oauth', name))
}

/** The one sign-in that is kept. */
export async function kept(folder: string): Promise<string> {
  const [file = ''] = (await files(folder)).filter((name) => name.endsWith('.json'))
  return await readFile(file, 'utf8')
}

/** One person, signed in. */
export async function signedIn() {
  const server = await AuthorizationServer.start()
  const scene = await Scene.make(clientOf(server.issuer))
  const granted = await scene.signIn()
  const asked = server.tokenRequests
  return {
    server,
    scene,
    granted,
    /** Since the sign-in. */
    requests: () => server.tokenRequests - asked,
    async [Symbol.asyncDispose]() {
      await scene[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    },
  }
}
